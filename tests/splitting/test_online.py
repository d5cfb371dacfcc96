"""Tables, their interpreter, traces, replays, the bandit, compression and regressions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from placer.errors import InputError
from placer.instance.library import shipped_root
from placer.profiling.regression import FORMS, fill_times, fit, leave_one_network_out, shipped_samples
from placer.splitting import interpreter
from placer.splitting.bandit import UplinkBandit
from placer.splitting.compression import options_for, read_compressions
from placer.splitting.costs import Plane
from placer.splitting.mincut import cheapest_cut
from placer.splitting.neurosurgeon import best_split
from placer.splitting.pricing import Compression, energy_costs, latency_costs
from placer.splitting.replay import Settings, replay
from placer.splitting.table import LOADS, dump_table, split_table
from placer.splitting.trace import parse_trace, read_trace, synthetic_trace
from placer.splitting.two_machines import Machines, build_case, read_model
from tests.splitting.oracle import random_costs, random_dag


@pytest.mark.parametrize("seed", range(15))
def test_the_interpreter_chooses_the_best_cut_at_any_rate_and_load(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    costs = random_costs(rng, random_dag(rng, int(rng.integers(2, 12))), ways=2)
    path = tmp_path / "table.json"
    path.write_text(dump_table(split_table(costs)))
    table = interpreter.load(str(path))
    for _ in range(60):
        rate, load = float(10 ** rng.uniform(3, 9)), float(rng.uniform(1, 8))
        index = interpreter.choose(table, rate, load)
        best = cheapest_cut(costs, 1 / rate, load)
        assert interpreter.cost(table, index, rate, load) == pytest.approx(best.value(1 / rate, load), rel=1e-9)
    for entry in table["pieces"]:
        for piece in entry["rates"]:
            for rate in (piece["above"] * (1 + 1e-7), piece["up_to"] * (1 - 1e-7)):
                value = cheapest_cut(costs, 1 / rate, entry["load"]).value(1 / rate, entry["load"])
                assert interpreter.cost(table, piece["cut"], rate, entry["load"]) == pytest.approx(value, rel=1e-9)
    for cut in table["cuts"]:
        assert sorted(cut["device"] + cut["server"]) == sorted(costs.names)


def test_the_interpreter_needs_nothing_but_python() -> None:
    text = Path(interpreter.__file__).read_text(encoding="utf-8")
    imported = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imported == ["from __future__ import annotations", "import json", "from typing import Any"]


def test_the_interpreter_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match="no split table"):
        interpreter.load(str(tmp_path / "x.json"))


TABLE = {
    "cuts": [{"plane": {"c": 1.0, "cx": 0.0, "ck": 0.0}}, {"plane": {"c": 0.0, "cx": 1e6, "ck": 0.0}}],
    "rate": {"low": 1e3, "high": 1e9},
    "load": {"low": 1.0, "high": 1.0},
}
"""At home 1 s; sent 1 MB: the break is at 1 MB/s."""


def test_hysteresis_stays_near_a_break_and_follows_a_real_change() -> None:
    calm = interpreter.Chooser(TABLE, margin=0.1, memory=0.0)
    nervous = interpreter.Chooser(TABLE, margin=0.0, memory=0.0)
    for rate in [0.95e6, 1.05e6] * 20:
        calm.update(rate)
        nervous.update(rate)
    assert (calm.switches, nervous.switches) == (0, 39)
    assert calm.update(5e6) == 1
    assert calm.update(0.2e6) == 0


def test_the_bandit_learns_and_spends_little_on_tries() -> None:
    planes = [Plane(1.0, 0.0, 0.0), Plane(0.0, 1e6, 0.0)]
    bad = UplinkBandit(planes, 1.0, 1e-9, 1e-3)
    paid = []
    for _ in range(1000):
        index = bad.choose()
        paid.append(planes[index].at(1e-5, 1.0))
        bad.observe(index, paid[-1])
    # the first try costs 10 s; later ones 5 % of the time at home
    assert sum(paid) <= 10 + 1000 * 1.051
    assert bad.tries >= 4
    for _ in range(200):  # the uplink gets better: it is found
        index = bad.choose()
        bad.observe(index, planes[index].at(1e-7, 1.0))
    assert bad.choose() == 1


def test_replay_by_hand() -> None:
    trace = parse_trace("time_s,rate_mbit_s\n0,80\n1,80\n2,0.8\n3,0.8\n", "t")
    scores = {score.policy: score for score in replay(TABLE, trace, Settings(noise=0.0, memory=0.0, switch_cost=0.4))}
    # rates of 10 and .1 MB/s: sent in .1 s or 10 s, or 1 s at home
    assert scores["oracle"].mean == pytest.approx((0.1 + 0.1 + 1 + 1) / 4)
    assert scores["best fixed cut"].mean == pytest.approx(1.0)
    # the table sees the fall one request late, and pays for one switch
    assert scores["table"].mean == pytest.approx((0.1 + 0.1 + 10 + 1 + 0.4) / 4)
    assert scores["table"].regret == pytest.approx(scores["table"].mean - scores["oracle"].mean)
    assert (scores["table"].switches, scores["table"].worst) == (1, pytest.approx(10.0))


def test_nobody_beats_the_oracle_on_the_shipped_trace() -> None:
    case = build_case(read_model("vgg-16-measured"), Machines("raspberry-pi-4b", "cloud-gpu", 1e6, None, 0.01))
    table = split_table(latency_costs(case.compiled.variants[0], case.device, case.server, case.link))
    scores = {score.policy: score for score in replay(table, read_trace("walk-synthetic"))}
    assert all(score.mean >= scores["oracle"].mean - 1e-12 for score in scores.values())
    assert scores["table with hysteresis"].switches < scores["table"].switches
    assert scores["bandit"].mean < scores["best fixed cut"].mean


def test_the_shipped_trace_is_what_its_seed_makes() -> None:
    shipped = (shipped_root() / "instances" / "traces" / "walk-synthetic.csv").read_text(encoding="utf-8")
    assert shipped == synthetic_trace()
    assert "not measured" in shipped.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("0,1\n1,2\n", 1, "header"),
        ("time_s,rate_mbit_s\n0,1\n0,2\n", 3, "must increase"),
        ("time_s,rate_mbit_s\n0,1\n1,-2\n", 3, "a rate lies between"),
        ("time_s,rate_mbit_s\n0,1\n1,x\n", 3, "two numbers"),
        ("time_s,rate_mbit_s\n0,nan\n1,1\n", 2, "a rate lies between"),
        ("time_s,rate_mbit_s\n0,1\n", None, "two rows"),
    ],
)
def test_bad_traces_are_told_with_their_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_trace(text, "t.csv")
    assert caught.value.problems[0].line == line
    assert words in caught.value.message


def test_compression_is_used_where_it_pays() -> None:
    case = build_case(read_model("vgg-16-measured"), Machines("raspberry-pi-4b", "cloud-gpu", 1e5, None, 0.01))
    variant = case.compiled.variants[0]
    option = Compression("small", 10.0, 1e-8, 1e-9, frozenset({"block5_pool"}))
    costs = latency_costs(variant, case.device, case.server, case.link, (option,))
    layer = variant.layers.index("block5_pool")
    size = variant.output[layer]
    (plain, small) = costs.ways[layer]
    assert len(costs.ways[0]) == 1
    assert small.plane == pytest.approx((0.01 + size * 1e-8, size / 10, size * 1e-9))
    assert (plain.plane.cx, plain.option) == (size, "")
    plainly = latency_costs(variant, case.device, case.server, case.link)
    assert best_split(costs, case.x, 1.0).value(case.x, 1.0) < best_split(plainly, case.x, 1.0).value(case.x, 1.0)


def test_compressions_are_filtered_by_accuracy_and_say_what_is_assumed() -> None:
    file = read_compressions("bottlenet")
    free, notes = options_for(file, "raspberry-pi-4b", "cloud-gpu", set(), 0.0)
    assert [option.name for option in free] == ["reduce-4"]
    assert "compression reduce-4: ratio" in notes
    every, _ = options_for(file, "raspberry-pi-4b", "cloud-gpu", set(), 0.02)
    assert [option.name for option in every] == ["reduce-4", "reduce-16"]


def test_energy_is_the_published_formula() -> None:
    """Layers at home times power, plus bytes at alpha * rate + beta for as long as they take."""
    case = build_case(read_model("vgg-16-measured"), Machines("raspberry-pi-4b", "cloud-gpu", None, "lte"))
    variant = case.compiled.variants[0]
    costs = energy_costs(variant, case.device, case.server, case.link)
    size, watts = variant.input, (438.39 * 5.85 + 1288.04) / 1000
    assert 1 / case.x == pytest.approx(5.85e6 / 8)
    assert costs.ways[-1][0].plane.at(case.x, 1.0) == pytest.approx(size / (5.85e6 / 8) * watts)
    home = variant.time[:, case.device].sum() * (5.0 - 1.6)
    assert costs.device.sum() == pytest.approx(home)


@pytest.mark.parametrize("device", ["raspberry-pi-4b", "cloud-6700k"])
def test_regressions_predict_networks_left_out(device: str) -> None:
    samples = shipped_samples(device)
    errors = {form: {e.group: e for e in leave_one_network_out(samples, form)} for form in FORMS}
    assert {"convolution", "fully connected", "pooling", "normalisation", "activation"} <= set(errors["log"])
    assert errors["log"]["all"].layers == len(samples)
    assert errors["weighted"]["convolution"].median < 0.2
    assert errors["log"]["convolution"].median < 0.5
    assert all(fit(samples, form).predict(sample) >= 0 for form in FORMS for sample in samples)


def test_a_power_law_is_found_again() -> None:
    made = [s._replace(seconds=1e-9 * (1 + s.macs) ** 0.5 * (1 + s.read) ** 0.3) for s in shipped_samples("cloud-gpu")]
    for error in leave_one_network_out(made, "log"):
        assert error.median < 1e-6


def test_filled_times_keep_what_was_measured() -> None:
    model, counts = fill_times(read_model("inception-v1"), ["raspberry-pi-4b"])
    layers = model.alternatives[0].layers
    assert counts == {"raspberry-pi-4b": len(layers)}
    assert all(layer.times["raspberry-pi-4b"] > 0 for layer in layers)
    measured = read_model("vgg-16-measured")
    assert fill_times(measured, ["raspberry-pi-4b"]) == (measured, {})
    with pytest.raises(InputError, match="no shipped model was timed on 'n5105'"):
        fill_times(measured, ["n5105"])


def test_loads_of_tables_begin_at_the_idle_server() -> None:
    assert LOADS[0] == 1.0
    assert all(math.isfinite(load) for load in LOADS)
    assert json.loads(dump_table(split_table(random_costs(np.random.default_rng(0), ((-1,),)))))["load"]["high"] == 8.0
