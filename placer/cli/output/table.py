"""The one way in which reports make tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    whole: Collection[str] = (),
) -> Table:
    """Make a table whose texts are shown as they are: names may hold brackets and colons, and are cut nowhere.

    Args:
        title: above it.
        columns: their heads.
        rows: a cell a column.
        right: heads of the columns that are set to the right: figures that are compared.
        whole: heads of the columns that are never wrapped.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(title=Text(title), title_justify="left")
    for column in columns:
        made.add_column(
            Text(column), justify="right" if column in right else "left", no_wrap=column in whole, overflow="fold"
        )
    for row in rows:
        made.add_row(*map(Text, row))
    return made
