"""Users files: what they may name, how many users, and that users who are alike cost no memory of their own."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError
from placer.splitting.sharing import alternating, equal, exact
from placer.splitting.users import crowd, read_users
from tests.instance.build import CASES

HEAD = "format: placer/users/1\nsource: made up\nusers:\n"
ANN = "  - {name: ann, model: vgg-16-measured, device: raspberry-pi-4b, uplink: 20 Mbit/s, count: COUNT}\n"
BOB = "  - {name: bob, model: mobilenet-v1-measured, device: raspberry-pi-4b, uplink: 2 Mbit/s, count: COUNT}\n"


def write(folder: Path, text: str) -> str:
    path = folder / "users.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("model", "../net.yaml"),
        ("model", "/etc/passwd"),
        ("model", "parts/../../net.yaml"),
        ("model", "C:/net.yaml"),
        ("model", "link.yaml"),
        ("device", "../board.yaml"),
        ("device", "/etc/passwd"),
        ("device", "../board.yaml/cpu"),
        ("device", "/dev/zero/cpu"),
    ],
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, key: str, reference: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "net.yaml").write_text((CASES / "positive/parts/net.yaml").read_text())
    (tmp_path / "board.yaml").write_text((CASES / "positive/parts/board.yaml").read_text())
    (folder / "link.yaml").symlink_to(tmp_path / "net.yaml")
    user = {"model": "alexnet", "device": "raspberry-pi-4b", key: reference}
    text = f"  - {{name: ann, model: '{user['model']}', device: '{user['device']}', uplink: 20 Mbit/s}}\n"
    with pytest.raises(InputError) as caught:
        read_users(write(folder, HEAD + text))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == (f"$.users[0].{key}", 4)
    assert "leaves the folder" in problem.message or "unknown device type" in problem.message


def test_what_lies_beside_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the file, wherever the command runs."""
    for name in ("net", "board"):
        (tmp_path / f"{name}.yaml").write_text((CASES / f"positive/parts/{name}.yaml").read_text())
    user = "  - {name: ann, model: net.yaml, device: board.yaml/cpu, uplink: 20 Mbit/s}\n"
    path = write(tmp_path, HEAD + user)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    many = crowd(read_users(path), "edge-2500", 4)
    assert many.names == ("ann",)
    assert many.table.shape == (1, 5)


def test_too_many_users(tmp_path: Path) -> None:
    text = HEAD + ANN.replace("COUNT", "9000") + BOB.replace("COUNT", "1001")
    with pytest.raises(InputError, match=r":4 \$\.users: 10001 users in all; at most 10000"):
        read_users(write(tmp_path, text))
    with pytest.raises(InputError, match=r":4 \$\.users\[0\]\.count: .*10000"):
        read_users(write(tmp_path, HEAD + ANN.replace("COUNT", "10001")))
    with pytest.raises(InputError, match=r":5 \$\.users\[1\]\.name: two users are called 'ann'"):
        read_users(write(tmp_path, HEAD + 2 * ANN.replace("COUNT", "1")))
    with pytest.raises(InputError, match="too many to look at"):
        crowd(read_users(write(tmp_path, HEAD + (ANN + BOB).replace("COUNT", "1") + "cores: 1000000\n")), "edge-2500")


def test_ten_thousand_users_who_are_alike(tmp_path: Path) -> None:
    """Memory grows with users plus shares: a table of 10,000 by 100,001 would take 8 GB."""
    text = HEAD + ANN.replace("COUNT", "6000") + BOB.replace("COUNT", "4000") + "cores: 4\n"
    tracemalloc.start()
    many = crowd(read_users(write(tmp_path, text)), "edge-2500")
    best = exact(many.table, many.kinds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert many.table.shape == (2, 100_001)
    assert len(best.units) == len(many.names) == 10_000
    assert best.units.sum() <= 100_000
    assert peak < 100e6
    assert best.worst <= equal(many.table, many.kinds).worst


@pytest.mark.parametrize("seed", range(20))
def test_kinds_are_what_rows_for_each_user_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(1, 30, (3, 13)).astype(float), axis=1)[:, ::-1].copy()
    kinds = rng.integers(0, 3, 5)
    for method in (exact, equal):
        short, long = method(rows, kinds), method(rows[kinds])
        np.testing.assert_array_equal(short.units, long.units)
        np.testing.assert_array_equal(short.latency, long.latency)
    np.testing.assert_array_equal(alternating(rows, kinds=kinds).units, alternating(rows[kinds]).units)
