"""The process that a command runs in: its streams, its signals, its end."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from placer import __main__ as entry
from placer.cli import cli
from placer.errors import InputError, UnansweredError, as_placer_error
from tests.cli.run import HEARING

REPO = Path(__file__).parent.parent.parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX streams and signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, /proc")
SHOW = "-m placer show smart-parking"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell with ``python`` for this interpreter, and for ``placer`` this copy."""
    line = line.replace("python ", f"'{sys.executable}' ")
    return subprocess.run(
        [*HEARING, "bash", "-c", line], capture_output=True, text=True, env={**os.environ, **environment}, cwd=REPO
    )


def test_linear_algebra_takes_one_core_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, str] = {}
    monkeypatch.setattr("placer.cli.main", lambda: found.update(os.environ))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = signal.getsignal(signal.SIGINT)
    try:
        entry.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (found["OPENBLAS_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("3", "1")


@posix
def test_a_closed_standard_output_is_found_at_once() -> None:
    done = shell(f"python {SHOW} >&-")
    assert done.returncode == 3
    assert done.stderr.startswith("placer: standard output is closed\n")
    assert "Traceback" not in done.stderr


@linux
@pytest.mark.parametrize("command", ["--help", "show smart-parking", "show smart-parking --json"])
def test_a_full_standard_output_is_exit_3(command: str) -> None:
    done = shell(f"python -m placer {command} >/dev/full")
    assert done.returncode == 3
    assert done.stderr == "placer: standard output cannot be written: No space left on device\n"


@linux
def test_nobody_to_tell_changes_no_exit_code() -> None:
    for stream in ("/dev/full", "&-"):
        done = shell(f"python -m placer show nothing 2>{stream}")
        assert (done.returncode, done.stdout) == (2, "")


@posix
@pytest.mark.parametrize("command", ["--help", "show smart-parking", "schema instance"])
def test_a_reader_that_is_gone_ends_the_command_as_by_convention(command: str) -> None:
    """The reader closes before the first byte is written: the pipe's other end is closed when the command starts."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "placer", *command.split()], stdout=write, stderr=subprocess.PIPE, text=True, cwd=REPO
    )
    os.close(write)
    assert done.returncode == -signal.SIGPIPE
    assert done.stderr == ""


@posix
def test_an_encoding_that_lacks_characters_spells_them() -> None:
    done = shell(f"python {SHOW}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "loss <= 1 %" in done.stdout
    assert "cam-1 -> hub" in done.stdout
    plain = shell(f"python {SHOW}", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert plain.stdout == done.stdout


@posix
def test_docstrings_that_python_leaves_out() -> None:
    """``-OO``: Pyomo cannot be imported so, and click's helps are docstrings."""
    for command in ("--help", "plan --help", "plan do-not-split --json"):
        plain, bare = (shell(f"python {option} -m placer {command}") for option in ("-O", "-OO"))
        assert bare.returncode == 0, bare.stderr
        if "--json" in command:
            assert json.loads(bare.stdout)["evaluation"] == json.loads(plain.stdout)["evaluation"]
        else:
            assert bare.stdout == plain.stdout != ""
    assert shell("python -m placer --help", PYTHONOPTIMIZE="2").stdout == shell("python -m placer --help").stdout


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("python -OO -m placer --help", "python -m placer --help"),
        ("python -OOsm placer -OO", "python -sm placer -OO"),
        ("python -W O -OOX dev -W error -OO x -O", "python -W O -X dev -W error x -O"),
        ("python -s -OO -- -O", "python -s -- -O"),
        ("python --check-hash-based-pycs O -OO placer", "python --check-hash-based-pycs O placer"),
        ("python -OOc pass -O", "python -c pass -O"),
        ("python", "python"),
    ],
)
def test_the_interpreter_s_options_without_optimisation(given: str, kept: str) -> None:
    assert entry.without_optimisation(given.split()) == kept.split()


INTERRUPTING = "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(60)"


@posix
def test_ctrl_c_while_the_command_line_loads(tmp_path: Path) -> None:
    """The first package that is imported sends the signal itself."""
    (tmp_path / "click.py").write_text(INTERRUPTING)
    done = shell("python -m placer --help", PYTHONPATH=f"{tmp_path}{os.pathsep}{REPO}")
    assert (done.returncode, done.stderr) == (3, "placer: interrupted\n")
    assert UnansweredError.exit_code == 3


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_while_a_command_loads(tmp_path: Path, name: str) -> None:
    (tmp_path / "yaml.py").write_text(INTERRUPTING.replace("SIGINT", name))
    done = shell(f"python {SHOW}", PYTHONPATH=f"{tmp_path}{os.pathsep}{REPO}")
    assert (done.returncode, done.stderr) == (3, "placer: interrupted\n")


@posix
def test_signals_that_are_ignored_stay_so(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGHUP); raise MemoryError")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPO}"}
    done = subprocess.run(
        [sys.executable, "-m", "placer", "show", "smart-parking"],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (3, "placer: there is not enough memory for this\n")


def test_what_errors_mean() -> None:
    cases: list[tuple[BaseException, type[Exception], str]] = [
        (KeyboardInterrupt(), UnansweredError, "interrupted"),
        (MemoryError(), UnansweredError, "memory"),
        (RecursionError(), UnansweredError, "nested"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.yaml"), InputError, r"a.yaml \$: No such file"),
        (OSError(errno.EMFILE, "Too many open files"), UnansweredError, "the system refuses: Too many"),
        (ZeroDivisionError("x"), UnansweredError, "internal error: ZeroDivisionError: x"),
    ]
    for error, kind, words in cases:
        with pytest.raises(kind, match=words):
            raise as_placer_error(error)
    assert as_placer_error(found := InputError("x")) is found


WORKERS = """
import os, sys
from placer.simulation.executors import open_executor

def work(kind):
    os.write(1, b"working\\n")
    if kind == "solver":  # inside C, no thread of Python's runs
        import ctypes
        ctypes.PyDLL(None).sleep(100_000)
    while True:
        pass

if __name__ == "__main__":
    from placer import interruption
    interruption.install()
    with open_executor("processes:2") as pool:
        futures = [pool.submit(work, sys.argv[1]) for _ in range(2)]
        try:
            futures[0].result()
        except KeyboardInterrupt:
            os.write(1, b"interrupted\\n")
"""


@linux
@pytest.mark.parametrize("kind", ["python", "solver"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_workers_end_with_their_parent(tmp_path: Path, kind: str, name: str) -> None:
    """Every process has the pipe: it ends when the last of them has. The signal is sent when both are at work."""
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    with subprocess.Popen(
        [*HEARING, sys.executable, str(script), kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"working\n"] * 2
        process.send_signal(getattr(signal, name))
        try:
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    if name == "SIGKILL":
        assert (process.returncode, rest) == (-signal.SIGKILL, b"")
    else:
        assert (process.returncode, rest) == (0, b"interrupted\n"), errors
        assert b"Traceback" not in errors


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    assert cli.main(["plan", "smart-parking", "-o", str(file)], standalone_mode=False) == 0
    return file


@pytest.mark.parametrize(("finished", "code"), [(3, 3), (1, None)])
def test_simulate_keeps_the_replications_that_are_done(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], finished: int, code: int
) -> None:
    from placer.simulation import runner

    real, calls = runner.replicate, 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > finished:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(runner, "replicate", interrupted)
    capsys.readouterr()
    arguments = ["simulate", str(plan_file), "--executor", "serial", "--jobs", "1000", "--json"]
    if code is None:  # one replication says nothing of how sure it is
        with pytest.raises((KeyboardInterrupt, Exception)) as raised:
            cli.main(arguments, standalone_mode=False)
        assert type(raised.value).__name__ in ("KeyboardInterrupt", "Abort")
        return
    assert cli.main(arguments, standalone_mode=False) == code
    data = json.loads(capsys.readouterr().out)
    assert (data["replications"], data["planned"], data["partial"]) == (finished, 10, True)
    assert data["exit_code"] == code
