"""What is run: commands and readers with the file of theirs that gets damaged, and commands with hostile options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from placer.cli import COMMANDS, cli
from tests.cli.fuzz.mutations import HOSTILE, MUTATIONS, Rng, hostile, pick

BY = ("--by", "analytic")
"""A verdict simulates for seconds where arrivals are modulated: the few cases that ask for one are enough."""

SHORT = ("--jobs", "100", "--replications", "2")
LOAD = ("--arrivals", "20 /s", "--buffer", "3", *SHORT)
CUT = ("--server", "edge-2500", "--uplink", "5 Mbit/s")
NAMED = ("--device", "box/gpu", "--model", "net")
WRITTEN = ("--memory", "4 GiB", "-o", "new")
SIMULATE = ("simulate", "--executor", "serial", *SHORT)
PARTS = ("instance.yaml", "parts/net.yaml", "parts/board.yaml")


@dataclass(frozen=True)
class Target:
    """A command line or reader, and the files that are damaged for it.

    Attributes:
        files: one of them is damaged.
        command: arguments; a first one with ``@`` names a reader of ``guard.READERS``.
        weight: how often it is taken, relative to the others.
    """

    files: tuple[str, ...]
    command: tuple[str, ...]
    weight: float = 1.0


TARGETS: tuple[Target, ...] = (
    Target(PARTS, ("show", "instance.yaml"), 4),
    Target(PARTS, ("show", "instance.yaml", "--json"), 2),
    Target(PARTS, ("show", "instance.yaml", "--picture", "x.svg"), 0.2),
    Target(PARTS, ("plan", "instance.yaml", "--method", "round-robin", "-o", "new.json", *BY), 1),
    Target(PARTS, ("plan", "instance.yaml", "--method", "neurosurgeon", "--json", *BY), 0.5),
    Target(PARTS, ("plan", "instance.yaml", "--method", "warm-start", "--time-limit", "1", *BY), 0.2),
    Target(PARTS, ("plan", "instance.yaml", "--objective", "latency", "--time-limit", "1"), 0.15),
    Target(PARTS, ("explain", "instance.yaml", "--time-limit", "1"), 0.1),
    Target(("loss.yaml", "traced.yaml"), ("show", "{}", "--json"), 1),
    Target(("loss.yaml",), ("plan", "loss.yaml", "--rounds", "1", "--no-confirm", "--time-limit", "1"), 0.1),
    Target(("scenarios.yaml",), ("plan", "loss.yaml", "--scenarios", "scenarios.yaml", "--method", "enumeration",
                                 "--time-limit", "1"), 2),
    Target(("plan.json",), ("plan", "instance.yaml", "--keep", "plan.json", "--method", "warm-start", *BY), 0.5),
    Target(("loss.yaml",), ("sweep", "loss.yaml", "--vary", "services.s.max_loss=40,50 %", "--method",
                                "round-robin", "--executor", "serial", "-o", "new.csv"), 0.5),
    Target(("plan.json",), ("check", "plan.json", *BY), 4),
    Target(("plan.json", *PARTS), ("check", "plan.json", "--stale-ok", "--format", "junit", *BY), 1),
    Target(("plan.json", *PARTS), ("check", "plan.json", "--stale-ok", "--format", "github", *BY), 1),
    Target(("plan.json", *PARTS), ("evaluate", "plan.json", "--json", *BY), 2),
    Target(("plan.json", *PARTS), ("evaluate", "plan.json", *BY), 1),
    Target(("plan.json",), ("show", "plan.json"), 1),
    Target(("plan.json",), ("show", "plan.json", "--picture", "x.svg"), 0.2),
    Target(("plan.json", "instance.yaml"), ("export", "plan.json", "-o", "new", "--stale-ok", *BY), 2),
    Target(("exported/placer-export.json", "exported/plan.json"),
           ("export", "plan.json", "-o", "exported", "--force", *BY), 0.7),
    Target(("loss.json", "loss.yaml", "parts/net.yaml"), (*SIMULATE, "loss.json"), 1.5),
    Target(("plan.json", *PARTS), (*SIMULATE, "plan.json", "--json"), 1),
    Target(("loss.json",), ("check", "loss.json", "--simulate", *SHORT), 0.7),
    Target(("parts/net.yaml",), ("show", "parts/net.yaml"), 2),
    Target(("parts/net.yaml",), ("show", "parts/net.yaml", "--picture", "x.svg"), 0.2),
    Target(("parts/board.yaml",), ("show", "parts/board.yaml"), 2),
    Target(("radio.yaml",), ("show", "radio.yaml"), 1),
    Target(("profile.yaml", "figures.yaml"), ("show", "{}"), 2),
    Target(("figures.yaml", "profile.yaml", "table.npz"), ("exits", "{profile}", *LOAD), 3),
    Target(("table.npz",), ("exits", "profile.yaml", *LOAD, "--method", "thresholds", "--json"), 3),
    Target(("table.csv", "sheet.yaml"), ("exits", "sheet.yaml", *LOAD, "--method", "thresholds"), 2),
    Target(("table.npz",), ("exits", "profile.yaml", *LOAD, "--method", "adaee", "--json"), 1),
    Target(("policy.json",), ("@policy", "policy.json"), 3),
    Target(("table.json",), ("@split-table", "table.json"), 3),
    Target(("parts/net.yaml",), ("split", "parts/net.yaml", *CUT, "--table", "new.json"), 1),
    Target(("parts/net.yaml",), ("split", "parts/net.yaml", *CUT, "--method", "dads", "--json"), 1),
    Target(("parts/board.yaml",), ("split", "alexnet", "--server", "parts/board.yaml", "--radio", "radio.yaml"), 1),
    Target(("radio.yaml",), ("split", "alexnet", "--server", "edge-2500", "--radio", "radio.yaml"), 1),
    Target(("trace.csv",), ("split", "parts/net.yaml", *CUT, "--trace", "trace.csv"), 2),
    Target(("compression.yaml",), ("split", "parts/net.yaml", *CUT, "--compress", "compression.yaml", "--json"), 2),
    Target(("users.yaml", "parts/net.yaml"), ("split", "--server", "edge-2500", "--users", "users.yaml"), 2.5),
    Target(("net.onnx",), ("@profile-and-show", "net.onnx"), 5),
    Target(("net.onnx",), ("profile", "net.onnx", "--no-fuse", "--json", "--batch", "3"), 2),
    Target(("flow.onnx",), ("@profile-and-show", "flow.onnx"), 3),
    Target(("net.tflite",), ("@profile-and-show", "net.tflite"), 3),
    Target(("measured.csv",), ("calibrate", "measured.csv", *WRITTEN), 3),
    Target(("perf.csv",), ("calibrate", "perf.csv", *NAMED, "--json"), 1.5),
    Target(("bench.json",), ("calibrate", "bench.json", *NAMED, *WRITTEN), 2),
    Target(("stats.json",), ("calibrate", "stats.json", *NAMED, *WRITTEN), 1),
    Target(PARTS[1:], ("calibrate", "measured.csv", "--base", "{}", "--like", "n5105", "--idle", "0.1 W"), 1),
    Target(("graphs/throughput/g.json",), ("@graph", "graphs/throughput/g.json"), 4),
    Target(("graphs/throughput/g.json",), ("@min-cuts", "graphs"), 2),
    Target(("graphs/throughput/g.json", "graphs/reference.json"),
           ("bench", "device-placement", "--data", "graphs", "--method", "contiguous", "--time-limit", "0.3"), 0.5),
    Target(("graphs/latency/g.json",),
           ("bench", "device-placement", "--data", "graphs", "--method", "latency", "--time-limit", "0.3"), 0.3),
    Target(("graphs/reference.json",), ("bench", "device-placement", "--data", "graphs", "--reference",
                                        "graphs/reference.json", "--method", "contiguous", "--time-limit", "0.3"), 1),
    Target(tuple(f"chainnet/{name}.txt" for name in ("numClasses", "numNodes", "capacity", "path", "arrival",
                                                      "service", "tputRatio", "responseTime")),
           ("bench", "chainnet", "--data", "chainnet", "--method", "analytic"), 4),
)  # fmt: skip

BASES: dict[str, tuple[tuple[str, ...], ...]] = {
    "init": (("new.yaml",), ("device", "new.yaml")),
    "list": (("radios",),),
    "plan": (
        ("instance.yaml", "--method", "round-robin", *BY),
        ("loss.yaml", "--method", "random", "--seed", "1"),
        ("loss.yaml", "--method", "annealing", "--time-limit", "1"),
    ),
    "split": (("parts/net.yaml", *CUT), ("--server", "edge-2500", "--users", "users.yaml")),
    "check": (("plan.json", *BY), ("plan.json", "loss.json", *SHORT)),
    "evaluate": (("plan.json", *BY),),
    "simulate": (("loss.json", *SIMULATE[1:]),),
    "sweep": (("loss.yaml", "--vary", "services.s.deadline=1,2 s", "--method", "round-robin", "--executor",
               "serial", *SHORT),),
    "explain": (("instance.yaml", "--time-limit", "1"),),
    "export": (("plan.json", "-o", "new", *BY),),
    "exits": (("figures.yaml", *LOAD), ("profile.yaml", *LOAD, "--method", "thresholds")),
    "show": (("instance.yaml",), ("plan.json",), ("parts/net.yaml",), ("profile.yaml",)),
    "profile": (("net.onnx",), ("net.tflite",)),
    "calibrate": (("measured.csv", *WRITTEN), ("bench.json", *NAMED)),
    "bench": (("chainnet", "--data", "chainnet", "--method", "analytic"),),
    "schema": (("plan",),),
}  # fmt: skip

LONG = {"jobs", "replications", "evaluations", "time_limit", "threads", "rounds", "window", "buffer"}
"""Options whose large values ask for much work, and get it."""

WORDS = (
    *("1", "2", "10 ms", "5 Mbit/s", "1 %", "3 /s", "raspberry-pi-4b", "n5105/cpu", "wifi-n", "bottlenet", "random"),
    *("walk-synthetic", "nine-boards", "serial", "threads:2", "threads:0", "threads:99999999999999999999"),
    *("processes:-1", "x=1,3,8,8", "x=1,3,8,0", "x=99999999999,3", "=", "a=b", "services.plates.arrivals=1:9:3"),
    *("services.*.deadline=1:1e300:10000:log", "devices.hub.memory=1", "arrivals=1 /s..6 /s:20", "max-loss=1%,2%"),
    *("arrivals=1e-300 /s..1e9 /s:99999999", "arrivals=nan..inf", "max-loss=0", "kubernetes", "mermaid", "plan"),
    *("x.svg", "x.png", "x.pdf", "x.csv", "x.json", "x.lp", "x.mps", "/nowhere/x.json", "parts", "parts/new.json"),
    *("/dev/null", "/dev/full", "/proc/self/mem", "a" * 254 + ".svg", "plan.json", "scenarios.yaml", "instance.yaml"),
    *("registry.example/x:1", "x:y:z@w", "UPPER/case", "-", "--", "-1", "1e5", "99999999999999999999", "0", "1.5"),
)


def damaged(rng: Rng, seeds: dict[str, bytes]) -> tuple[tuple[str, ...], str, bytes]:
    """Return a command line, a file and what to write there."""
    weights = [target.weight for target in TARGETS]
    index = int(rng.choice(len(TARGETS), p=[weight / sum(weights) for weight in weights]))
    target = TARGETS[index]
    file = pick(rng, target.files)
    content = MUTATIONS[Path(file).suffix](rng, seeds[file])
    profile = file if file.endswith(".yaml") else "profile.yaml"
    return tuple(word.replace("{}", file).replace("{profile}", profile) for word in target.command), file, content


def with_options(rng: Rng) -> tuple[str, ...]:
    """Return a command line that is valid but for some options or arguments."""
    name = pick(rng, [name for name in COMMANDS for _ in range(3 if name in ("plan", "split", "exits") else 1)])
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    arguments = list(pick(rng, BASES[name]))
    for _ in range(int(rng.integers(1, 4))):
        parameter = pick(rng, command.params)
        if isinstance(parameter, click.Argument):
            arguments = _replaced(rng, arguments)
        elif getattr(parameter, "is_flag", False):
            arguments.append(pick(rng, [*parameter.opts, *parameter.secondary_opts]))
        else:
            arguments += [max(parameter.opts, key=len), _value(rng, parameter)]
    if rng.random() < 0.1:
        arguments = _replaced(rng, arguments)
    return (name, *arguments)


def _replaced(rng: Rng, arguments: Sequence[str]) -> list[str]:
    """Replace, drop or add a word anywhere."""
    words, place = list(arguments), int(rng.integers(len(arguments) + 1))
    action = pick(rng, ("replace", "replace", "drop", "add"))
    long = {"--jobs", "--replications", "--executor", "--time-limit"}
    protected = set(range(len(words))) - {i for i, word in enumerate(words[:-1]) if word in long}
    if action != "add" and place < len(words) and place in protected and words[place - 1] not in long:
        words[place : place + 1] = [] if action == "drop" else [_text(rng)]
    else:
        words[place:place] = [_text(rng)]
    return words


def _value(rng: Rng, parameter: click.Parameter) -> str:
    kind: Any = parameter.type
    if isinstance(kind, click.Choice) and rng.random() < 0.8:
        return str(pick(rng, list(kind.choices)))
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        ends = [str(end) for end in (getattr(kind, "min", None), getattr(kind, "max", None)) if end is not None]
        if parameter.name in LONG:
            return pick(rng, [*ends[:1], "nan", "inf", "-1", "0", "", "x", "1e400", "9" * 50])
        return pick(rng, [*ends, *ends, "nan", "inf", "-inf", "-1", "0", "", "x", "1e400", "9" * 50, "1", "0.5"])
    if parameter.name == "executor":
        return pick(
            rng, ("serial", "serial", "threads:2", "threads:0", "threads:" + "9" * 20, "x", "dask:", "", "dask")
        )
    return _text(rng)


def _text(rng: Rng) -> str:
    if rng.random() < 0.6:
        return str(pick(rng, WORDS))
    value = hostile(rng) if rng.random() < 0.9 else pick(rng, HOSTILE)
    return str(value)
