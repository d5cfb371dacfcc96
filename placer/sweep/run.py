"""Spread the points of a sweep over an executor, and keep what is done when somebody stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from placer.errors import InputError
from placer.evaluation.runs import Runs
from placer.planning.registry import planner
from placer.planning.request import Request
from placer.simulation.executors import SerialExecutor
from placer.sweep.answer import INTERRUPTED, Answer, Work, answer, is_tie
from placer.sweep.changes import changes_along, plans_before
from placer.sweep.grid import Grid, Point

Progress = Callable[[int, int], None]
"""Called with the points done and the points of the sweep."""


@dataclass(frozen=True)
class Row:
    """One answered point.

    Attributes:
        point: which.
        answer: what was found.
        changes: how the placement differs from the plan before it on its line; None where there is none to compare.
        tie: whether the plan before it is feasible and as good here, so that it changes by chance; None where nothing
            changes, and in a sweep that was stopped.
    """

    point: Point
    answer: Answer
    changes: tuple[str, ...] | None
    tie: bool | None = None


@dataclass(frozen=True)
class Sweep:
    """A sweep, whole or partial.

    Attributes:
        grid: what was asked.
        options: how it was planned.
        rows: the points done, in the order of the grid.
        stopped: why the others are missing: ``interrupted`` or what went wrong; None when none is.
    """

    grid: Grid
    options: Request
    rows: tuple[Row, ...]
    stopped: str | None = None

    @property
    def exit_code(self) -> int:
        """0 when there is a plan anywhere, 1 when every point is infeasible, 3 when none was answered.

        3 also when a worker died: what is missing then was not asked to be.
        """
        if self.stopped not in (None, INTERRUPTED):
            return 3
        if any(row.answer.planned for row in self.rows):
            return 0
        return 1 if self.rows and all(row.answer.status == "infeasible" for row in self.rows) else 3


def run_sweep(
    grid: Grid,
    options: Request,
    *,
    simulation: Runs | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Plan every point of a grid.

    Args:
        grid: the points, checked.
        options: how to plan each; the time limit is per point.
        simulation: how to simulate each plan; None not to.
        executor: where the points run; None is here, one after the other.
        progress: called after each point, from whatever thread learns of it.

    Raises:
        InputError: for an unknown method, or when every point is refused, in the words of the first.
    """
    planner(options.method)
    pool = executor if executor is not None else SerialExecutor()
    done: dict[int, Answer] = {}
    work = _work(grid, options, simulation)
    stopped = _collect(pool, work, done, progress)
    if done and all(found.status == "refused" for found in done.values()) and stopped is None:
        raise InputError(done[min(done)].message)
    answers = [done.get(point.number) for point in grid.points]
    changes = changes_along(grid, answers)
    ties = _ties(pool, work, plans_before(grid, answers), answers, changes) if stopped is None else {}
    rows = tuple(
        Row(point, found, changed, ties.get(point.number))
        for point, found, changed in zip(grid.points, answers, changes, strict=True)
        if found is not None
    )
    return Sweep(grid, options, rows, stopped)


def _work(grid: Grid, options: Request, simulation: Runs | None) -> list[Work]:
    return [Work(point.number, point.data, grid.library, grid.path, options, simulation) for point in grid.points]


def _ties(
    pool: Executor,
    work: Sequence[Work],
    before: Sequence[Answer | None],
    answers: Sequence[Answer | None],
    changes: Sequence[tuple[str, ...] | None],
) -> dict[int, bool]:
    """Find, per point where the plan changes, whether it had to."""
    futures: dict[int, Future[bool]] = {}
    try:
        for item, previous, found, changed in zip(work, before, answers, changes, strict=True):
            if changed and previous is not None and found is not None:
                futures[item.number] = pool.submit(is_tie, item, previous.services, found)
        return {number: future.result() for number, future in futures.items()}
    except (KeyboardInterrupt, BrokenProcessPool):
        return {}  # the rows are there all the same
    finally:
        for future in futures.values():
            future.cancel()


def _collect(pool: Executor, work: Sequence[Work], done: dict[int, Answer], progress: Progress | None) -> str | None:
    """Fill ``done`` with answers as they come; return why it stopped early, or None."""
    futures: list[Future[Answer]] = []

    def take(future: Future[Answer]) -> bool:
        """Note an answer; return whether a person stopped its solver (Ctrl-C in this very process)."""
        found = future.result()
        done[found.number] = found
        if progress is not None:
            progress(len(done), len(work))
        return found.status == INTERRUPTED

    try:
        waiting: list[Future[Answer]] = []
        for item in work:
            future = pool.submit(answer, item)
            futures.append(future)
            if not future.done():
                waiting.append(future)
            elif take(future):  # the serial executor answers at once
                return INTERRUPTED
        for future in as_completed(waiting):
            if take(future):
                return INTERRUPTED
    except KeyboardInterrupt:
        _keep_finished(futures, done)
        return INTERRUPTED
    except BrokenProcessPool:
        _keep_finished(futures, done)
        return "a worker process died; it may have run out of memory: use fewer workers or --executor serial"
    finally:
        for future in futures:
            future.cancel()
    return None


def _keep_finished(futures: Sequence[Future[Answer]], done: dict[int, Answer]) -> None:
    for future in futures:
        if future.done() and not future.cancelled() and future.exception() is None:
            found = future.result()
            done[found.number] = found
