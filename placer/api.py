"""What a notebook imports: ``placer.read``, ``plan``, ``evaluate``, ``simulate``, ``export``; the commands call it too.

    import placer

    answer = placer.plan("smart-parking", objective="latency")
    placer.evaluate(answer)
    placer.simulate(answer, jobs=10_000)
    placer.export(answer, "manifests", image="registry.example/edge-node:1.0")

Defaults are those of the command line. Heavy parts are imported when a function needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from placer.errors import InfeasibleError, InputError, UnansweredError

if TYPE_CHECKING:
    from placer.evaluation.comparison import Comparison
    from placer.evaluation.evaluate import By
    from placer.evaluation.evaluation import Evaluation
    from placer.files import Output
    from placer.instance.compiled import Compiled
    from placer.instance.deployment import PullPolicy
    from placer.instance.instance import Instance
    from placer.plan.plan import Plan
    from placer.planning.answer import Answer
    from placer.planning.outcome import Outcome
    from placer.planning.request import Scenario
    from placer.solver.progress import Listener

Source: TypeAlias = "Instance | Compiled | str | Path"
"""An instance: read already, a file, or a shipped name."""
Planned: TypeAlias = "Answer | Plan | OpenPlan | str | Path"
"""A plan: just made, read already, or a file."""


@dataclass(frozen=True)
class OpenPlan:
    """A stored plan with its instance.

    Attributes:
        plan: the plan.
        compiled: the instance.
        fresh: whether the plan was made from just this instance.
    """

    plan: Plan
    compiled: Compiled
    fresh: bool

    def __repr__(self) -> str:
        return f"<OpenPlan of {self.compiled.instance.name}{'' if self.fresh else ', stale'}>"


def read(source: str | Path) -> Instance:
    """Read an instance from a file or by its shipped name.

    Raises:
        InputError: every problem of the file, with its line.
    """
    from placer.instance.resolving import read_instance

    return read_instance(source)


def compiled_of(source: Source) -> Compiled:
    """An instance as the arrays that every algorithm starts from."""
    from placer.instance.compiled import Compiled, compile_instance
    from placer.instance.instance import Instance

    if isinstance(source, Compiled):
        return source
    return compile_instance(source if isinstance(source, Instance) else read(source))


def open_plan(planned: Planned, instance: Source | None = None) -> OpenPlan:
    """Return a plan with its instance, which a file names relative to itself.

    Args:
        planned: an answer, a plan or a file.
        instance: instead of the instance that the plan names.

    Raises:
        InputError: when a file cannot be read, or no instance is named.
    """
    from placer.instance.library import is_file
    from placer.plan.plan import Plan, read_plan

    if not isinstance(planned, Plan | str | Path):  # an answer or an open plan: both carry plan and instance
        return _opened(planned.plan, planned.compiled if instance is None else compiled_of(instance))
    if isinstance(planned, Plan):
        plan_, folder, called = planned, Path(), "the plan"
    else:
        plan_, folder, called = read_plan(Path(planned)), Path(planned).parent, str(planned)
    if instance is None:
        if plan_.instance.path is None:
            raise InputError(f"{called} names no instance file", tip="give one with --instance")
        beside = folder / plan_.instance.path
        instance = beside if is_file(beside) else plan_.instance.path
    return _opened(plan_, compiled_of(instance))


def _opened(plan_: Plan, compiled: Compiled) -> OpenPlan:
    from placer.evaluation.plan_checks import renewed

    plan_ = renewed(plan_, compiled)
    return OpenPlan(plan_, compiled, plan_.instance.hash == compiled.instance.meaning_hash)


def plan(
    instance: Source,
    objective: str | Sequence[str] = (),
    *,
    method: str = "auto",
    time_limit: float = 60.0,
    gap: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    nodes: int | None = None,
    rounds: int | None = None,
    evaluations: int | None = None,
    keep: Planned | None = None,
    max_moves: int | None = None,
    scenarios: str | Path | Sequence[Scenario] | None = None,
    robust: str = "mean",
    admission: bool = False,
    confirm: bool | None = None,
    write_model: Output | str | Path | None = None,
    by: By = "verdict",
    path: str | None = None,
    listener: Listener | None = None,
    found: Callable[[Outcome], None] | None = None,
) -> Answer:
    """Plan an instance; what a method does not take is refused, see ``placer plan --methods``.

    Args:
        instance: an instance, a file or a shipped name.
        objective: one objective or several in order; those of the instance when left out.
        method: a name of the registry.
        time_limit: s, for everything: plan, confirmation, baselines.
        gap: relative gap at which the answer is good enough.
        threads: of the solver.
        seed: of the solver and of searches.
        nodes: branch-and-bound nodes at most.
        rounds: rounds of a search at most.
        evaluations: placements or networks that a search evaluates at most.
        keep: the plan that is deployed.
        max_moves: layers that may move away from it at most.
        scenarios: states of the world that one plan must serve, or a file of them.
        robust: ``mean`` or ``worst``: how scenarios count.
        admission: choose rate limits at the sources too.
        confirm: let a simulation choose among the best candidates.
        write_model: file for the formulation (.mps or .lp).
        by: who judges limits on loss and response time: ``verdict``, ``analytic`` or ``simulation``.
        path: how the plan names the instance file; as it was given when left out.
        listener: told of incumbents and bounds.
        found: gets the outcome as soon as it is there, before baselines are made.

    Raises:
        InputError: for what the instance, the method or the planner refuses.
        InfeasibleError: when no placement satisfies the instance (proven).
        UnansweredError: when the limits ended the search before any placement was found.
    """
    from placer.plan.plan import to_placement
    from placer.planning.answer import answer
    from placer.planning.loss.scenarios import read_scenarios
    from placer.planning.request import Request
    from placer.solver.progress import Limits

    if robust not in ("mean", "worst"):
        raise InputError(f"robust is '{robust}' (allowed: mean, worst)")
    compiled = compiled_of(instance)
    if isinstance(scenarios, str | Path):
        scenarios = read_scenarios(Path(scenarios), compiled)
    if path is None and isinstance(instance, str | Path):
        path = str(instance)
    request = Request(
        objectives=(objective,) if isinstance(objective, str) else tuple(objective),
        method=method,
        limits=Limits(time_limit, gap, threads, seed, nodes),
        rounds=rounds,
        evaluations=evaluations,
        keep=to_placement(open_plan(keep, compiled).plan, compiled) if keep is not None else None,
        max_moves=max_moves,
        write_model=Path(write_model) if isinstance(write_model, str) else write_model,
        scenarios=tuple(scenarios or ()),
        worst=robust == "worst",
        admission=admission,
        confirm=confirm,
        by=by,
        path=path,
    )
    return answer(compiled, request, listener, found)


def evaluate(planned: Planned, instance: Source | None = None, by: By = "verdict") -> Evaluation:
    """Evaluate a plan: metrics and every limit, judged; the same object that the commands print.

    Args:
        planned: a plan.
        instance: instead of the instance that the plan names.
        by: ``verdict``, ``deterministic``, ``analytic`` or ``simulation``; see :mod:`placer.evaluation.evaluate`.

    Raises:
        InputError: when the plan is not about this instance.
    """
    from placer.evaluation.evaluate import evaluate as evaluate_plan

    opened = open_plan(planned, instance)
    return evaluate_plan(opened.plan, opened.compiled, by)


def simulate(
    planned: Planned,
    instance: Source | None = None,
    *,
    jobs: int = 100_000,
    replications: int = 10,
    seed: int = 0,
    level: float = 0.99,
    relative_half_width: float | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    keep_finished: bool = False,
) -> Comparison:
    """Simulate a plan beside the analytic evaluation of it.

    Args:
        planned: a plan.
        instance: instead of the instance that the plan names.
        jobs: per replication.
        replications: how many.
        seed: of the first stream.
        level: confidence of the intervals.
        relative_half_width: go on until the intervals are this narrow.
        executor: where replications run; None is here.
        progress: told how many are done, of how many.
        keep_finished: on an interruption judge by the replications that are done, if there are two.

    Raises:
        InputError: when no service has arrivals, or a tensor has no way to go.
    """
    from placer.evaluation.comparison import simulate_plan
    from placer.evaluation.runs import Runs

    opened = open_plan(planned, instance)
    runs = Runs(jobs, replications, seed, level, relative_half_width, executor, progress, keep_finished)
    return simulate_plan(opened.plan, opened.compiled, runs)


def export(
    planned: Planned,
    folder: str | Path,
    formats: Sequence[str] = (),
    *,
    instance: Source | None = None,
    image: str | None = None,
    pull_policy: PullPolicy | None = None,
    force: bool = False,
    stale_ok: bool = False,
    by: By = "verdict",
) -> list[Path]:
    """Write what the nodes run, and return the files written.

    Args:
        planned: a plan.
        folder: where to; its parent must exist.
        formats: names of formats; all when left out.
        instance: instead of the instance that the plan names.
        image, pull_policy: container image of the node program, and when nodes pull it, instead of the instance's word.
        force: replace an earlier export in that folder.
        stale_ok: export although the instance has changed since.
        by: who judges limits on loss and response time.

    Raises:
        InfeasibleError: for a plan that violates a limit, or a stale one.
        InputError: for what a format refuses, or a folder that may not be replaced.
    """
    from placer.evaluation.evaluate import evaluate as evaluate_plan
    from placer.export import folder as files

    names = tuple(formats) or tuple(files.FORMATS)
    files.check_formats(names)
    opened = open_plan(planned, instance)
    folder = Path(folder)
    files.probe(folder, force)
    if not opened.fresh and not stale_ok:
        raise InfeasibleError("the instance has changed since the plan was made", tip="plan again, or --stale-ok")
    judged = evaluate_plan(opened.plan, opened.compiled, by)
    if judged.violations:
        raise InfeasibleError("the plan violates a limit: " + judged.violations[0].message, tip="placer check says all")
    if judged.undecided:
        raise UnansweredError(judged.undecided[0].message, tip="--by analytic or --by simulation forces one evaluator")
    return files.export(opened.plan, opened.compiled, folder, names, image=image, force=force, pull_policy=pull_policy)
