"""Any placement of any instance, good or bad, is exported or refused in words; what is exported is valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import numpy as np
import pytest
import yaml

from placer.errors import InputError
from placer.export import compose, dot, kubernetes, mermaid
from placer.export.parts import parts_of
from placer.pictures.plan import picture
from placer.plan.placement import Placement
from placer.plan.plan import Certificate, make_plan
from tests.export.helpers import IMAGE
from tests.random_instances import random_instance


@pytest.mark.parametrize("seed", range(25))
def test_random_plans(seed: int, tmp_path: Path) -> None:
    compiled = random_instance(seed)
    rng = np.random.default_rng(seed)
    choice = tuple(int(rng.choice(group)) for group in compiled.service_variants)
    stations = tuple(
        tuple(int(s) for s in rng.integers(0, len(compiled.stations), len(compiled.variants[c]))) for c in choice
    )
    certificate = Certificate(method="given", termination="given", objectives=(), seconds=0.0, seed=seed)
    plan = make_plan(compiled, Placement(choice, stations), certificate)
    parts = parts_of(plan, compiled)
    assert sum(len(part.layers) for part in parts.parts) == sum(len(assignment) for assignment in stations)
    mermaid.write(plan, compiled)
    dot.write(plan, compiled)
    if seed % 5 == 0:
        picture(plan, compiled, tmp_path / "plan.svg")
    modes: tuple[Any, ...] = ("required", "preferred")
    for mode in modes:
        try:
            files = kubernetes.write(plan, compiled, image=IMAGE, affinity=mode)
        except InputError as error:
            if "too much" not in error.message:
                raise
            continue
        for path, text in files.items():
            for document in yaml.safe_load_all(text) if "kustomization" not in path else ():
                kubernetes_validate.validate(document, "1.31", strict=True)
        processes = {(compiled.sharing.first[choice[part.service_index]], part.device) for part in parts.parts}
        assert len(files) == len(processes) + 1
        compose.write(plan, compiled, image=IMAGE)
