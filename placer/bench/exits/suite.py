"""Suite ``exits``: the takeaways table, and the checks that are too long for the tests.

Parts, each a ``--method``: ``takeaways`` (see ``takeaways.py``); ``queueing``: 200 random profiles through
the certified program, with its times; ``multi-exit``: thresholds on held-out MNIST images by ascent and by TPE
(see ``multi.py``); ``adaee``: regret on a stationary stream and recovery after a drift;
``joint``: exits inside the placement against the sequential baseline and enumeration (see ``joint.py``);
``used``: how much of its limit on loss a plan really uses, by a long simulation (see ``used.py``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from placer import optional
from placer.bench.exits import joint, multi, takeaways, used
from placer.errors import InfeasibleError, InputError
from placer.exits import adaee, queueing_lp
from placer.exits.profile import Profile, read_profile
from placer.exits.station import Station, evaluate_mixture
from placer.instance.reading import unknown

SUITE = "exits"
PARTS = ("takeaways", "queueing", "multi-exit", "adaee", "joint", "used")
LIMITS = (0.001, 0.01, 0.05, 0.2)


def run(
    *, methods: Sequence[str] | None = None, limit: int | None = None, scale: float = 1.0, seed: int = 0, **_: Any
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the parts, then the summary.

    Args:
        methods: some of ``PARTS``; None runs all.
        limit: profiles of the takeaways; the other parts shrink likewise.
        scale: factor on jobs, profiles and seeds; 1 takes about ten minutes in all.
        seed: of the random profiles and of the bandit's streams.

    Raises:
        InputError: an unknown part.
    """
    chosen = list(PARTS) if methods is None else list(methods)
    for name in chosen:
        if name not in PARTS:
            raise InputError(unknown("part", name, list(PARTS)))
    parts = {
        "takeaways": _takeaways,
        "queueing": _queueing,
        "multi-exit": _multi_exit,
        "adaee": _adaee,
        "joint": joint.rows,
        "used": used.rows,
    }
    summary: dict[str, Any] = {}
    for name in chosen:
        for row in parts[name](limit, scale, seed):
            if "figures" in row:
                summary[name] = row["figures"]
            else:
                yield {"suite": SUITE, "part": name} | row
    yield {"summary": summary}


def _takeaways(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    names = takeaways.profiles()[:limit]
    found = []
    for row in takeaways.rows(names, jobs=int(takeaways.JOBS * scale)):
        found.append(row)
        yield row
    yield {"figures": {"profiles": names, "table": takeaways.table(found)}}


def random_profile(rng: np.random.Generator) -> Profile:
    """A made-up profile of 3 to 24 exits."""
    count = int(rng.integers(3, 25))
    nothing = np.full(count, np.nan)
    accuracy = np.sort(rng.uniform(0.3, 0.98, count))
    scv = rng.uniform(0.0, 1.0, count) * rng.choice([0.0, 0.1, 1.0, 3.0])
    names = tuple(f"exit-{e + 1}" for e in range(count))
    mean = np.sort(rng.uniform(0.01, 1.0, count))
    return Profile("random", names, mean, scv, accuracy, nothing, nothing, nothing, nothing, synthetic=True)


def _queueing(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    wanted = max(int(200 * scale), 5)
    seconds: list[float] = []
    gaps: list[float] = []
    excess: list[float] = []
    programs: list[int] = []
    while len(seconds) < wanted:
        profile = random_profile(rng)
        station = Station(float(rng.uniform(0.5, 4.0)), int(rng.integers(1, 21)))
        max_loss = float(rng.choice(LIMITS))
        begin = time.perf_counter()
        try:
            answer = queueing_lp.solve(profile, station, max_loss)
        except InfeasibleError:
            continue
        seconds.append(time.perf_counter() - begin)
        gaps.append(answer.gap)
        programs.append(answer.programs)
        excess.append(answer.loss - max_loss)
        exact = evaluate_mixture(answer.probabilities, profile.mean, profile.scv, profile.accuracy, station)
        yield {
            "instance": f"random-{len(seconds)}",
            "method": "queueing",
            "status": "optimal",
            "objective": answer.accuracy,
            "bound": answer.bound,
            "gap": answer.gap,
            "seconds": seconds[-1],
            "programs": answer.programs,
            "loss_formula": answer.loss,
            "loss_exact": exact.loss,
            "max_loss": max_loss,
        }
    yield {
        "figures": {
            "profiles": len(seconds),
            "median_ms": 1e3 * float(np.median(seconds)),
            "p95_ms": 1e3 * float(np.quantile(seconds, 0.95)),
            "median_programs": float(np.median(programs)),
            "largest_gap": max(gaps),
            "largest_excess_over_the_limit": max(excess),
        }
    }


def _multi_exit(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    figures = {}
    for load in multi.LOADS:
        # two thousand trials take half a minute: they are spent where the limit binds
        wanted = (150, 2000) if load == multi.LOADS[-1] else (150,)
        counts = tuple(max(int(count * scale), 20) for count in wanted) if optional.have("optuna") else ()
        for row in multi.rows(load=load, seeds=max(int(10 * scale), 2), tpe_evaluations=counts):
            if "figures" in row:
                figures[f"load {load}"] = row["figures"]
            else:
                ascent = {"status": "ok", "objective": row["ascent"]["accuracy"], "seconds": row["ascent"]["seconds"]}
                yield {"instance": f"mnist-5k@{load}#{row['seed']}", "method": "thresholds"} | ascent | row
    yield {"figures": figures}


def _adaee(limit: int | None, scale: float, seed: int) -> Iterator[dict[str, Any]]:
    jobs, seeds = max(int(50_000 * scale), 3000), 8
    figures: dict[str, Any] = {}
    for name in ("mnist-cnn-8", "mnist-cnn-12", "mnist-mlp-16", "digits-cnn-10"):
        profile = read_profile(name)
        test = profile.split("test")
        faded = adaee.blurred(test, -1, 0.7)
        for label, options in {
            "side observations": {},
            "arm played only": {"side": False},
            "the paper's c = 1": {"side": False, "exploration": 1.0},
        }.items():
            policy = adaee.bandit(profile, edge=1, **options)  # type: ignore[arg-type]
            runs = [adaee.run(profile, policy, [(test, jobs)], seed=seed + index) for index in range(seeds)]
            fit = adaee.fit(np.mean([one.regret for one in runs], axis=0))
            found = [int(np.bincount(one.arms[-jobs // 5 :]).argmax()) == one.best[0] for one in runs]
            row = {"status": "ok", "objective": fit.last, "exponent": fit.exponent, "slope": fit.slope}
            row |= {"late_share": fit.late_share, "best_arm_found": float(np.mean(found))}
            row["oracle_regret"] = float(np.mean([one.behind[-1] for one in runs]))
            yield {"instance": f"{name} stationary", "method": label} | row
            figures.setdefault(name, {})[label] = {key: row[key] for key in ("objective", "exponent", "best_arm_found")}
        for drift, phases in {"fades": (test, faded), "returns": (faded, test)}.items():
            for window in (0, 1000):
                policy = adaee.bandit(profile, edge=1, window=window)
                stream = [(samples, jobs) for samples in phases]
                runs = [adaee.run(profile, policy, stream, seed=seed + index) for index in range(seeds)]
                after = [adaee.recovery(one, jobs) for one in runs]
                share = float(np.mean([one.reward[jobs + 2000 :].mean() for one in runs])) / runs[0].best_reward[1]
                row = {"status": "ok", "objective": share, "recovered_after": after}
                label = f"window {window}" if window else "no window"
                yield {"instance": f"{name} {drift}", "method": label} | row
                latest = None if None in after else max(one for one in after if one is not None)
                figures[name][f"{drift}, {label}"] = {"slowest_recovery": latest, "reward_of_oracle": share}
    yield {"figures": figures}
