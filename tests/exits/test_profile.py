"""Profiles and their tables: what is shipped, and what is refused."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError
from placer.exits.profile import read_profile, shipped_names
from placer.exits.samples import read_table
from placer.instance.exit_profile import ExitProfile
from placer.instance.library import shipped_root
from placer.instance.reading import read_document, validate

FOLDER = shipped_root() / "models" / "exits"
NAMES = shipped_names("exit profile")
GOOD = """format: placer/exits/1
name: two
source: a test
exits:
  - {name: a, time: 1 ms, accuracy: 0.5}
  - {name: b, time: 2 ms, accuracy: 0.9}
"""


def test_what_is_shipped() -> None:
    profiles = {name: read_profile(name) for name in NAMES}
    large = [p for p in profiles.values() if 8 <= len(p) <= 24 and not p.synthetic]
    assert len(large) >= 6
    assert sum(p.table is not None for p in large) >= 6
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3e6
    for name, profile in profiles.items():
        assert profile.name == name
        assert profile.source
        assert (profile.accuracy > 0).all()
        assert (profile.accuracy <= 1).all()
        assert profile.synthetic == name.startswith("synthetic")
        if profile.synthetic:
            assert "synthetic" in profile.assumed[0]


def test_measured_times_and_assumed_accuracies() -> None:
    profile = read_profile("resnet-50-cifar10")
    assert profile.mean.tolist() == [0.0028, 0.0595, 0.1157, 0.1555, 0.2583, 0.3026, 0.3434, 0.6504, 0.8049]
    assert profile.scv[[0, -1]].tolist() == [1.75, 0.0028]
    assert profile.assumed == ("accuracy of every exit",)


@pytest.mark.parametrize("name", ["b-lenet", "b-alexnet", "b-resnet"])
def test_assumed_splits_agree_with_what_is_published(name: str) -> None:
    file = validate(ExitProfile, read_document(FOLDER / f"{name}.yaml"))
    published = file.published
    assert published.mean_time is not None
    mean = sum(share * exit_.time for share, exit_ in zip(published.shares, file.exits, strict=True))
    assert mean == pytest.approx(published.mean_time, rel=1e-3)
    assert file.exits[-1].time == published.plain_time
    assert all({"time", "accuracy"} <= set(exit_.assumed) for exit_ in file.exits)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("mnist", "digits"))])
def test_trained_tables(name: str) -> None:
    profile = read_profile(name)
    assert profile.table is not None
    sizes = {split: len(rows) for split, rows in profile.table.items()}
    assert sizes == ({"train": 3000, "calibration": 1000, "test": 1000} if name.startswith("mnist") else sizes)
    np.testing.assert_allclose(profile.accuracy, profile.table["calibration"].accuracy)
    test = profile.table["test"]
    assert test.accuracy[-1] > 0.88
    assert test.accuracy[0] < test.accuracy[-1] - 0.05
    assert (test.confidence >= 0.1 - 1e-4).all()  # the largest of ten softmax values
    assert (profile.backbone[1:] > profile.backbone[:-1]).all()
    assert (np.diff(profile.macs - profile.classifier_macs) > 0).all()
    slow = profile.at_speed(1e6)
    assert slow.mean[-1] == pytest.approx(profile.macs[-1] / 1e6)
    assert slow.assumed


def write(folder: Path, text: str) -> str:
    path = folder / "two.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("time: 1 ms", "time: 1", r"two\.yaml:5 \$\.exits\[0\]\.time: 1 has no unit"),
        ("accuracy: 0.9", "acuracy: 0.9", r"two\.yaml:6 .*did you mean 'accuracy'"),
        ("name: b", "name: a", "two exits have the same name"),
        ("accuracy: 0.9", "accuracy: 1.9", r"\$\.exits\[1\]\.accuracy"),
        ("time: 2 ms, accuracy: 0.9", "time: 2 ms", "needs an accuracy"),
        ("time: 1 ms", "time: 1 ms, classifier: 2 ms", "takes longer than the whole exit"),
        ("source: a test\n", "source: a test\ntable: none.npz\n", "come from the table"),
        ("source: a test\n", "source: a test\npublished: {shares: [1]}\n", "1 entries for 2 exits"),
        ("time: 2 ms", "time: 2 ms, assumed: [tme]", "did you mean 'time'"),
        ("source: a test\n", "source: a test\ntable: ../../etc/x.npz\n", r"two\.yaml:4 \$\.table"),
    ],
)
def test_bad_profiles(tmp_path: Path, before: str, after: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_profile(write(tmp_path, GOOD.replace(before, after)))


def test_a_good_profile_and_an_unknown_name(tmp_path: Path) -> None:
    assert read_profile(write(tmp_path, GOOD)).mean.tolist() == [0.001, 0.002]
    with pytest.raises(InputError, match="did you mean 'mnist-cnn-8'"):
        read_profile("mnist-cnn-9")


TABLED = GOOD.replace(", accuracy: 0.5", "").replace(", accuracy: 0.9", "").replace("exits:", "table: two.{}\nexits:")


def arrays(**change: object) -> dict[str, object]:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.1, 1, (4, 2)).astype(np.float16)
    result: dict[str, object] = {}
    for split in ("calibration", "test"):
        result |= {f"confidence_{split}": confidence, f"correct_{split}": confidence > 0.5}
    return result | change


def test_npz_and_csv_say_the_same(tmp_path: Path) -> None:
    values = arrays()
    np.savez(tmp_path / "two.npz", **values)  # type: ignore[arg-type]
    lines = ["split,confidence_1,confidence_2,correct_1,correct_2"]
    for split in ("calibration", "test"):
        rows = zip(values[f"confidence_{split}"], values[f"correct_{split}"], strict=True)  # type: ignore[call-overload]
        lines += [f"{split},{','.join(str(float(x)) for x in c)},{int(r[0])},{int(r[1])}" for c, r in rows]
    (tmp_path / "two.csv").write_text("\n".join(lines))
    one, two = (read_profile(write(tmp_path, TABLED.replace("{}", kind))) for kind in ("npz", "csv"))
    assert one.table is not None
    assert two.table is not None
    for split in ("calibration", "test"):
        np.testing.assert_array_equal(one.table[split].confidence, two.table[split].confidence)
        np.testing.assert_array_equal(one.table[split].correct, two.table[split].correct)
    (tmp_path / "two.csv").unlink()
    with pytest.raises(InputError, match=r"two\.yaml:4 \$\.table: no such file"):
        read_profile(str(tmp_path / "two.yaml"))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('ran', 'w')",))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"confidence_test": np.array([Evil()], dtype=object)}, "without pickle"),
        ({"confidence_test": np.full((4, 3), 0.5)}, r"should both be \(samples, 2\)"),
        ({"confidence_test": np.full((4, 2), 1.5)}, r"leaves \[0, 1\]"),
        ({"confidence_test": np.full((4, 2), np.nan)}, r"leaves \[0, 1\]"),
        ({"confidence_test": np.full((4, 2), 1, dtype=np.int32)}, "has the type int32"),
        ({"correct_test": np.full((4, 2), 2)}, "something else than 0 and 1"),
        ({"confidence_test": np.zeros((0, 2)), "correct_test": np.zeros((0, 2), dtype=bool)}, "no samples"),
        ({"extra": np.zeros(1)}, "unknown array 'extra'"),
        ({"confidence_train": np.zeros((4, 2))}, "needs confidence_train and correct_train"),
    ],
)
def test_bad_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], told: str) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "two.npz", **arrays(**change))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=told):
        read_table(tmp_path / "two.npz", 2, "two.npz")
    assert not (tmp_path / "ran").exists()


def entry(shape: str, descr: str = "|u1", data: bytes = b"\0") -> bytes:
    """An .npy file whose header says what it likes."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (entry("(99999999999, 2)"), "has the shape"),
        (entry("(100000000, 2)"), "unpacks to more than 256 MiB"),
        (entry("(4, 2)"), "holds 1 bytes or more for 8 values"),
        (entry("(4, 2)", data=bytes(9)), "holds 9 bytes or more for 8 values"),
        (entry("(4, 2)", data=bytes(10**7)), "holds 9 bytes or more for 8 values"),
        (entry("(-4, 2)"), "has the shape"),
        (entry("(2, 2, 2)", data=bytes(8)), "has the shape"),
        (entry("(4, 2)", "|O"), "holds values of the type object"),
        (entry("(4, 2)", "<U2", bytes(64)), "holds values of the type <U2"),
        (entry("(4, 2)", "<c8", bytes(64)), "holds values of the type complex64"),
        (entry("(4, 2", data=bytes(8)), "cannot be read as .npz"),
        (b"\x93NUMPY\x07\x00", "version"),
        (b"not an array", "cannot be read as .npz"),
        (b"", "cannot be read as .npz"),
    ],
)
def test_arrays_that_lie(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, **{name: array for name, array in arrays().items() if name != "correct_test"})  # type: ignore[arg-type]
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("correct_test.npy", content)
    with pytest.raises(InputError, match=told) as caught:
        read_table(path, 2, "two.npz")
    assert "\n" not in str(caught.value)


def test_every_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    np.savez_compressed(path, **arrays())  # type: ignore[arg-type]
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            table = read_table(path, 2, "two.npz")
            assert all(((rows.confidence >= 0) & (rows.confidence <= 1)).all() for rows in table.values())
        except InputError as error:
            refused += 1
            assert error.problems[0].file == "two.npz"
    assert refused > len(whole) / 2


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    buffer = io.BytesIO()
    pickle.dump([1], buffer)
    for content in (b"", b"PK\x03\x04broken", buffer.getvalue()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"two\.npz"):
            read_table(path, 2, "two.npz")
    for text in ("", "split,a\n", "split,confidence_1,confidence_2,correct_1,correct_2\ntest,0.1,x,1,0\n"):
        (tmp_path / "two.csv").write_text(text)
        with pytest.raises(InputError, match=r"two\.csv:[12]"):
            read_table(tmp_path / "two.csv", 2, "two.csv")
