"""Thresholds by Bayesian optimisation, as in the paper: optuna's TPE with the loss limit as a constraint.

optuna is an extra (``tune``) and is imported when it is asked for. The paper uses a Gaussian process; TPE
scales to the thousands of evaluations that a comparison with coordinate ascent needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from placer import optional
from placer.errors import InfeasibleError
from placer.exits.samples import Split
from placer.exits.station import Station
from placer.exits.thresholds import OFF, Costs
from placer.exits.tuning import LossModel, Search, Tuning
from placer.instance.units import show_fraction
from placer.queueing.network import Floats

LOWEST, HIGHEST = 0.2, 1.2
"""Range of a threshold: above 1 the exit is off, so a sixth of the range switches it off."""


def tune(
    samples: Split,
    costs: Costs,
    station: Station,
    max_loss: float,
    *,
    evaluations: int = 150,
    model: LossModel = "exact",
    seed: int = 0,
) -> Tuning:
    """Tune thresholds by TPE; arguments as :func:`placer.exits.tuning.tune`.

    Raises:
        MissingExtraError: optuna is missing or broken.
        InfeasibleError: no trial kept the limit.
    """
    optuna = optional.load("optuna", "tuning by TPE", "tune")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    L = samples.correct.shape[1]
    search = Search(samples, costs, station, max_loss, model)

    def thresholds_of(params: dict[str, float]) -> Floats:
        raw = np.array([params[f"t{e}"] for e in range(L - 1)])
        return np.append(np.where(raw > 1.0, OFF, raw), 0.0)

    def objective(trial: Any) -> float:
        params = {f"t{e}": trial.suggest_float(f"t{e}", LOWEST, HIGHEST) for e in range(L - 1)}
        excess, accuracy, loss = search.score(thresholds_of(params))
        trial.set_user_attr("loss", -loss)
        trial.set_constraint("loss", -loss - max_loss)
        trial.set_user_attr("excess", -excess)
        return accuracy

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=20)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=evaluations)
    kept = [trial for trial in study.trials if trial.user_attrs["excess"] <= 0.0]
    if not kept:
        raise InfeasibleError(f"none of {evaluations} trials kept the loss at {show_fraction(max_loss)}")
    best = max(kept, key=lambda trial: (trial.value, -trial.user_attrs["loss"]))
    loss = float(best.user_attrs["loss"])
    return Tuning(thresholds_of(best.params), float(best.value), loss, search.evaluations, max_loss)
