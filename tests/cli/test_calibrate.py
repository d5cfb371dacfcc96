"""``placer calibrate``: what it prints, writes, refuses and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import placer
from tests.profiling.calibration.test_formats import FRIGATE, HEAD, TRITON


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    path = tmp_path / "measured.csv"
    rows = "".join(f"raspberry-pi-5,alexnet,{t}\n" for t in (0.021, 0.023))
    path.write_text("device,model,seconds\n" + rows + "raspberry-pi-4b,alexnet,0.08\n", encoding="utf-8")
    return path


def test_table_of_predicted_against_measured(measured: Path) -> None:
    done = placer("calibrate", str(measured))
    assert done.returncode == 0
    shown = " ".join(done.stdout.split())
    assert "22 ms" in shown
    assert "21.33 ms" in shown  # .7252 GMAC over the shipped 34 GMAC/s
    assert "-3.0%" in shown
    assert "median error 3.8%, largest 4.6%, of 2 of 2" in shown
    assert "written" not in shown


def test_json(measured: Path, tmp_path: Path) -> None:
    done = placer("calibrate", str(measured), "-o", str(tmp_path / "out"), "--json")
    assert done.returncode == 0
    data = json.loads(done.stdout)
    assert [one["count"] for one in data["measured"]] == [2, 1]
    assert data["measured"][0]["scv"] == pytest.approx(2e-6 / 0.022**2)
    assert data["measured"][1]["scv"] is None
    assert data["measured"][0]["error"] == pytest.approx(0.7252e9 / 34e9 / 0.022 - 1, rel=1e-3)
    assert data["files"] == {str(measured): "csv"}
    assert sorted(Path(path).name for path in data["written"]) == ["raspberry-pi-4b.yaml", "raspberry-pi-5.yaml"]
    for path in data["written"]:
        assert placer("show", path).returncode == 0


def test_formats_that_name_nothing(tmp_path: Path) -> None:
    (tmp_path / "perf.csv").write_text(TRITON)
    (tmp_path / "stats.json").write_text(json.dumps(FRIGATE))
    for name in ("perf.csv", "stats.json"):
        done = placer("calibrate", str(tmp_path / name))
        assert done.returncode == 2
        assert "give --device NAME and --model NAME" in done.stderr
        out = str(tmp_path / f"out-{name}")
        named = ("--device", "box", "--model", "net", "--memory", "8 GiB", "-o", out)
        done = placer("calibrate", str(tmp_path / name), *named)
        assert done.returncode == 0, done.stderr
        assert placer("show", f"{out}/models/net.yaml").returncode == 0


def test_nothing_is_written_over_and_nothing_half(measured: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert placer("calibrate", str(measured), "-o", str(out)).returncode == 0
    before = {path: path.read_bytes() for path in out.rglob("*.yaml")}
    (out / "mine.txt").write_text("kept")
    (out / "devices" / "raspberry-pi-4b.yaml").unlink()
    done = placer("calibrate", str(measured), "-o", str(out))
    assert done.returncode == 2
    assert "raspberry-pi-5.yaml" in done.stderr
    assert not (out / "devices" / "raspberry-pi-4b.yaml").exists()
    done = placer("calibrate", str(measured), "-o", str(out), "--force")
    assert done.returncode == 0
    assert {path: path.read_bytes() for path in out.rglob("*.yaml")} == before
    assert (out / "mine.txt").read_text() == "kept"
    assert {path.name for path in out.iterdir()} == {"devices", "mine.txt"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "cvs"), "unknown format 'cvs'; did you mean 'csv'?"),
        (("--idle", "2.7"), "has no unit"),
        (("--memory", "box=", "-o", "out"), "is not [DEVICE=]VALUE"),
        (("--memory", "4 GiB", "--memory", "5 GiB", "-o", "out"), "is there twice for all devices"),
        (("--like", "raspberry-pi-6"), "unknown device type 'raspberry-pi-6'; did you mean 'raspberry-pi-"),
        (("--base", "nothing.yaml"), "cannot be read"),
        (("--device", "pi"), "has a column 'device', so --device would say nothing"),
        (("--idle", "2 W"), "no file has any"),
        (("--like", "raspberry-pi-6=n5105"), "unknown measured device 'raspberry-pi-6'; did you mean 'raspberry-pi-"),
        (("--memory", "box=1 GB", "-o", "out"), "unknown measured device 'box' (allowed: raspberry-pi-4b"),
        (("--memory", "1 GB"), "are for files that -o writes"),
        (("--force",), "are for files that -o writes"),
    ],
)
def test_options_that_say_nothing(measured: Path, options: tuple[str, ...], message: str) -> None:
    done = placer("calibrate", str(measured), *options)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_a_fault_names_file_line_value_and_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEAD + "pi,a,1\npi,a,-3\n")
    done = placer("calibrate", str(path), "-o", str(tmp_path / "out"))
    assert done.returncode == 2
    assert f"{path}:3" in done.stderr
    assert "'-3' is negative; a duration of more than zero is allowed" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_memory_or_a_like_type(tmp_path: Path) -> None:
    path = tmp_path / "box.csv"
    path.write_text(HEAD + "box,a,1\n")
    done = placer("calibrate", str(path), "-o", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "how much memory device 'box' has is not known" in done.stderr
    assert not (tmp_path / "out").exists()
    assert placer("calibrate", str(path), "-o", str(tmp_path / "out"), "--like", "box=jetson-nano").returncode == 0
