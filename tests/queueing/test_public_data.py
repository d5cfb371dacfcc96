"""The analytic model on the public simulated deployments, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from placer.bench.chainnet.evaluation import run

SHARED = Path(os.environ.get("PLACER_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
DATA = SHARED / "data" / "chainnet-val"


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data set is not here")
def test_errors_stay_where_they_are() -> None:
    *_, last = run(DATA, ["analytic"], 2000)
    figures = last["summary"]["analytic"]
    assert figures["throughput_ratio_ape"]["mean"] < 1.6
    assert figures["response_time_ape"]["mean"] < 2.5
    assert figures["throughput_ratio_mae"] < 0.0075
    assert figures["total_loss_error"] < 0.0032
