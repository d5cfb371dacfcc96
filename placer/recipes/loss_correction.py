"""Fit the correction of the chain model: ``python -m placer.recipes.loss_correction -o FILE`` writes its weights.

Draws random networks (:mod:`placer.recipes.loss_networks`), counts what a run of ``EVENTS`` events loses at each task
(:mod:`placer.recipes.loss_kernel`, or the simulator's own loop where there are exits), takes the features of the
streams at the flows of the run (:mod:`placer.recipes.loss_labels`) and fits the weights
(:mod:`placer.recipes.loss_training`). No public data and no network of a benchmark is among them. Needs numba.

The shipped weights were fitted with the defaults: half an hour on one core, most of it simulation. (One network in a
thousand was screened otherwise then, by an earlier form of the rules.) Same numpy and BLAS, same weights; otherwise as
good ones.
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
GENERAL = ((0, 9471), (1_000_000, 9252))
MEETING = ((0, 13_680), (1_000_000, 13_894), (2_000_000, 5135))
"""First index and number of the networks drawn of each kind; about two in three are telling."""


def labelled(draw: Callable[[int], QueueNetwork], first: int, drawn: int, events: int) -> Iterator[Streams]:
    """Streams of the telling ones among networks of a kind, ``CHUNK`` networks a table.

    Args:
        draw: network by index.
        first, drawn: first index, and how many are drawn.
        events: of each simulation.
    """
    networks: list[QueueNetwork] = []
    labels: list[Label] = []
    for index, network in telling(draw, first, first + drawn):
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
    parser.add_argument("--share", type=float, default=1.0, help="part of the networks that is drawn")
    parser.add_argument("--events", type=int, default=EVENTS, help="events of each simulation")
    parser.add_argument("--epochs", type=int, default=Plan.epochs, help="passes over the data")
    given = parser.parse_args(arguments)
    data = joined(
        [
            part
            for draw, blocks in ((meeting, MEETING), (general, GENERAL))
            for first, drawn in blocks
            for part in labelled(draw, first, max(round(given.share * drawn), 1), given.events)
        ]
    )
    print(f"{len(data.odds)} streams", file=sys.stderr)
    weights = train(
        data, Plan(epochs=given.epochs), lambda epoch, cost: print(f"epoch {epoch}: {cost:.4f}", file=sys.stderr)
    )
    np.savez_compressed(given.output, allow_pickle=False, **{name: getattr(weights, name) for name in WEIGHT_NAMES})
    return 0


if __name__ == "__main__":
    sys.exit(main())
