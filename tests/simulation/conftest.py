from __future__ import annotations

import numpy as np
import pytest

from placer.jit import have_numba
from placer.queueing.network import Law, QueueNetwork, chains


@pytest.fixture(params=[pytest.param(True, id="compiled"), pytest.param(False, id="plain")])
def compiled(request: pytest.FixtureRequest) -> bool:
    """Both versions of the event loop; the compiled one only where numba is."""
    if request.param and not have_numba():
        pytest.skip("numba is not installed")
    return bool(request.param)


@pytest.fixture
def t1() -> QueueNetwork:
    """The tandem T1: exact loss 0.241388."""
    return chains(np.array([5, 5, 5]), np.array([1.0]), [[0, 1, 2]], [[1 / 1.2, 1 / 1.1, 1.0]], law=Law.EXPONENTIAL)


@pytest.fixture
def t2() -> QueueNetwork:
    """The two-class tandem T2: exact loss 0.353097."""
    return chains(
        np.array([3, 3, 3]),
        np.array([0.5, 0.4]),
        [[0, 1, 2], [0, 1, 2]],
        [[1 / 1.2, 1 / 1.1, 1.0], [1 / 0.9, 1 / 1.3, 1 / 0.8]],
        law=Law.EXPONENTIAL,
    )
