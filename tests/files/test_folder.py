"""Folders: there in one step, whatever ends the process at whatever moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.files import probe_folder, recover_folder, system, write_folder
from tests.files.test_target import break_at

OLD, NEW = {"a.txt": "old a", "gone.txt": "old"}, {"a.txt": "new a", "sub/b.txt": "new b"}
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX renames")


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["exchange", "two renames"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two renames":
        monkeypatch.setattr(system, "renamed", lambda *_: False)
    elif sys.platform != "linux":
        pytest.skip("no renameat2")
    return str(request.param)


def test_new_empty_and_replaced(tmp_path: Path, exchange: str) -> None:
    target = tmp_path / "out"
    write_folder(target, OLD)
    assert content(target) == OLD
    with pytest.raises(InputError, match="out exists"):
        write_folder(target, NEW)
    assert content(target) == OLD
    write_folder(target, NEW, replace=True)
    assert content(target) == NEW
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "empty", NEW)
    assert content(tmp_path / "empty") == NEW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "out"]


def test_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match="exists"):
        write_folder(tmp_path / "file", NEW)
    with pytest.raises(InputError, match="cannot be written"):
        write_folder(tmp_path / "none" / "out", NEW)
    for name in ("../b.txt", "/tmp/b.txt"):
        with pytest.raises(InputError, match="leads out of it"):
            write_folder(tmp_path / "out", {name: "b"})
    probe_folder(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_error_at_any_step_leaves_what_was_or_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: str
) -> None:
    """Every call that changes files fails in turn, by the system and by Ctrl-C; the next run finds a whole folder."""
    failed = 0
    for error in (OSError, KeyboardInterrupt):
        for step in range(200):
            target = tmp_path / f"{error.__name__}-{step}" / "out"
            target.parent.mkdir()
            write_folder(target, OLD)
            with monkeypatch.context() as patch:
                calls = break_at(patch, step, error)
                try:
                    write_folder(target, NEW, replace=True)
                except (InputError, KeyboardInterrupt):
                    failed += 1
            if calls[0] <= step:
                break
            recover_folder(target)
            assert content(target) in (OLD, NEW), step
    assert failed > 20
    assert content(target) == NEW


SCRIPT = """
import os, signal, sys
from pathlib import Path
from placer.files import system, write_folder
step, exchange, names = int(sys.argv[2]), sys.argv[3], sys.argv[4].split(",")
if exchange != "exchange":
    system.renamed = lambda *_: False
calls = 0
def killing(real):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == step + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
for name in names:
    setattr(os, name, killing(getattr(os, name)))
system.renamed = killing(system.renamed)
write_folder(Path(sys.argv[1]), {"a.txt": "new a", "sub/b.txt": "new b"}, replace=True)
"""


@posix
def test_a_kill_at_any_step_leaves_what_was_or_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: str
) -> None:
    """SIGKILL before each call that moves a folder or makes or removes something; the next run puts things right."""
    names = "mkdir,rename,rmdir,unlink,fsync"
    killed = 0
    for step in range(100):
        target = tmp_path / str(step) / "out"
        target.parent.mkdir()
        write_folder(target, OLD)
        command = [sys.executable, "-c", SCRIPT, str(target), str(step), exchange, names]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        if exchange == "exchange":
            assert content(target) in (OLD, NEW), step
        monkeypatch.setattr(system, "SETTLED", 0.0)
        recover_folder(target)
        assert content(target) in (OLD, NEW), step
        assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert killed > 5
    assert content(target) == NEW


@posix
def test_a_folder_between_two_renames_of_a_living_run_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_folder(target, OLD)
    with system.locked(target):
        os.rename(target, tmp_path / _old_name(target))
        recover_folder(target)
        assert not target.exists()
    recover_folder(target)
    assert content(target) == OLD


def _old_name(target: Path) -> str:
    from placer.files.folder import _mark

    return system.temporary_name(f"-{_mark(target)}.old")


@posix
def test_folders_of_other_names_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / _old_name(tmp_path / "other")).mkdir()
    write_folder(tmp_path / "out", NEW)
    assert len(list(tmp_path.iterdir())) == 2
