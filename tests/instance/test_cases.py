"""Instance files that must be read, and files that must be refused: each case is a file, found by itself.

A negative case says in its first line what is expected: ``# expect: path | line | part of the message``, with
`` @ file`` at the end when the problem is in another file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from placer.errors import InputError
from placer.instance.compiled import compile_instance
from placer.instance.resolving import read_instance

CASES = Path(__file__).parent / "cases"


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (CASES / kind).glob("*.yaml"))


@pytest.mark.parametrize("name", names("positive"))
def test_is_read(name: str) -> None:
    instance = read_instance(CASES / "positive" / f"{name}.yaml")
    compiled = compile_instance(instance)
    assert len(compiled.variants) >= len(instance.services)
    assert instance.name == name


@pytest.mark.parametrize("name", names("negative"))
def test_is_refused(name: str) -> None:
    path = CASES / "negative" / f"{name}.yaml"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# expect: ")
    where, line, fragment = first.removeprefix("# expect: ").split(" | ", 2)
    fragment, _, other = fragment.partition(" @ ")
    with pytest.raises(InputError) as caught:
        read_instance(path)
    file = str(path.parent / other) if other else str(path)
    found = [(problem.path, problem.line, problem.file, problem.message) for problem in caught.value.problems]
    matching = [p for p in found if p[:3] == (where, int(line), file) and fragment in p[3]]
    assert matching, found
    assert caught.value.exit_code == 2
    assert f"{file}:{line} {where}: " in str(caught.value)


def test_enough_cases() -> None:
    assert len(names("negative")) > 100
    assert len(names("positive")) >= 8


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(
        "format: placer/instance/1\n"
        "devices: [{name: A, type: n5105}, {name: b, type: n5105, memory: 3}]\n"
        "services: [{name: s, model: alexnet, source: b, deadline: soon}]\n"
    )
    with pytest.raises(InputError) as caught:
        read_instance(path)
    assert {problem.path for problem in caught.value.problems} == {
        "$.devices[0].name",
        "$.devices[1].memory",
        "$.services[0].deadline",
    }


def test_a_flood_of_problems_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "flood.yaml"
    links = "".join(f"    - {{between: [a, x{i}], rate: 1 MB/s}}\n" for i in range(15_000))
    path.write_text(
        "format: placer/instance/1\ndevices: [{name: a, type: n5105}]\n"
        f"network:\n  links:\n{links}services: [{{name: s, model: alexnet, source: a}}]\n"
    )
    with pytest.raises(InputError) as caught:
        read_instance(path)
    assert len(caught.value.problems) == 50
