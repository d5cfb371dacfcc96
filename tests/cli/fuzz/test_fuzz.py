"""Damaged files and hostile options end in an answer or a refusal: no traceback, nothing outside, soon, in bounds.

CI runs a thousand cases; ``PLACER_FUZZ_CASES`` sets how many the slow test runs, which
``python -m tests.cli.fuzz COUNT SEED`` runs with more figures.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from placer.cli import COMMANDS
from tests.cli.fuzz.campaign import Figures, campaign, one, open_sandbox
from tests.cli.fuzz.guard import MOST_BYTES, Sandbox, run
from tests.cli.fuzz.targets import TARGETS, damaged, with_options

pytest.importorskip("onnx")
pytest.importorskip("tflite")

CHUNKS, CASES = 5, 200
SEED = 7


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return open_sandbox(tmp_path_factory.mktemp("fuzz"))


def faults(figures: Figures) -> str:
    return "\n".join(
        f"case {number}: {' '.join(map(ascii, outcome.command))}\n{outcome.fault}"
        for number, outcome in list(figures.faults.items())[:5]
    )


def test_the_seeds_are_valid(sandbox: Sandbox) -> None:
    """What is damaged is whole before: each target's command ends with an answer."""
    for target in TARGETS:
        profile = next((file for file in target.files if file.endswith(".yaml")), "profile.yaml")
        command = tuple(word.replace("{}", profile).replace("{profile}", profile) for word in target.command)
        outcome = run(command, sandbox.work)
        assert outcome.fault is None, (command, outcome.fault)
        assert outcome.code in (0, 1, 3), (command, outcome.stderr)
        assert sandbox.clean(None, "." if "--force" in command else None) is None, command


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_few_hundred_cases(sandbox: Sandbox, chunk: int) -> None:
    figures = Figures()
    for number, outcome in campaign(sandbox, SEED, range(chunk * CASES, (chunk + 1) * CASES)):
        figures.add(number, outcome)
    assert not figures.faults, faults(figures)
    assert figures.cases == CASES
    assert figures.hungriest.growth < MOST_BYTES
    # most of what is damaged is refused, and some of it is not damaged enough
    assert figures.codes[2] > CASES / 3
    assert figures.codes[0] > CASES / 20


def test_cases_are_of_every_kind() -> None:
    """The generators reach every target, every file and every command."""
    seen, rng = set(), np.random.default_rng(0)
    seeds = {file: b"a: 1\n" if file.endswith(".yaml") else b'{"a": 1}' for target in TARGETS for file in target.files}
    seeds = {file: content for file, content in seeds.items() if file.endswith((".yaml", ".json"))}
    commands = {with_options(rng)[0] for _ in range(2000)}
    assert commands == set(COMMANDS)
    for _ in range(3000):
        try:
            seen.add(damaged(rng, seeds)[1])
        except KeyError as error:  # a seed that this test does not make up
            seen.add(error.args[0])
    assert seen == {file for target in TARGETS for file in target.files}


def test_the_guard_sees_what_it_looks_for(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(fault: str) -> int:
        if fault == "raise":
            raise KeyError("x")
        if fault == "write":
            Path("../new").write_text("x")
        if fault == "change":
            Path("plan.json").write_text("x")
        if fault == "hungry":
            np.zeros(2 * MOST_BYTES, dtype=np.uint8)
        if fault == "code":
            return 4
        return 0

    monkeypatch.setitem(__import__("tests.cli.fuzz.guard", fromlist=["x"]).READERS, "@bad", reader)
    for fault, told in (("raise", "KeyError"), ("hungry", "emory"), ("code", "exit code 4"), ("none", None)):
        found = run(("@bad", fault), sandbox.work).fault
        assert (found is None) == (told is None)
        assert told is None or told in str(found)
    for fault, told in (("write", "wrote new"), ("change", "changed or removed work/plan.json")):
        assert run(("@bad", fault), sandbox.work).fault is None
        assert sandbox.clean(None, None) == told
    (sandbox.root / "new").unlink()
    sandbox.stamps = sandbox._stamps()


def test_a_case_is_made_from_its_number_alone(sandbox: Sandbox) -> None:
    first, second = (one(sandbox, SEED, 11) for _ in range(2))
    assert (first.command, first.code, first.stderr) == (second.command, second.code, second.stderr)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_cases(sandbox: Sandbox) -> None:
    figures, count = Figures(), int(os.environ.get("PLACER_FUZZ_CASES", "100000"))
    for number, outcome in campaign(sandbox, 0, range(count)):
        figures.add(number, outcome)
    assert not figures.faults, faults(figures)
    assert figures.cases == count
