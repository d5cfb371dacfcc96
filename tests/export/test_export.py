"""Exports: whole or not at all, and never over what is not an export."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.export import folder as module
from placer.export.folder import FORMATS, MARKER, export
from placer.export.parts import parts_of
from placer.plan.plan import read_plan
from tests.export.helpers import IMAGE, everything, plan_of, tiny


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_all_formats_at_once(tmp_path: Path) -> None:
    compiled, plan = everything()
    written = export(plan, compiled, tmp_path / "out", list(FORMATS), image=IMAGE)
    assert written == sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert read_plan(tmp_path / "out" / "plan.json") == plan
    marker = json.loads((tmp_path / "out" / MARKER).read_text())
    assert set(marker["files"]) | {MARKER} == set(contents(tmp_path / "out"))
    assert marker["instance"] == plan.instance.hash
    assert marker["plan"].startswith("sha256:")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    compiled, plan = everything()
    for name in ("one", "two"):
        export(plan, compiled, tmp_path / name, ["kubernetes", "compose", "mermaid", "dot"], image=IMAGE)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_force_rules(tmp_path: Path) -> None:
    compiled = tiny()
    plan = plan_of(compiled, "near far far")
    folder = tmp_path / "out"
    folder.mkdir()
    export(plan, compiled, folder, ["mermaid"])  # an empty folder loses nothing
    with pytest.raises(InputError, match="exists already") as caught:
        export(plan, compiled, folder, ["dot"])
    assert caught.value.exit_code == 2
    export(plan, compiled, folder, ["dot"], force=True)
    assert set(contents(folder)) == {"plan.dot", MARKER}
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no export wrote: notes\.txt"):
        export(plan, compiled, folder, ["mermaid"], force=True)
    assert set(contents(folder)) == {"plan.dot", MARKER, "notes.txt"}


@pytest.mark.parametrize("marker", [None, "{}", "[]", "not json", '{"format": "other/1"}'])
def test_what_is_no_export_is_never_replaced(tmp_path: Path, marker: str | None) -> None:
    compiled = tiny()
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "precious").write_text("x")
    if marker is not None:
        (folder / MARKER).write_text(marker)
    with pytest.raises(InputError, match="not an earlier export"):
        export(plan_of(compiled, "near far far"), compiled, folder, ["dot"], force=True)
    assert (folder / "precious").read_text() == "x"


def test_odd_targets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tiny()
    plan = plan_of(compiled, "near far far")
    (tmp_path / "file").write_text("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name, message in [("file", "is a file"), ("link", "symbolic link"), ("none/out", "above it does not exist")]:
        with pytest.raises(InputError, match=message):
            export(plan, compiled, tmp_path / name, ["dot"], force=True)
    monkeypatch.chdir(tmp_path / "real")
    with pytest.raises(InputError, match="the folder you are in"):
        export(plan, compiled, Path("."), ["dot"], force=True)


def test_unknown_formats_name_the_nearest(tmp_path: Path) -> None:
    compiled = tiny()
    plan = plan_of(compiled, "near far far")
    with pytest.raises(InputError, match=r"did you mean 'kubernetes'.*allowed: compose"):
        export(plan, compiled, tmp_path / "out", ["kubernets"])
    with pytest.raises(InputError, match="no format"):
        export(plan, compiled, tmp_path / "out", [])
    with pytest.raises(InputError, match="port 0"):
        export(plan, compiled, tmp_path / "out", ["dot"], port=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("failing", ["write", "rename", "fsync"])
def test_a_failure_in_the_middle_leaves_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool, failing: str
) -> None:
    compiled, plan = everything()
    folder = tmp_path / "out"
    if force:
        export(plan, compiled, folder, ["dot"])
    before = contents(tmp_path)
    original, calls = getattr(os, failing), 0

    def breaking(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == (1 if failing == "rename" else 2):
            raise OSError(28, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(os, failing, breaking)
    with pytest.raises(InputError, match="No space left"):
        export(plan, compiled, folder, ["kubernetes"], image=IMAGE, force=force)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if force else [])


def test_of_two_exports_to_one_folder_the_second_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second starts while there is no folder, and ends after the first."""
    compiled, plan = everything()
    folder = tmp_path / "out"
    real = module.write_folder

    def late(*arguments: object, **options: object) -> None:
        monkeypatch.undo()
        export(plan, compiled, folder, ["dot"])
        real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_folder", late)
    with pytest.raises(InputError, match="out exists"):
        export(plan, compiled, folder, ["mermaid"])
    assert set(contents(folder)) == {"plan.dot", MARKER}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_probe_finds_what_would_fail(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("somebody's")
    with pytest.raises(InputError, match="exists already"):
        module.probe(tmp_path / "out", force=False)
    with pytest.raises(InputError, match="not an earlier export"):
        module.probe(tmp_path / "out", force=True)
    for name in ("n" * 300, "none/out"):
        with pytest.raises(InputError, match=r"cannot be (written|made)"):
            module.probe(tmp_path / name, force=False)
    module.probe(tmp_path / "new", force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_format_that_refuses_writes_nothing(tmp_path: Path) -> None:
    compiled = tiny()
    with pytest.raises(InputError, match="image"):
        export(plan_of(compiled, "near far far"), compiled, tmp_path / "out", ["dot", "kubernetes"])
    assert not list(tmp_path.iterdir())


def test_a_format_cannot_write_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tiny()
    monkeypatch.setattr(module, "FORMATS", {"evil": lambda *_: {"../evil.txt": "x"}})
    with pytest.raises(InputError, match="cannot be the name"):
        export(plan_of(compiled, "near far far"), compiled, tmp_path / "out", ["evil"])
    assert not list(tmp_path.iterdir())


def test_the_copied_plan_finds_its_instance(tmp_path: Path) -> None:
    from placer.instance.compiled import compile_instance
    from placer.instance.resolving import read_instance
    from tests.export.helpers import BOARD, CHAIN, INSTANCE, MCU

    for name, text in {"board": BOARD, "chip": MCU, "chain": CHAIN, "tiny": INSTANCE}.items():
        for reference in ("board", "chip", "chain"):
            text = text.replace(f"type: {reference},", f"type: {reference}.yaml,")
            text = text.replace(f"model: {reference},", f"model: {reference}.yaml,")
        (tmp_path / f"{name}.yaml").write_text(text)
    compiled = compile_instance(read_instance(tmp_path / "tiny.yaml"))
    plan = plan_of(compiled, "near far far")
    plan = plan.model_copy(update={"instance": plan.instance.model_copy(update={"path": "tiny.yaml"})})
    export(plan, compiled, tmp_path / "out", ["plan"])
    assert read_plan(tmp_path / "out" / "plan.json").instance.path == "../tiny.yaml"


def test_rate_limits_at_the_source_reach_the_part_that_reads_the_input() -> None:
    compiled, plan = everything()
    first = plan.services[0]
    limited = plan.model_copy(update={"services": (first.model_copy(update={"min_gap": 0.75}), *plan.services[1:])})
    gaps = {(part.service, part.index): part.min_gap for part in parts_of(limited, compiled).parts if part.min_gap}
    assert gaps
    assert {service for service, _ in gaps} == {first.service}
    assert set(gaps.values()) == {0.75}
    assert all(part.min_gap is None for part in parts_of(plan, compiled).parts)
