"""References: files beside the instance win over shipped names and never lead out of the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from placer.errors import InputError
from placer.instance.library import Library, find, locate, shipped_names
from placer.instance.resolving import read_instance
from tests.instance.build import small_tree, write_tree


@pytest.mark.parametrize(
    "reference",
    ["/etc/passwd", "..", "../x.yaml", "a/../../x.yaml", "C:x.yaml", "C:\\x.yaml", "\\\\host\\x", "a\\b", "/"],
)
@pytest.mark.parametrize("kind", ["model", "device type", "radio", "link", "runtime"])
def test_nothing_outside(tmp_path: Path, reference: str, kind: str) -> None:
    with pytest.raises(InputError, match="leaves the folder"):
        find(reference, kind, tmp_path)  # type: ignore[arg-type]


def test_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("x")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "out.yaml").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / "real.yaml").write_text("x")
    (folder / "in.yaml").symlink_to(folder / "real.yaml")
    for reference in ("out.yaml", "up/outside.yaml"):
        with pytest.raises(InputError, match="link that leaves the folder"):
            find(reference, "model", folder)
    assert find("in.yaml", "model", folder) == folder / "in.yaml"


@pytest.mark.parametrize("reference", ["x" * 199, "\0", "a\0b", ".", "alexnet/", "alexnet.yaml"])
def test_odd_names_are_unknown(tmp_path: Path, reference: str) -> None:
    with pytest.raises(InputError, match=r"unknown model|cannot be a file name"):
        find(reference, "model", tmp_path)
    with pytest.raises(InputError):
        locate(reference, "instance")


def test_a_file_wins_over_a_shipped_name(tmp_path: Path) -> None:
    tree = small_tree()
    tree["instance.yaml"]["services"][0]["model"] = "alexnet"
    tree["alexnet"] = tree.pop("parts/net.yaml")
    instance = read_instance(write_tree(tmp_path, tree))
    assert instance.models["alexnet"].name == "net"


def test_files_are_read_again(tmp_path: Path) -> None:
    """What lies beside an instance may change between two readings; only shipped files are kept."""
    tree = small_tree()
    first = read_instance(write_tree(tmp_path, tree))
    tree["parts/net.yaml"]["input"] = "200 kB"
    second = read_instance(write_tree(tmp_path, tree))
    assert first.meaning_hash != second.meaning_hash
    assert Library().model("alexnet") is Library().model("alexnet")


def test_locate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("smart-parking", "instance").name == "smart-parking.yaml"
    with pytest.raises(InputError, match="did you mean 'smart-parking'"):
        locate("smart-parkin", "instance")
    with pytest.raises(InputError, match="no such file"):
        locate("smart-parkin.yaml", "instance")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        locate("folder", "instance")
    (tmp_path / "smart-parking").write_text("x")
    assert locate("smart-parking", "instance") == Path("smart-parking")


def test_problems_in_a_referenced_file_name_that_file(tmp_path: Path) -> None:
    tree = small_tree()
    del tree["parts/net.yaml"]["input"]
    del tree["parts/board.yaml"]["memory"]
    with pytest.raises(InputError) as caught:
        read_instance(write_tree(tmp_path, tree))
    files = {Path(problem.file or "").name: problem.path for problem in caught.value.problems}
    assert files == {"net.yaml": "$.input", "board.yaml": "$.memory"}


def test_every_shipped_thing_reads() -> None:
    library = Library(None)
    for name in shipped_names("model"):
        assert library.model(name).name == name
    for name in shipped_names("device type"):
        assert library.device_type(name).name == name
    for name in shipped_names("radio"):
        assert library.radio(name).name == name


@pytest.mark.parametrize(
    ("stem", "name"), [("My Instance (2)", "my-instance-2"), ("Ünï", "n"), ("日本", "instance"), ("a" * 200, "a" * 63)]
)
def test_the_name_of_a_file_becomes_a_label(tmp_path: Path, stem: str, name: str) -> None:
    path = write_tree(tmp_path, small_tree())
    assert read_instance(path.rename(tmp_path / f"{stem}.yaml")).name == name


def test_links_by_their_technology(tmp_path: Path) -> None:
    """A kind of link from the library, its own figures first; what it assumes is assumed here."""
    tree = {
        "instance.yaml": """
format: placer/instance/1
devices: [{name: a, type: raspberry-pi-4b}, {name: b, type: raspberry-pi-5}, {name: c, type: raspberry-pi-5}]
network:
  links:
    - {between: [a, b], technology: ethernet-1g}
    - {between: [a, c], technology: slow.yaml, latency: 3 ms}
services: [{name: s, model: cnn-5, source: a}]
""",
        "slow.yaml": (
            "{format: placer/link/1, name: slow, source: own, goodput: 50 %, rate: {up: 1 MB/s, down: 2 MB/s}}"
        ),
    }
    instance = read_instance(write_tree(tmp_path, tree))
    quick, slow = instance.links
    assert quick.goodputs == pytest.approx((0.941 * 1.25e8,) * 2)
    assert (quick.latency, quick.assumed) == (pytest.approx(1e-4), ("latency",))
    assert (slow.goodputs, slow.latency) == ((5e5, 1e6), 3e-3)
    for wrong, told in (("technology: ethernet-1", "ethernet-1g"), ("goodput: 50 %", "a technology, or a rate")):
        tree["instance.yaml"] = tree["instance.yaml"].replace("technology: ethernet-1g", wrong)
        with pytest.raises(InputError, match=told):
            read_instance(write_tree(tmp_path, tree))
        tree["instance.yaml"] = tree["instance.yaml"].replace(wrong, "technology: ethernet-1g")


def test_a_mistake_is_told_once_and_as_what_it_is(tmp_path: Path) -> None:
    """A radio as a link, a model as an instance, and one wrong name that stands for many services."""
    text = """
format: placer/instance/1
devices: [{name: cam, type: esp32-s3, replicas: 9}, {name: hub, type: raspberry-pi-5}]
network: {links: [{between: [cam-*, hub], technology: TECHNOLOGY}]}
services: [{name: s, model: cnn-5, sources: cam-*, sink: SINK}]
"""
    for technology, sink, told in (
        ("wifi-5", "hub", "'wifi-5' is a shipped radio"),
        ("ethernet-1g", "hubb", "did you mean 'hub'?"),
    ):
        made = text.replace("TECHNOLOGY", technology).replace("SINK", sink)
        with pytest.raises(InputError, match=re.escape(told)) as caught:
            read_instance(write_tree(tmp_path, {"instance.yaml": made}))
        assert len(caught.value.problems) == 1
    with pytest.raises(InputError, match="is a placer/model/1, where a placer/instance/1 is wanted") as caught:
        read_instance(write_tree(tmp_path, {"instance.yaml": small_tree()["parts/net.yaml"]}))
    assert len(caught.value.problems) == 1
