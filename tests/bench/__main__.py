"""What speed and cost are made of: `make bench`, `make bench ISSUES="1000 100000"`.

A wall time depends on the machine and proves nothing; what a thing costs in terms of another, on
the same machine in the same minute, does. What the table charges is counted (`costs`).
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from tests.bench.costs import measured
from tests.world import World

RUNS = 7
ISSUES = 2000
SIZES = (1_000, 10_000)
HANDLERS = ("poll", "mirror", "submit_prompt")
PATHS = "import sys; sys.path[:0] = ['.', 'layers/core']; "


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def started(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def cold_starts() -> dict[str, float]:
    """To import a handler, in turns with an empty process."""
    times: dict[str, list[float]] = {}
    for _ in range(RUNS):
        times.setdefault("", []).append(seconds(lambda: started("pass")))
        for name in HANDLERS:
            code = f"{PATHS}import functions.{name}.handler"
            times.setdefault(name, []).append(seconds(lambda code=code: started(code)))
    base = median(times.pop(""))
    return {f"import {name} / empty process": median(t) / base for name, t in times.items()}


def rounds(issues: int) -> dict[str, float]:
    """A round over issues that nobody edited, and over one edited among them."""
    world = World()
    bland = world.systems["bland"]
    bland.page_size = 100
    for number in range(issues):
        bland.add(f"issue {number}", severity="low")
    new = seconds(lambda: world.poll("bland", whole_sweep=True))
    world.poll("bland", whole_sweep=True)
    loads, writes = world.store.loads, world.store.writes
    idle = median(seconds(lambda: world.poll("bland", whole_sweep=True)) for _ in range(RUNS))
    read, written = world.store.loads - loads, world.store.writes - writes
    edited = []
    for number in range(RUNS):
        bland.edit(f"uuid-{1001 + number}", status="done")
        edited.append(seconds(lambda: world.poll("bland", whole_sweep=True)))
    return {
        f"a round over {issues:,} unchanged issues / the same issues new": idle / new,
        "a round with one edit / a round without": median(edited) / idle,
        "items read for an unchanged issue": read / issues,
        "items written for an unchanged issue": written / issues,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("issues", type=int, nargs="*", default=SIZES, help="at each of two boards")
    given = parser.parse_args()
    for name, ratio in {**cold_starts(), **rounds(ISSUES)}.items():
        sys.stdout.write(f"{name:<60} {ratio:8.3f}\n")
    figures = [dict(measured(issues)) for issues in given.issues]
    heads = "".join(f"{issues:>12,}" for issues in given.issues)
    sys.stdout.write(f"\n{'what the table charges, by issues on each board':<52}{heads}\n")
    for name in figures[0]:
        sys.stdout.write(f"{name:<52}{''.join(f'{f[name]:>12.1f}' for f in figures)}\n")


if __name__ == "__main__":
    main()
