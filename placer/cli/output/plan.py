"""Plans and evaluations as text for people."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from placer.cli.output.scenarios import print_scenarios
from placer.cli.output.table import table
from placer.evaluation.checks import Status
from placer.evaluation.evaluation import Evaluation
from placer.evaluation.objectives import OBJECTIVES
from placer.instance.units import show_bytes, show_estimate, show_fraction, show_joules, show_seconds
from placer.planning.methods import DETERMINISTIC

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from placer.plan.plan import ObjectiveResult, Plan
    from placer.planning.answer import Answer

_SHOW: dict[str, Callable[[float], str]] = {
    "s": show_seconds,
    "J": show_joules,
    "s/s": lambda value: f"{value:.4g}",
    "requests/s": lambda value: f"{value:.4g} requests/s",
    "1": show_fraction,
}

_WORDS: tuple[tuple[str, Status], ...] = (("VIOLATED", "violated"), ("UNDECIDED", "undecided"), ("skipped ", "skipped"))


def console(err: bool = False) -> Console:
    """A console of stable width where the output is no terminal."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, width=None if stream.isatty() else 110, highlight=False)


def value_text(value: float, unit: str) -> str:
    """A number with its unit for people."""
    if math.isnan(value):
        return "unknown"
    return _SHOW[unit](value) if unit in _SHOW else f"{value:.6g}"


def shown(name: str, value: float, unit: str) -> str:
    """The value of an objective for people: accuracy is a plain number, loss a percentage."""
    return f"{value:.4g}" if name == "accuracy" and not math.isnan(value) else value_text(value, unit)


def objective_text(result: ObjectiveResult) -> str:
    """One line on an objective: value, bound, gap; beside a throughput how long its slowest stage is busy."""
    line = f"{result.name}: {shown(result.name, result.value, result.unit)}"
    if result.unit == "requests/s" and result.value > 0:
        line += f", slowest stage busy {show_seconds(1.0 / result.value)} a request"
    if result.value_of is not None:
        line += f" ({result.value_of})"
    if result.bound is None or result.gap is None:
        return f"{line} (no bound is proven)"
    if result.gap == 0:
        return f"{line} (proven optimal{'' if result.bound_of is None else f' for {result.bound_of}'})"
    whose = "" if result.bound_of is None else f" (of {result.bound_of})"
    bound = shown(result.name, result.bound, result.unit)
    return f"{line}, bound {bound}{whose}, gap {show_fraction(result.gap)}"


def print_plan(plan: Plan, out: Console) -> None:
    """Print the fragments of every service and the objectives."""
    rows = []
    for service in plan.services:
        name = service.service + (f" ({service.alternative})" if service.alternative != "default" else "")
        for fragment in service.fragments:
            device = fragment.device + ("" if fragment.unit == "cpu" else f"/{fragment.unit}")
            first, last = fragment.layers[0], fragment.layers[-1]
            layers = first if first == last else f"{first} … {last} ({len(fragment.layers)})"
            ways = [
                f"{t.path[-1]} ({show_bytes(t.size)})" + (f" via {', '.join(t.path[1:-1])}" if len(t.path) > 2 else "")
                for t in service.transfers
                if (t.after if t.tensor == "result" else t.tensor) in fragment.layers
            ]
            rows.append((name, device, layers, "; ".join(ways)))
            name = ""
    out.print(table(f"Plan of {plan.instance.name}", ("service", "device", "layers", "sends to"), rows))
    certificate = plan.certificate
    for result in certificate.objectives:
        out.print(objective_text(result), markup=False)
    out.print(f"method {certificate.method}, {certificate.termination}, {certificate.seconds:.2f} s", markup=False)
    for bound in certificate.bounds:
        word = "proven" if bound.proven else "not proven"
        out.print(f"  bound {bound.name}: {show_fraction(bound.value)}, {word}, of {bound.holds_for}", markup=False)
    if certificate.confirmed is not None:
        seen = certificate.confirmed
        line = f"simulated loss: {show_fraction(seen.value)} ± {show_fraction(seen.half_width)}"
        chosen = f", best of {seen.candidates} candidates" if seen.candidates > 1 else ""
        if seen.candidates > 1 and not seen.selected:
            chosen += " so far (not yet told apart)"
        out.print(f"{line} ({seen.replications} replications, level {seen.level:g}{chosen})", markup=False)
    for service in plan.services:
        if service.min_gap is not None:
            limit = f"at most one request per {show_seconds(service.min_gap)} ({1 / service.min_gap:.4g} /s)"
            out.print(f"rate limit at the source of {service.service}: {limit}", markup=False)
    if certificate.admission_gain is not None:
        gain = show_fraction(certificate.admission_gain)
        applied = any(service.min_gap is not None for service in plan.services)
        text = "rate limits at the sources save" if applied else "rate limits at the sources (--admission) would save"
        out.print(f"{text} {gain} of all requests, by the analytic evaluator", markup=False)
    if certificate.termination in ("time-limit", "interrupted"):
        out.print("cut by the clock: another run may end elsewhere", markup=False)


def print_metrics(evaluation: Evaluation, out: Console) -> None:
    """Print the metrics per service and per device."""
    figures = ("latency", "processing", "transfer", "energy", "accuracy", "offered", "devices")
    services = [
        (
            service.name,
            show_seconds(service.latency),
            show_seconds(service.processing),
            show_seconds(service.transfer),
            "unknown" if math.isnan(service.energy) else show_joules(service.energy),
            "unknown" if math.isnan(service.accuracy) else f"{service.accuracy:.4g}",
            "–" if math.isnan(service.rate) else f"{service.rate:.4g} /s",
            str(service.devices),
        )
        for service in evaluation.services
    ]
    out.print(table(f"Services ({evaluation.evaluator} evaluator)", ("service", *figures), services, right=figures))
    missing = dict.fromkeys(figure for service in evaluation.services for figure in service.missing)
    if missing:
        out.print(f"unknown for want of: {', '.join(missing)}", markup=False)
    print_times(evaluation, out)
    devices = []
    for device in evaluation.devices:
        use = ", ".join(
            show_fraction(value) if len(device.utilisation) == 1 else f"{unit} {show_fraction(value)}"
            for unit, value in device.utilisation.items()
        )
        memory, free = show_bytes(device.memory), show_bytes(device.free_memory)
        devices.append((device.name, str(device.layers), memory, free, use))
    figures_of_devices = ("layers", "memory", "of", "utilisation")
    out.print(table("Devices", ("device", *figures_of_devices), devices, right=figures_of_devices))
    print_carriers(evaluation, out)
    for line in unseen_tails(evaluation):
        out.print(line, markup=False)


def unseen_tails(evaluation: Evaluation) -> list[str]:
    """Which deadlines limit a mean whose 95th percentile this evaluator does not know."""
    unknown = {times.name for times in evaluation.times if math.isnan(times.p95)}
    names = [c.subject for c in evaluation.checks if c.kind == "deadline" and c.subject in unknown]
    if not names:
        return []
    text = f"deadline of {', '.join(names)}: limits the mean; placer simulate shows the 95th percentile"
    return [f"{text}, deadline_p95 limits it"]


def print_carriers(evaluation: Evaluation, out: Console) -> None:
    """Print what every link direction and channel bears that carries anything."""
    figures = ("utilisation", "queue")
    rows = [(one.name, show_fraction(one.utilisation), f"{one.queue} tensors") for one in evaluation.carriers]
    if rows:
        out.print(table("Links and channels", ("sent by", *figures), rows, right=figures))


def print_times(evaluation: Evaluation, out: Console) -> None:
    """Print loss and response times under random arrivals, with intervals where they were simulated."""
    if not evaluation.times:
        return
    figures = ("offered", "throughput", "loss ratio", "mean response", "p95", "sum of sojourns")
    rows = []
    for times in evaluation.times:
        loss, response = show_fraction(times.loss_ratio), show_seconds(times.response_time)
        if times.loss_interval > 0:
            loss = show_estimate(times.loss_ratio, times.loss_interval)
        if times.response_interval > 0:
            response += f" ± {show_seconds(times.response_interval)}"
        rates = (f"{times.offered:.4g} /s", f"{times.throughput:.4g} /s")
        p95 = "–" if math.isnan(times.p95) else show_seconds(times.p95)
        rows.append((times.name, *rates, loss, response, p95, show_seconds(times.sum_of_sojourns)))
    title = f"Under random arrivals ({evaluation.evaluator} evaluator)"
    out.print(table(title, ("service", *figures), rows, right=figures))
    for station in evaluation.stations:
        if station.unstable:
            load = show_fraction(station.load)
            line = f"{station.name}: unstable: {load} of what it can do arrives, its queue grows without end"
            out.print(line, markup=False)
        if station.loss_ratio > 1e-6:
            line = f"{station.name}: busy {show_fraction(station.utilisation)}, turns away "
            out.print(line + show_fraction(station.loss_ratio), markup=False)


def print_answer(answer: Answer, output: Path | None) -> None:
    """Print all that ``placer plan`` says: the plan, what it does, what stands beside it, its limits."""
    out = console()
    print_plan(answer.plan, out)
    print_metrics(answer.evaluation, out)
    print_scenarios(answer, out)
    print_baselines(answer, out)
    print_checks(answer.evaluation, out)
    print_assumptions(answer.assumed, out)
    if output is not None:
        out.print(f"written to {output}", markup=False)
    if not answer.evaluation.feasible and not answer.evaluation.violations:
        out.print("Whether this plan keeps all limits is undecided: placer check simulates it without a time limit.")
    elif not answer.evaluation.feasible:
        method, judge = answer.request.method, answer.evaluation.evaluator
        line = f"This plan breaks limits, by the {judge} evaluator."
        if method in ("auto", "loss", "joint-exits"):
            line += " No plan was found that keeps all; this one breaks them least of those that were looked at."
        else:
            line += f" Method {method} does not look at them all; auto searches for plans that keep them."
        out.print(line, markup=False)


def print_baselines(answer: Answer, out: Console) -> None:
    """Print baselines beside a plan, and say plainly when not splitting wins."""
    name = answer.request.objectives[0]
    unit = OBJECTIVES[name].unit
    value = answer.evaluation.objectives[name]
    rows = [("the plan", shown(name, value, unit), "", _kept(answer.evaluation))]
    for one in answer.baselines:
        if one.outcome is None:
            rows.append((one.title, "–", "", one.reason))
            continue
        judged = one.outcome.evaluation
        theirs = judged.objectives[name]
        rows.append((one.title, shown(name, theirs, unit), against(name, value, theirs), _kept(judged)))
    out.print(table(f"Beside it ({name})", ("placement", name, "against the plan", "keeps all limits"), rows))
    if name not in DETERMINISTIC:
        return
    whole = next((one.outcome for one in answer.baselines if one.key == "single_node"), None)
    if not any(len({f.device for f in service.fragments}) > 1 for service in answer.plan.services):
        proven = answer.plan.certificate.termination == "optimal"
        best = "is best whole on one node." if proven else "is whole on one node here, and nothing better was found."
        out.print(f"Do not split: each service {best}")
    elif whole is not None and whole.evaluation.feasible and _as_good(whole.evaluation, answer.evaluation, name):
        out.print("Do not split: whole networks on one node are as good as this plan.")


def against(name: str, value: float, theirs: float) -> str:
    """How another placement's value of an objective stands against the plan's; empty when that cannot be said."""
    if not (math.isfinite(value) and math.isfinite(theirs)):
        return ""
    if name == "loss":
        return f"the plan loses {show_fraction(1.0 - value / theirs)} less" if theirs > 0 else ""
    if name == "accuracy":
        return f"{value - theirs:+.4g} for the plan"
    return f"× {theirs / value:.3g}" if value > 0 else ""


def _as_good(one: Evaluation, other: Evaluation, name: str) -> bool:
    return one.costs[name] <= other.costs[name] * (1 + 1e-9)


def _kept(evaluation: Evaluation) -> str:
    broken = evaluation.violations
    text = f"no: {broken[0].message}" if broken else "yes" if evaluation.feasible else "undecided"
    if broken or not evaluation.warnings:
        return text
    more = len(evaluation.warnings) - 1
    return f"{text}, but {evaluation.warnings[0]}" + (f" ({more} more warnings)" if more else "")


def print_checks(evaluation: Evaluation, out: Console) -> None:
    """Print warnings, what is violated, undecided and skipped, and the count of what was kept."""
    for line in evaluation.warnings:
        out.print(f"WARNING {line}", markup=False)
    for word, status in _WORDS:
        for check in evaluation.having(status):
            out.print(f"{word} {check.message}", markup=False)
    counts = [f"{len(evaluation.having('ok'))} limits kept", f"{len(evaluation.violations)} violated"]
    counts += [f"{len(evaluation.undecided)} undecided"] if evaluation.undecided else []
    counts += [f"{len(evaluation.warnings)} warned of"] if evaluation.warnings else []
    out.print(", ".join([*counts, f"{len(evaluation.skipped)} skipped"]), markup=False)


def print_assumptions(lines: Sequence[str], out: Console) -> None:
    """Print the assumed figures that a result rests on."""
    if lines:
        out.print(f"Assumed figures ({len(lines)}):", markup=False)
        for line in lines:
            out.print(f"  {line}", markup=False)
