"""Everything that ``placer split`` can be asked, answered by one function."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from placer.errors import InputError
from placer.profiling.regression import GroupError, best_forms, fill_times, shipped_samples
from placer.solver.progress import Limits
from placer.splitting.compression import options_for, read_compressions
from placer.splitting.pricing import Compression
from placer.splitting.replay import Score, Settings, replay
from placer.splitting.sharing import Shares, alternating, equal, exact
from placer.splitting.split import Answer, Question, answer
from placer.splitting.table import LOADS, break_rates, split_table
from placer.splitting.trace import read_trace
from placer.splitting.two_machines import Case, Machines, build_case, machine_type, read_model
from placer.splitting.users import Crowd, User, UsersFile, crowd, read_users


@dataclass(frozen=True)
class CutQuestion:
    """The options of ``placer split``, in SI units; see its help."""

    model: str | None
    server: str
    device: str = "raspberry-pi-4b"
    uplink: float | None = None
    radio: str | None = None
    latency: float | None = None
    input_size: float | None = None
    no_result: bool = False
    predict: bool = False
    method: str = "neurosurgeon"
    objective: str = "latency"
    server_load: float = 1.0
    rate: float | None = None
    users: str | None = None
    compress: str | None = None
    max_accuracy_loss: float = 0.0
    trace: str | None = None
    noise: float = 0.2
    margin: float = 0.05
    switch_cost: float = 0.0
    seed: int = 0
    time_limit: float = 60.0


@dataclass(frozen=True)
class Prediction:
    """Times that were predicted on one device type: how many, and the errors of the regressions."""

    device: str
    layers: int
    errors: tuple[tuple[str, GroupError], ...]


@dataclass(frozen=True)
class CutAnswer:
    """One split: the answer, its table, its replay."""

    asked: CutQuestion
    case: Case
    answer: Answer
    predicted: tuple[Prediction, ...]
    assumed: tuple[str, ...]
    table: dict[str, Any] | None
    scores: tuple[Score, ...]

    @property
    def exit_code(self) -> int:
        """1 when the rate asked for does not fit or a machine's limit is violated, else 0."""
        return 0 if self.answer.sustained and not self.answer.violations else 1

    @property
    def break_rates(self) -> list[float]:
        """Rates in bytes/s at which the cut changes at the load asked for; empty for throughput."""
        return [] if self.table is None else break_rates(self.table, self.asked.server_load)

    def data(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        one, names = self.answer, self.answer.variant.layers
        remote = one.cut.on_server
        return {
            "model": self.case.model.name,
            "alternative": one.alternative,
            "device": self.asked.device,
            "server": self.asked.server,
            "method": self.asked.method,
            "objective": self.asked.objective,
            "mode": one.mode,
            "value": one.value,
            "unit": one.unit,
            "proof": one.proof,
            "uplink": {"rate": 1.0 / self.case.x, "latency": self.case.link.latency},
            "server_load": self.asked.server_load,
            "device_layers": [name for name, far in zip(names, remote, strict=True) if not far],
            "send": [
                {
                    "tensor": "input" if tensor < 0 else names[tensor],
                    "bytes": way.bytes,
                    "compression": way.option or None,
                }
                for tensor, way in one.cut.crossing
            ],
            "server_layers": [name for name, far in zip(names, remote, strict=True) if far],
            "stages": one.stages._asdict(),
            "largest_rate": one.largest_rate,
            "sustained": one.sustained,
            "all_on_device": one.all_device,
            "all_on_server": one.all_server,
            "break_rates": self.break_rates,
            "violations": list(one.violations),
            "predicted": [asdict(entry) for entry in self.predicted],
            "assumed": list(self.assumed),
            "replay": [asdict(score) for score in self.scores],
            "seconds": one.seconds,
            "exit_code": self.exit_code,
        }


@dataclass(frozen=True)
class SharingAnswer:
    """Many users on one server: three ways to share it."""

    asked: CutQuestion
    crowd: Crowd
    exact: Shares
    alternating: Shares
    equal: Shares
    predicted: tuple[Prediction, ...] = ()
    table: None = None
    exit_code: int = 0

    def data(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        users = [
            {
                "name": name,
                "units": int(self.exact.units[index]),
                "latency": float(self.exact.latency[index]),
                "layers_on_device": self.crowd.layers_on_device(index, int(self.exact.units[index])),
            }
            for index, name in enumerate(self.crowd.names)
        ]
        return {
            "server": self.asked.server,
            "cores": self.crowd.cores,
            "units": len(self.crowd.load) - 1,
            "exact": self.exact.worst,
            "alternating": self.alternating.worst,
            "equal": self.equal.worst,
            "alternating_gap": self.alternating.worst / self.exact.worst - 1.0,
            "gain_over_equal": self.equal.worst / self.exact.worst,
            "users": users,
            "assumed": list(self.crowd.assumed),
            "exit_code": self.exit_code,
        }


def decide(asked: CutQuestion) -> CutAnswer | SharingAnswer:
    """Answer what was asked.

    Raises:
        InputError: for names, figures or combinations that are not acceptable.
        InfeasibleError: when no cut puts every layer where it can run.
        UnansweredError: when the limits ended the search before any cut was found.
    """
    return _share(asked) if asked.users is not None else _split(asked)


def _split(asked: CutQuestion) -> CutAnswer:
    assert asked.model is not None
    model, predicted = read_model(asked.model), tuple[Prediction, ...]()
    if asked.predict:
        kinds = [machine_type(argument).name for argument in (asked.device, asked.server)]
        model, counts = fill_times(model, kinds)
        predicted = tuple(_predicted(device, layers, model.name) for device, layers in counts.items())
    machines = Machines(asked.device, asked.server, asked.uplink, asked.radio, asked.latency, not asked.no_result)
    case = build_case(model, machines, asked.input_size)
    compressions, notes = _compressions(asked, case)
    question = Question(
        asked.objective, asked.method, asked.server_load, asked.rate, compressions, Limits(asked.time_limit)
    )
    one = answer(case, question)
    used = {way.option for _, way in one.cut.crossing}
    assumed = [note for note in notes if note.split()[1].rstrip(":") in used]
    assumed += [line for line in one.assumed if not line.startswith("compression")]
    if asked.no_result:
        assumed.append("the result's way back: left out")
    table = None
    if asked.objective != "throughput":
        loads = sorted({*LOADS, asked.server_load})
        about = {"model": model.name, "alternative": one.alternative, "device": asked.device, "server": asked.server}
        table = split_table(one.costs, single=asked.method == "neurosurgeon", loads=loads, about=about)
    scores: tuple[Score, ...] = ()
    if asked.trace is not None:
        assert table is not None
        settings = Settings(
            asked.server_load, asked.noise, asked.margin, switch_cost=asked.switch_cost, seed=asked.seed
        )
        scores = tuple(replay(table, read_trace(asked.trace), settings))
    return CutAnswer(asked, case, one, predicted, tuple(assumed), table, scores)


def _predicted(device: str, layers: int, network: str) -> Prediction:
    forms = best_forms([sample for sample in shipped_samples(device) if sample.network != network])
    return Prediction(device, layers, tuple((form, error) for form, error in forms.values()))


def _compressions(asked: CutQuestion, case: Case) -> tuple[tuple[Compression, ...], tuple[str, ...]]:
    if asked.compress is None:
        return (), ()
    layers = {name for variant in case.compiled.variants for name in variant.layers}
    kinds = [machine_type(argument).name for argument in (asked.device, asked.server)]
    file = read_compressions(asked.compress)
    return options_for(file, kinds[0], kinds[1], layers, asked.max_accuracy_loss)


def _share(asked: CutQuestion) -> SharingAnswer:
    assert asked.users is not None
    if asked.users.isdigit():
        if not 1 <= int(asked.users) <= 1000:
            raise InputError(f"--users takes 1 to 1000 users, got {asked.users}")
        if asked.uplink is None:
            raise InputError("the rate of the uplink is not known", tip='give --uplink "5 Mbit/s"')
        assert asked.model is not None
        user = User(
            name="user",
            model=asked.model,
            device=asked.device,
            uplink=asked.uplink,
            latency=asked.latency or 0.0,
            input=asked.input_size,
            count=int(asked.users),
        )
        file = UsersFile(format="placer/users/1", source="command line", users=(user,))
    else:
        file = read_users(asked.users)
    many = crowd(file, asked.server)
    table, kinds = many.table, many.kinds
    return SharingAnswer(asked, many, exact(table, kinds), alternating(table, kinds=kinds), equal(table, kinds))
