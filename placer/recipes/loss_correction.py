"""Fit the correction of the chain model: ``python -m placer.recipes.loss_correction -o FILE`` writes its weights.

Draws random networks (:mod:`placer.recipes.loss_networks`), counts what a run of ``EVENTS`` events loses at each task
(:mod:`placer.recipes.loss_kernel`, or the simulator's own loop where there are exits), takes the features of the
streams at the flows of the run (:mod:`placer.recipes.loss_labels`) and fits the weights
(:mod:`placer.recipes.loss_training`). No public data and no network of a benchmark is among them. Needs numba.

The shipped weights were fitted with the defaults; an hour or so on two cores. Same numpy and BLAS, same weights;
otherwise as good ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from placer.queueing.network import QueueNetwork
from placer.queueing.pair_network import WEIGHT_NAMES
from placer.recipes.loss_kernel import count
from placer.recipes.loss_labels import WARMUP_EVENTS, Label, Streams, joined, label, streams
from placer.recipes.loss_networks import general, meeting, telling
from placer.recipes.loss_training import Plan, train
from placer.simulation.quick import is_plain

EVENTS = 300_000
CHUNK = 1000
SEED = 6
GENERAL, MEETING = 20_000, 60_000
"""Networks drawn of each kind; about one in two or three is telling."""


def labelled(draw: Callable[[int], QueueNetwork], drawn: int, events: int) -> Iterator[Streams]:
    """Streams of the telling ones among the first networks of a kind, ``CHUNK`` networks a table.

    Args:
        draw: network by index.
        drawn: how many are drawn.
        events: of each simulation.
    """
    networks: list[QueueNetwork] = []
    labels: list[Label] = []
    for index, network in telling(draw, 0, drawn):
        seed = np.random.SeedSequence([SEED, index])
        if is_plain(network):
            rng = np.random.Generator(np.random.PCG64(seed))
            labels.append(Label(*count(network, rng, WARMUP_EVENTS, events)))
        else:
            labels.append(label(network, [SEED, index], events))
        networks.append(network)
        if len(networks) == CHUNK:
            yield streams(networks, labels)
            networks, labels = [], []
    if networks:
        yield streams(networks, labels)


def main(arguments: list[str] | None = None) -> int:
    """Make the weights and write them."""
    parser = argparse.ArgumentParser(prog="python -m placer.recipes.loss_correction", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="file of the weights (.npz)")
    parser.add_argument("--general", type=int, default=GENERAL, help="general networks drawn")
    parser.add_argument("--meeting", type=int, default=MEETING, help="networks drawn of streams that meet")
    parser.add_argument("--events", type=int, default=EVENTS, help="events of each simulation")
    parser.add_argument("--epochs", type=int, default=Plan.epochs, help="passes over the data")
    given = parser.parse_args(arguments)
    parts = [*labelled(meeting, given.meeting, given.events), *labelled(general, given.general, given.events)]
    data = joined(parts)
    print(f"{len(data.odds)} streams", file=sys.stderr)
    weights = train(
        data, Plan(epochs=given.epochs), lambda epoch, cost: print(f"epoch {epoch}: {cost:.4f}", file=sys.stderr)
    )
    np.savez_compressed(given.output, allow_pickle=False, **{name: getattr(weights, name) for name in WEIGHT_NAMES})
    return 0


if __name__ == "__main__":
    sys.exit(main())
