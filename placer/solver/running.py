"""HiGHS at work in threads of their own, which can be left behind: it does not look at the clock everywhere.

Its presolve may take minutes, or go round for ever, without a look at its time limit or a call back (HiGHS issues 2226
and 2478). So the caller waits for the limit and a little longer, no more; and where nothing at all was heard of a run
for a part of its time, a second one begins without presolve. The first to end counts.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placer.interruption import held, leave_behind
from placer.solver.countdown import Countdown
from placer.solver.progress import Listener, Progress

SILENCE, LONGEST_SILENCE = 0.2, 5.0
"""Share of the time, and seconds, after which a run that was never heard of gets a rival without presolve."""

GRACE = (0.3, 0.03)
"""Seconds, and share of the time, that a run may be late before it is left behind."""

TICK = 0.1
"""Seconds between two looks at the runs."""


@dataclass(frozen=True)
class Calls:
    """The kinds of HiGHS's calls back: from branch and bound, from the simplex method, with a better solution."""

    mip: Any
    simplex: Any
    solution: Any


@dataclass(eq=False)
class Run:
    """One HiGHS in its thread.

    Attributes:
        highs: the ``highspy.Highs``; not to be touched before the run has ended.
        calls: what it calls back with.
        ended: set when any run of a race ends.
        stop: when set, the run ends itself as soon as it looks.
        over: whether this one has ended.
        status: what ``run`` returned; None before.
        heard: whether it has called back, which it does not do in presolve.
        values, objective: the incumbent, shape (columns,); None without one.
        incumbent, bound: objective of the incumbent and what is proven, as HiGHS told last.
        seconds: of HiGHS's clock at the last call.
    """

    highs: Any
    calls: Calls
    ended: threading.Event
    stop: threading.Event = field(default_factory=threading.Event)
    over: bool = False
    status: Any = None
    heard: bool = False
    values: NDArray[np.float64] | None = None
    objective: float = math.nan
    incumbent: float = math.inf
    bound: float = -math.inf
    seconds: float = 0.0
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def begin(self) -> Run:
        """Start the thread."""
        self.highs.setCallback(self._tell, None)
        for kind in self._kinds:
            self.highs.startCallback(kind)
        self.thread = threading.Thread(target=self._work, name="HiGHS", daemon=True)
        self.thread.start()
        return self

    def _work(self) -> None:
        try:
            self.status = self.highs.run()
        except BaseException as error:  # told where the run is waited for
            self.error = error
        self.over = True
        self.ended.set()

    def _tell(self, kind: Any, message: str, data_out: Any, data_in: Any, user: Any) -> None:
        self.heard = True
        if int(kind) == int(self.calls.solution):
            self.values = np.array(data_out.mip_solution, dtype=np.float64)
            self.objective = float(data_out.objective_function_value)
            return
        if int(kind) == int(self.calls.mip):
            self.incumbent, self.bound = float(data_out.mip_primal_bound), float(data_out.mip_dual_bound)
            self.seconds = float(data_out.running_time)
        if self.stop.is_set():
            data_in.user_interrupt = True

    def leave(self) -> None:
        """Wait no longer: the thread ends when HiGHS looks up, or with the process."""
        self.stop.set()
        if self.thread is not None:
            leave_behind(self.thread)

    def quiet(self) -> None:
        """No more calls back, after the end."""
        for kind in self._kinds:
            self.highs.stopCallback(kind)

    @property
    def _kinds(self) -> tuple[Any, Any, Any]:
        return self.calls.mip, self.calls.simplex, self.calls.solution


@dataclass(frozen=True, eq=False)
class Race:
    """How a race ended.

    Attributes:
        run: the run that ended first; the one that has got furthest where none has.
        interrupted: whether that was asked for.
    """

    run: Run
    interrupted: bool


def race(
    first: Any,
    rival: Callable[[float], Any],
    calls: Calls,
    countdown: Countdown,
    listener: Listener | None = None,
    scale: float = 1.0,
) -> Race:
    """Run HiGHS, and a rival without presolve where nothing is heard of it, until one ends or the time is over.

    Args:
        first: a ``highspy.Highs`` that is ready to run.
        rival: makes another one with so many seconds.
        calls: what they call back with.
        countdown: the time that the first one was given.
        listener: told of incumbents and bounds, in the caller's thread.
        scale: what objectives are multiplied with for the listener.
    """
    ended = threading.Event()
    late = countdown.end + GRACE[0] + GRACE[1] * (countdown.end - countdown.begin)
    doubt = countdown.begin + min(SILENCE * (countdown.end - countdown.begin), LONGEST_SILENCE)
    with held() as stop:
        runs = [Run(first, calls, ended).begin()]
        try:
            while not ended.wait(TICK):
                now = countdown.now()
                if stop.is_set():
                    late = min(late, now + GRACE[0])
                    for run in runs:
                        run.stop.set()
                if now >= late:
                    break
                if len(runs) == 1 and doubt <= now < countdown.end and not runs[0].heard:
                    runs.append(Run(rival(countdown.left), calls, ended).begin())
                if listener is not None:
                    _tell(listener, max(runs, key=_progress), scale)
        finally:
            chosen = next((run for run in runs if run.over), max(runs, key=_progress))
            for run in runs:
                if not run.over:
                    run.leave()
        if chosen.over:
            chosen.quiet()
    return Race(chosen, stop.is_set())


def _progress(run: Run) -> tuple[bool, bool]:
    """What makes a run worth more than another one that has not ended either."""
    return run.values is not None, run.heard


def _tell(listener: Listener, run: Run, scale: float) -> None:
    if not run.heard:
        return
    incumbent = run.incumbent * scale if abs(run.incumbent) < 1e30 else math.inf
    bound = run.bound * scale if abs(run.bound) < 1e30 else -math.inf
    listener(Progress(run.seconds, incumbent, bound))
