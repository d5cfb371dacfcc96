"""Models written for other solvers: whole or not at all, wherever the file is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.files import claim
from placer.solver.model_file import write_model_file

END = {"lp": "Minimize\n obj: x\nend\n", "mps": "NAME\nENDATA\n"}


@pytest.mark.parametrize("suffix", list(END))
def test_whole_or_not_at_all(tmp_path: Path, suffix: str) -> None:
    path, text = tmp_path / f"m.{suffix}", END[suffix]

    def write(draft: str, data: str = text) -> bool:
        Path(draft).write_text(data)
        return True

    with claim(path) as target:
        write_model_file(target, write)
    assert path.read_text() == text
    for broken in (text[:-4], "", "nothing"):
        with pytest.raises(InputError, match="is the disk full"):
            write_model_file(path, lambda draft, broken=broken: write(draft, broken))  # type: ignore[misc]
    with pytest.raises(InputError, match="is the disk full"):
        write_model_file(path, lambda draft: write(draft) and False)
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_suffixes_and_folders(tmp_path: Path) -> None:
    for name, words in (("m.txt", r"\.mps or \.lp"), ("none/m.lp", "cannot be written")):
        with pytest.raises(InputError, match=words):
            write_model_file(tmp_path / name, lambda _: True)


SCRIPT = """
import resource, sys
from pathlib import Path
import pyomo.environ as pyo
from placer.errors import InputError
from placer.solver.highs import Solver
model = pyo.ConcreteModel()
model.x = pyo.Var(range(300), domain=pyo.Binary)
model.c = pyo.Constraint(expr=sum(model.x.values()) >= 2)
model.objective = pyo.Objective(expr=sum(model.x.values()))
solver = Solver.of(model)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    solver.write(Path(sys.argv[1]))
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
@pytest.mark.parametrize("suffix", list(END))
def test_highs_that_cannot_write_all_is_found_out(tmp_path: Path, suffix: str) -> None:
    """HiGHS itself says that all went well."""
    path = tmp_path / f"m.{suffix}"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True)
    assert "cannot be written whole: is the disk full?" in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


def test_what_pyomo_warns_of_is_no_data() -> None:
    script = "import placer.solver.highs, logging; logging.getLogger('pyomo.core').warning('a warning')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == ""
    assert "a warning" in done.stderr
