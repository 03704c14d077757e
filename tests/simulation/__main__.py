"""`python -m tests.simulation --seeds 20000`, or `--seed 7` to replay one; on every core."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool

from tests.simulation.crashes import SCENARIOS
from tests.simulation.hardships import HARDSHIPS, struck_anywhere
from tests.simulation.histories import History
from tests.simulation.outsiders import make_outside
from tests.simulation.play import Played, play
from tests.simulation.shrink import report, shrink
from tests.simulation.small_histories import Walked, every_world, walk
from tests.simulation.small_world import SMALL_WORLDS

CHUNK = 50
SMALL_STEPS = 5
SHOWN_MAX = 3


@dataclass
class Tally:
    """What many histories came to."""

    figures: Counter[str] = field(default_factory=Counter)
    crash_points: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, history: History, played: Played) -> None:
        self.figures.update(played.figures)
        self.crash_points.update(played.crash_points)
        if played.failure:
            if len(self.failures) < SHOWN_MAX:
                history, played = shrink(history, played)
            self.failures.append(report(history, played))

    def merge(self, other: "Tally") -> None:
        self.figures.update(other.figures)
        self.crash_points.update(other.crash_points)
        self.failures.extend(other.failures)


def run_seeds(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        history = make_outside(seed)
        tally.add(history, play(history))
    return tally


def run_scenario(name: str) -> Tally:
    tally = Tally()
    for history in struck_anywhere(name):
        tally.figures["enumerated blows"] += 1
        tally.add(history, play(history))
    return tally


def _tallies(seeds: range) -> Iterator[Tally]:
    starts = range(seeds.start, seeds.stop, CHUNK)
    chunks = [range(start, min(start + CHUNK, seeds.stop)) for start in starts]
    with Pool(os.cpu_count()) as pool:
        names = [*SCENARIOS, *HARDSHIPS]
        yield from pool.imap_unordered(run_scenario, names)
        yield from pool.imap_unordered(run_seeds, chunks)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="replay this one, and cut it down if it fails")
    parser.add_argument("--small", type=int, default=SMALL_STEPS, help="steps in the small worlds")
    given = parser.parse_args()
    if given.seed is not None:
        return _told(run_seeds(range(given.seed, given.seed + 1)), 0)
    began, tally = time.monotonic(), Tally()
    for part in _tallies(range(given.first, given.first + given.seeds)):
        tally.merge(part)
    return _told(tally, time.monotonic() - began) | walk_small_worlds(given.small)


def walk_small_worlds(steps: int) -> int:
    """Every history of so many steps, instead of some long ones."""
    began, sound = time.monotonic(), True
    with Pool(os.cpu_count()) as pool:
        for walked in pool.imap_unordered(_walk, list(_walks(steps))):
            sound &= walked.is_sound
            sys.stdout.write(f"{walked.report()}\n")
    sys.stdout.write(f"{time.monotonic() - began:>12,.0f}  seconds in small worlds\n")
    return 0 if sound else 1


def _walks(steps: int) -> Iterator[tuple[str, str, int]]:
    """A third copy costs more than one step."""
    for name, rule in every_world():
        yield name, rule, steps - max(len(SMALL_WORLDS[name][1]) - 2, 0)


def _walk(given: tuple[str, str, int]) -> Walked:
    return walk(*given)


def _told(tally: Tally, seconds: float) -> int:
    lines = [f"{count:>12,}  {name}" for name, count in sorted(tally.figures.items())]
    lines += [
        f"{len(tally.crash_points):>12,}  different crash points",
        f"{seconds:>12,.0f}  seconds",
        f"{len(tally.failures):>12,}  failures",
        *(failure.split("\n")[0] for failure in tally.failures),
        *tally.failures[:SHOWN_MAX],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
