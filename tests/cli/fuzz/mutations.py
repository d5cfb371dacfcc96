"""Ways to damage a file or an argument, each a function of a seeded generator."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import yaml

Rng = np.random.Generator

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 255, 256, 1000, 2**31, 2**53 + 1, 2**63, 10**9, 10**17, 10**18, 10**40),
    *(0.0, -0.0, 5e-324, 1e-300, 1e-12, 0.5, 1.0000001, 1e15, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", " ", "~", "null", "nan", "NaN", "inf", "-inf", ".nan", ".inf", "true", "yes", "0x1F", "1_000", "١٢", "1e999"),
    *("a", "b", "c", "e", "cam", "hub", "hub/cpu", "cpu", "site", "input", "default", "result", "*", "net", "board"),
    *("0 s", "1e-300 s", "1e9 s", "-1 s", "1e999 s", "0 B", "1e-300 B", "1 PB", "0 %", "1e-300 %", "100 %", "101 %"),
    *("1e-200 bit/s", "1e15 B/s", "0 MAC", "1e18 MAC", "1e-300 MAC/s", "1e8 m", "-1e8 m", "1e-9 /s", "1e9 /s", "1 /h"),
    *("../outside.yaml", "../outside", "/etc/passwd", "/dev/zero", "/dev/stdin", ".", "..", "parts", "parts/net.yaml"),
    *(
        "instance.yaml",
        "plan.json",
        "C:\\x",
        "\\\\host\\x",
        "file:///etc/passwd",
        "~",
        "$HOME",
        "%s%n",
        "{0.__class__}",
    ),
    *("alexnet", "raspberry-pi-4b", "wifi-n", "smart-parking", "memory", "poisson", "mmpp", "trace", "periodic"),
    *("latency", "energy", "throughput", "loss", "accuracy", "placer/model/1", "placer/instance/1", "placer/plan/1"),
    *(
        "-x",
        "--help",
        "x" * 64,
        "x" * 256,
        "x" * 5000,
        "9" * 5000,
        "ü",
        "\u2028",
        "\ufeff",
        "\U0001f4a9",
        "[b]x[/b]",
    ),
    *("a\nb", "a\tb", "\x1b[2J", "a\0b", "'", '"', "#", "a: b", "- a", "&a", "*a", "!!str", "[", "{", "%", "@", "`"),
)
NESTED: tuple[Any, ...] = (
    [],
    {},
    [[]],
    [[[[]]]],
    {"a": {"b": 1}},
    [None],
    [1, "a"],
    {"": ""},
    ["a"] * 300,
    [1e300] * 3,
)


def hostile(rng: Rng) -> Any:
    """A value that is seldom the right one."""
    if rng.random() < 0.15:
        return copy.deepcopy(NESTED[int(rng.integers(len(NESTED)))])
    return HOSTILE[int(rng.integers(len(HOSTILE)))]


def pick(rng: Rng, items: Any) -> Any:
    """One of some items."""
    return items[int(rng.integers(len(items)))]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain data below the root."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a place."""
    for key in path:
        tree = tree[key]
    return tree


def mutate_tree(rng: Rng, tree: Any) -> Any:
    """Replace, drop, double, rename or exchange one thing; may return something else than a mapping."""
    every = list(paths(tree))
    if not every or rng.random() < 0.02:
        return hostile(rng)
    path = pick(rng, every)
    parent, key = at(tree, path[:-1]), path[-1]
    action = pick(rng, ("replace",) * 5 + ("drop", "double", "rename", "exchange", "wrap", "long"))
    if action == "replace":
        parent[key] = hostile(rng)
    elif action == "drop":
        del parent[key]
    elif action == "double" and isinstance(parent, list):
        parent.insert(int(rng.integers(len(parent) + 1)), copy.deepcopy(parent[key]))
    elif action == "rename" and isinstance(parent, dict):
        new = pick(rng, (f"{key}s", str(key)[:-1], str(key).upper(), f"_{key}", "", "x" * 300, str(hostile(rng))))
        parent[new] = parent.pop(key)
    elif action == "exchange":
        parent[key] = copy.deepcopy(at(tree, pick(rng, every)))
    elif action == "wrap":
        parent[key] = pick(rng, ([parent[key]], {"a": parent[key]}, str(parent[key]), {str(key): parent[key]}))
    elif action == "long" and isinstance(parent[key], list) and parent[key]:
        parent[key] = parent[key] * int(rng.integers(2, 60))
    return tree


_INSERTS = (
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "-",
        "\n",
        "\t",
        '"',
        "'",
        "#",
        "&a ",
        "*a",
        "!!binary ",
        "!!python/name:os.x ",
    ),
    *("---\n", "...\n", "%YAML 9.9\n", "<<: ", "? ", "| ", "> ", "\ufeff", "\0", "\x85", "\x1b", "\u2028", "\\ud800"),
    *("NaN", "Infinity", "-", "1e999", "9" * 400, "[" * 60, "{a: " * 60, "[" * 3000, "- " * 3000, "x" * 20000, "null"),
)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n"
WHOLE = (
    *(b"", b"\n", b"\0", b"null", b"[]", b"{}", b"0", b'""', b"NaN", b"\xff\xfe", b"\xef\xbb\xbf", BOMB.encode()),
    *(b"[" * 50_000, b"{a: " * 50_000, b'{"a":' * 50_000, b"9" * 300_000, b"a: b\n" * 20_000, b"- x\n" * 450_000),
    *(b"\x80\x04\x95", b"PK\x03\x04", b"\x93NUMPY", b"%PDF", b"#!/bin/sh\n", b"<?xml version='1.0'?>"),
)


def mutate_text(rng: Rng, raw: bytes) -> bytes:
    """Damage a text file as text: cut, doubled or lost lines, foreign signs, another encoding."""
    text = raw.decode("utf-8", "replace")
    lines = text.splitlines(keepends=True) or [""]
    line, place = int(rng.integers(len(lines))), int(rng.integers(len(text) + 1))
    action = pick(rng, ("cut", *["insert"] * 3, "double", "lose", "swap", "encode", "whole", "tabs", "byte"))
    if action == "cut":
        return text[:place].encode()
    if action == "insert":
        return (text[:place] + pick(rng, _INSERTS) + text[place:]).encode("utf-8")
    if action == "double":
        return "".join([*lines[: line + 1], *lines[line:]]).encode()
    if action == "lose":
        return "".join([*lines[:line], *lines[line + 1 :]]).encode()
    if action == "swap":
        other = int(rng.integers(len(lines)))
        lines[line], lines[other] = lines[other], lines[line]
        return "".join(lines).encode()
    if action == "encode":
        return text.encode(pick(rng, ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-7")), "replace")
    if action == "whole":
        return bytes(pick(rng, WHOLE))
    if action == "tabs":
        return text.replace("  ", "\t").encode()
    return mutate_bytes(rng, raw)


def mutate_bytes(rng: Rng, raw: bytes) -> bytes:
    """Flip, cut, insert, remove or repeat bytes."""
    data = bytearray(raw)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(data) + 1))
        action = pick(rng, ("flip", "flip", "flip", "set", "cut", "insert", "remove", "repeat"))
        if action == "flip" and place < len(data):
            data[place] ^= 1 << int(rng.integers(8))
        elif action == "set" and place < len(data):
            data[place] = pick(rng, (0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))))
        elif action == "cut" and rng.random() < 0.5:
            del data[place:]
        elif action == "insert":
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif action == "remove":
            del data[place : place + int(rng.integers(1, 40))]
        elif action == "repeat":
            data[place:place] = data[place : place + int(rng.integers(1, 200))]
    return bytes(data)


def _tree(load: Callable[[str], Any], dump: Callable[[Any], str]) -> Callable[[Rng, bytes], bytes]:
    def mutate(rng: Rng, raw: bytes) -> bytes:
        if rng.random() < 0.3:
            return mutate_text(rng, raw)
        tree = load(raw.decode())
        for _ in range(int(rng.integers(1, 4))):
            tree = mutate_tree(rng, tree)
        return dump(tree).encode("utf-8", "surrogatepass")

    return mutate


def _dump_yaml(tree: Any) -> str:
    # without aliases: copies of one list are written out, as a person would
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return str(yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True))


mutate_yaml = _tree(yaml.safe_load, _dump_yaml)
mutate_json = _tree(json.loads, json.dumps)


def mutate_rows(rng: Rng, raw: bytes) -> bytes:
    """Damage a table in text: one of its values, or the text."""
    if rng.random() < 0.4:
        return mutate_text(rng, raw)
    separator = "," if b"," in raw else " "
    rows = [line.split(separator) for line in raw.decode().splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        row = pick(rng, rows)
        row[int(rng.integers(len(row)))] = str(hostile(rng))
        if rng.random() < 0.2:
            row.append(str(hostile(rng)))
    return "\n".join(separator.join(row) for row in rows).encode("utf-8", "replace")


def mutate_npz(rng: Rng, raw: bytes) -> bytes:
    """Damage an archive of arrays: its bytes, the header of one array, its entries, its arrays."""
    if rng.random() < 0.4:
        return mutate_bytes(rng, raw)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = pick(rng, list(entries))
    action = pick(rng, ("array", "array", "bytes", "header", "rename", "double", "drop", "junk", "bomb", "pickle"))
    more: list[tuple[str, bytes]] = []
    if action == "bytes":
        entries[name] = mutate_bytes(rng, entries[name])
    elif action == "header":
        old = pick(rng, (b"'shape': (", b"<f4", b"<f8", b"|u1", b"False", b"'descr'", b"|b1"))
        new = pick(rng, (b"'shape': (99999999999, ", b"|O8", b"<U9", b"<c8", b"True", b"()", b"-1", b"('a',(1,))"))
        entries[name] = entries[name].replace(old, new, 1)
    elif action == "rename":
        entries[pick(rng, ("../x.npy", "/x.npy", "confidence_test.npy", "x", "correct_train.npy"))] = entries.pop(name)
    elif action == "double":
        more = [(name, entries[name])]
    elif action == "drop":
        del entries[name]
    elif action == "junk":
        entries[name] = bytes(pick(rng, WHOLE[:30]))
    elif action == "bomb":
        entries[name] = npy(np.zeros((2_000_000, 3), dtype=np.uint8))
    elif action == "pickle":
        buffer = io.BytesIO()
        np.save(buffer, np.array([[{}, 1]], dtype=object), allow_pickle=True)
        entries[name] = buffer.getvalue()
    else:
        entries[name] = npy(_array(rng, np.load(io.BytesIO(entries[name]))))
    buffer = io.BytesIO()
    kind = pick(rng, (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for key, content in entries.items():
            archive.writestr(key, content)
        if more:
            archive.writestr(f"{name}x", more[0][1])
    return buffer.getvalue()


def npy(array: Any) -> bytes:
    """An array as the content of an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(rng: Rng, array: Any) -> Any:
    value = float(pick(rng, (np.nan, np.inf, -1.0, 2.0, 1e300, 0.5)))
    changed = array.astype(np.float64)
    changed.flat[int(rng.integers(changed.size))] = value
    kinds = ("f2", "f4", "f8", "i1", "u2", "u4", "i8", "c8", "U5", "M8[s]", "S3", "V2", "g", "?")
    with np.errstate(all="ignore"):
        options = (
            changed,
            array[:0],
            array.T,
            array.ravel(),
            array[None],
            np.asfortranarray(array),
            array[:, :1],
            np.tile(array, (3, 1)),
            np.zeros((), dtype=array.dtype),
            np.zeros((0, 0), dtype=array.dtype),
            array.astype(pick(rng, kinds)) if array.dtype.kind != "V" else array,
        )
    return pick(rng, options)


def mutate_onnx(rng: Rng, raw: bytes) -> bytes:
    """Damage a model: its bytes, or one field of the message."""
    if rng.random() < 0.35:
        return mutate_bytes(rng, raw)
    import onnx

    model = onnx.ModelProto.FromString(raw)
    for _ in range(int(rng.integers(1, 4))):
        _change_message(rng, model)
    return bytes(model.SerializeToString())


def _change_message(rng: Rng, message: Any) -> None:
    """Go down some random fields and change, drop, double or exchange the last one."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = pick(rng, fields)
    repeated = hasattr(value, "append") or hasattr(value, "add")
    if field.message_type is not None and rng.random() < 0.8:
        inner = pick(rng, list(value)) if repeated and len(value) else value
        if not hasattr(inner, "append") and not hasattr(inner, "add"):
            _change_message(rng, inner)
            return
    action = pick(rng, ("change", "change", "drop", "double", "swap"))
    if action == "drop":
        message.ClearField(field.name)
    elif repeated and len(value):
        if action == "swap" or field.message_type is not None:
            items = [copy.deepcopy(item) if field.message_type is not None else item for item in value]
            one = int(rng.integers(len(items)))
            if action == "double":
                items.append(copy.deepcopy(items[one]))
            elif action == "swap":
                other = int(rng.integers(len(items)))
                items[one], items[other] = items[other], items[one]
            else:
                del items[one]
            del value[:]
            value.extend(items)
        else:
            value[int(rng.integers(len(value)))] = _scalar(rng, value[0])
    elif field.message_type is None:
        with contextlib.suppress(ValueError):  # an enumeration takes no other numbers
            setattr(message, field.name, _scalar(rng, value))


def _scalar(rng: Rng, value: Any) -> Any:
    if isinstance(value, bytes):
        return pick(rng, (b"", b"\xff\xfe", b"ij,jk->ik", b"a" * 1000, mutate_bytes(rng, value)))
    if isinstance(value, str):
        names = (
            "",
            "x",
            "y",
            "w",
            "ä",
            "../../etc/passwd",
            "/etc/passwd",
            "Conv",
            "Loop",
            "Softmax",
            "z" * 2000,
            "a b",
        )
        return pick(rng, (*names, "Reshape", "Add", "Concat", "Gather", "Range", "Expand", value + "x"))
    if isinstance(value, float):
        return pick(rng, (0.0, -1.0, float("nan"), float("inf"), 1e30))
    if isinstance(value, bool):
        return not value
    return int(pick(rng, (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 14, 17, 31, -1, 100, 10**6, 2**31 - 1, -(2**31))))


MUTATIONS: dict[str, Callable[[Rng, bytes], bytes]] = {
    ".yaml": mutate_yaml,
    ".json": mutate_json,
    ".csv": mutate_rows,
    ".txt": mutate_rows,
    ".npz": mutate_npz,
    ".onnx": mutate_onnx,
    ".tflite": mutate_bytes,
}
