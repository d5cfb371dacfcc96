"""Suite ``chainnet`` with every evaluator that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from placer.bench import chainnet
from placer.errors import InputError


def run(
    *, data: Path | None = None, methods: tuple[str, ...] | None = None, limit: int | None = None, **_: Any
) -> Iterator[dict[str, Any]]:
    """Evaluate the public data set in ``data`` with the evaluators named, or all.

    Raises:
        InputError: without a data folder.
    """
    if data is None:
        raise InputError("the suite chainnet needs --data, the folder of the public data set")
    yield from chainnet.run(data, methods or ("analytic",), limit)
