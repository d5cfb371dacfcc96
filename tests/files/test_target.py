"""Files: claimed before the work, whole or not at all, never over somebody else's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from placer.errors import InputError
from placer.files import claim, system, write_atomically
from placer.files.target import RESERVED

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX names")


def test_a_claim_is_written_and_leaves_nothing_else(tmp_path: Path) -> None:
    with claim(tmp_path / "a.json") as target:
        assert len(list(tmp_path.iterdir())) == 1
        assert next(tmp_path.iterdir()).stat().st_size == RESERVED
        target.write("ä" * 10)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == "ä".encode() * 10


def test_more_than_was_reserved(tmp_path: Path) -> None:
    data = os.urandom(3 * RESERVED + 1)
    write_atomically(tmp_path / "a", data)
    assert (tmp_path / "a").read_bytes() == data


def test_a_claim_that_is_not_used_leaves_nothing(tmp_path: Path) -> None:
    with claim(tmp_path / "a.json"):
        pass
    assert not list(tmp_path.iterdir())


@posix
def test_the_mask_of_the_user_counts(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_of_two_runs_that_write_one_file_the_second_fails(tmp_path: Path) -> None:
    first, second = claim(tmp_path / "a"), claim(tmp_path / "a")
    first.write("first")
    with pytest.raises(InputError, match="a exists"):
        second.write("second")
    assert (tmp_path / "a").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InputError, match="a exists"):
        claim(tmp_path / "a")


def test_many_runs_at_once_one_wins_whole(tmp_path: Path) -> None:
    texts = [str(number) * 100_000 for number in range(8)]
    targets = [claim(tmp_path / "a") for _ in texts]
    start, lost = threading.Barrier(len(texts)), []

    def run(number: int) -> None:
        start.wait()
        try:
            targets[number].write(texts[number])
        except InputError:
            lost.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = set(range(len(texts))) - set(lost)
    assert (tmp_path / "a").read_text() == texts[winner]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_target_may_write_again(tmp_path: Path) -> None:
    with claim(tmp_path / "a") as target:
        target.write("stage 1")
        target.write("stage 2")
    assert (tmp_path / "a").read_text() == "stage 2"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("flag", ["link", "renameat2", "neither"])
def test_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    def no_link(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    if flag != "link":
        monkeypatch.setattr(os, "link", no_link)
    if flag == "neither":
        monkeypatch.setattr(system, "renamed", lambda *_: False)
    first, second = claim(tmp_path / "a"), claim(tmp_path / "a")
    first.write("first")
    with pytest.raises(InputError, match="exists"):
        second.write("second")
    assert (tmp_path / "a").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


@posix
def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("as it was")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("link", "symbolic link"), ("dangling", "symbolic link"), ("pipe", "no regular file")):
        with pytest.raises(InputError, match=words):
            claim(tmp_path / name, force=True)
    with pytest.raises(InputError, match="no regular file"):
        claim(Path(os.devnull), force=True)
    assert (tmp_path / "real").read_text() == "as it was"
    assert not (tmp_path / "nothing").exists()


@posix
def test_a_link_planted_after_the_claim_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with claim(tmp_path / "a") as target:
        (tmp_path / "a").symlink_to(tmp_path / "outside" / "b")
        with pytest.raises(InputError, match="exists"):
            target.write("text")
    with claim(tmp_path / "b", force=True) as target:
        (tmp_path / "b").symlink_to(tmp_path / "outside" / "b")
        target.write("text")
    assert not list((tmp_path / "outside").iterdir())
    assert not (tmp_path / "b").is_symlink()


@posix
def test_a_planted_temporary_name_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "temporary_name", lambda ending=".tmp": f".placer-guessed{ending}")
    (tmp_path / ".placer-guessed.tmp").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="cannot be written: File exists"):
        claim(tmp_path / "a")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [("none/a", "is no folder"), ("n" * 300, "File name too long"), (".", "is a folder"), ("a\0b", "null")],
)
def test_what_cannot_be_named(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        claim(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that root cannot write to either")
def test_a_folder_that_cannot_be_written_is_found_at_once() -> None:
    with pytest.raises(InputError, match="cannot be written"):
        claim(Path("/proc/plan.json"))


def fails_after(bytes_left: int, number: int = errno.ENOSPC) -> Callable[[int, Any], int]:
    real = os.write
    left = [bytes_left]

    def write(handle: int, data: Any) -> int:
        if left[0] <= 0:
            raise OSError(number, os.strerror(number))
        count = real(handle, data[: left[0]])
        left[0] -= count
        return count

    return write


def test_a_full_disk_is_found_by_the_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", fails_after(RESERVED // 2))
    with pytest.raises(InputError, match=r"a \$: cannot be written: No space left on device"):
        claim(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    target = claim(tmp_path / "a", force=True)
    monkeypatch.setattr(os, "write", fails_after(1000))
    with pytest.raises(InputError, match="No space left"):
        target.write("x" * 10_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@posix
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """The real thing: the kernel refuses to write, in a process of its own."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from pathlib import Path; from placer.files import claim; from placer.errors import InputError\n"
        "try: claim(Path(sys.argv[1]))\nexcept InputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True)
    assert done.stdout.strip().endswith("cannot be written: File too large"), done.stderr
    assert not list(tmp_path.iterdir())


def test_interrupted_anywhere_leaves_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt instead of each call that changes files, in turn."""
    steps = 0
    for step in range(100):
        folder = tmp_path / str(step)
        folder.mkdir()
        (folder / "a").write_text("old")
        with monkeypatch.context() as patch:
            calls = break_at(patch, step, KeyboardInterrupt)
            try:
                with claim(folder / "a", force=True) as target:
                    target.write("new")
            except KeyboardInterrupt:
                steps += 1
        assert (folder / "a").read_text() in ("old", "new")
        if calls[0] <= step:
            break
    assert steps > 5
    assert (folder / "a").read_text() == "new"


CHANGING = ("open", "write", "fsync", "ftruncate", "lseek", "link", "unlink", "replace", "rename", "mkdir", "rmdir")


def break_at(patch: pytest.MonkeyPatch, step: int, error: type[BaseException]) -> list[int]:
    """Raise instead of the ``step``-th call that changes files; the list holds how many were asked for."""
    calls = [0]

    def breaking(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == step + 1:
                raise error
            return real(*arguments, **options)

        return call

    for name in CHANGING:
        patch.setattr(os, name, breaking(getattr(os, name)))
    return calls


@posix
def test_what_killed_runs_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SETTLED", 0.0)
    (tmp_path / ".placer-0123456789abcdef.tmp").write_text("left")
    left = tmp_path / ".placer-0123456789abcde0.tmp"
    (left / "new").mkdir(parents=True)
    others = [".placer-notours.tmp", ".other.tmp", ".placer-0123456789abcdef.tmp.txt"]
    for name in others:
        (tmp_path / name).write_text("somebody's")
    with claim(tmp_path / "a") as living:
        claim(tmp_path / "b").write("b")
        living.write("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", "b", *others])


def test_young_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".placer-0123456789abcdef.tmp").write_text("its process may be about to lock it")
    write_atomically(tmp_path / "a", "a")
    assert len(list(tmp_path.iterdir())) == 2
