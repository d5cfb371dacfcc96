"""The folder of compiled code: private, chosen once, never the current folder nor what lies in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from placer import jit

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes")
needs_numba = pytest.mark.skipif(not jit.have_numba(), reason="needs numba")

SCRIPT = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
import functions
from placer import jit
start = threading.Barrier(4)
def use(function):
    start.wait()
    assert jit.version(function, True)(20) == 20
threads = [threading.Thread(target=use, args=(getattr(functions, name),)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
import numba
numba.config.reload_config()
assert jit.version(functions.e, True)(20) == 20
"""
FUNCTIONS = "".join(f"def {name}(n):\n    for i in range(n):\n        pass\n    return n\n" for name in "abcde")


@posix
@needs_numba
def test_threads_in_a_hostile_folder(tmp_path: Path) -> None:
    """Numba reads a configuration from the current folder: it may not say where code is loaded from."""
    cache, hostile, code = tmp_path / "cache", tmp_path / "hostile", tmp_path / "code"
    for folder in (cache, hostile, code):
        folder.mkdir(mode=0o700)
    (code / "functions.py").write_text(FUNCTIONS)
    planted = hostile / "planted"
    planted.mkdir()
    (hostile / ".numba_config.yaml").write_text(f"cache_dir: {planted}\n")
    before = sorted(hostile.rglob("*"))
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(Path(jit.__file__).parent.parent)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(code)], cwd=hostile, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert sorted(hostile.rglob("*")) == before
    kept = {path.name.split("-")[0] for path in cache.rglob("*.nbi")}
    assert kept == {f"functions.{name}" for name in "abcde"}
    assert not list(code.rglob("*.nbi"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path


linux = pytest.mark.skipif(sys.platform != "linux", reason="XDG folders")


@linux
def test_a_new_folder_is_the_users_alone_whatever_the_mask(home: Path) -> None:
    before = os.umask(0)
    try:
        folder = jit._kernel_folder()
    finally:
        os.umask(before)
    assert folder is not None
    assert folder.parent == home / "cache" / "placer"
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    assert jit._kernel_folder() == folder


@linux
def test_a_relative_folder_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    for name, value in (("XDG_CACHE_HOME", "cache"), ("NUMBA_CACHE_DIR", "."), ("NUMBA_CACHE_DIR", "cache")):
        monkeypatch.setenv(name, value)
        folder = jit._cache_folder.__wrapped__()
        assert folder is not None
        assert folder.parent == home / "home" / ".cache" / "placer"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(home / "mine"))
    assert jit._cache_folder.__wrapped__() == home / "mine"


@linux
@pytest.mark.parametrize("mode", [0o777, 0o707])
def test_folders_that_others_may_write_to(home: Path, mode: int) -> None:
    folder = jit._kernel_folder()
    assert folder is not None
    for above in (folder, folder.parent, home / "cache"):
        before = above.stat().st_mode
        above.chmod(mode)
        assert jit._kernel_folder() is None, above
        above.chmod(before)
    assert jit._kernel_folder() == folder


@linux
def test_groups(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the user's own group may write to is theirs alone; the folder of code itself may not be so."""
    folder = jit._kernel_folder()
    assert folder is not None
    (home / "cache").chmod(0o770)
    own = os.getuid()
    if os.getgid() == own:
        assert jit._kernel_folder() == folder
    monkeypatch.setattr(os, "getgid", lambda: own + 1)
    assert jit._kernel_folder() is None
    monkeypatch.undo()
    folder.chmod(0o770)
    assert not jit._is_private(folder)


@linux
def test_links_and_strangers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = jit._kernel_folder()
    assert folder is not None
    (home / "elsewhere").mkdir(mode=0o700)
    folder.rmdir()
    folder.symlink_to(home / "elsewhere")
    assert jit._kernel_folder() is None
    folder.unlink()
    folder.write_text("a file")
    assert jit._kernel_folder() is None
    folder.unlink()
    assert jit._kernel_folder() == folder
    stranger = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: stranger)
    assert jit._kernel_folder() is None


class Compiling:
    """A dispatcher that is interrupted while it compiles."""

    def __init__(self) -> None:
        self.signatures: list[Any] = []

    def __call__(self, value: int) -> int:
        if not self.signatures:
            os.kill(os.getpid(), signal.SIGINT)
            self.signatures.append("compiled")
        return value


@posix
def test_an_interruption_waits_for_the_compiler() -> None:
    function = jit._Uninterrupted(Compiling())
    with pytest.raises(KeyboardInterrupt):
        function(1)
    assert function(2) == 2
