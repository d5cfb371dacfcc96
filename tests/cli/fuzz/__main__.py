"""``python -m tests.cli.fuzz [COUNT [SEED [FIRST]]]``: run many cases and print what they met."""

from __future__ import annotations

import faulthandler
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.cli.fuzz.campaign import Figures, campaign, open_sandbox
from tests.cli.fuzz.guard import LONGEST_SECONDS


def main(count: int = 10_000, seed: int = 0, first: int = 0) -> int:
    """Return 0 when no case misbehaved."""
    figures, begin, cpu = Figures(), time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = open_sandbox(Path(folder))
        for number, outcome in campaign(sandbox, seed, range(first, first + count)):
            # code that holds the interpreter is past the reach of an alarm: say where, and end
            faulthandler.dump_traceback_later(6 * LONGEST_SECONDS, exit=True)
            figures.add(number, outcome)
            if outcome.fault is not None:
                print(f"--- case {number}: placer {' '.join(map(ascii, outcome.command))}\n{outcome.fault}", flush=True)
            if figures.cases % 1000 == 0:
                print(f"{figures.cases} cases, {len(figures.faults)} faults, {time.perf_counter() - begin:.0f} s",
                      flush=True)  # fmt: skip
        faulthandler.cancel_dump_traceback_later()
    print(f"{figures.cases} cases of seed {seed} from {first} in {time.process_time() - cpu:.0f} s of CPU time")
    print(f"faults: {len(figures.faults)}; exit codes: {dict(figures.codes)}; commands: {dict(figures.by_command)}")
    print(f"slowest: {figures.slowest.seconds:.2f} s {figures.slowest.command!a}")
    print(f"hungriest: {figures.hungriest.growth / 2**20:.0f} MiB {figures.hungriest.command!a}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
