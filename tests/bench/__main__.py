"""What speed is made of, as ratios measured in one run: `make bench`.

A wall time depends on the machine and proves nothing; what a thing costs in terms of another, on
the same machine in the same minute, does.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from tests.world import World

RUNS = 7
ISSUES = 2000
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
    for name, ratio in {**cold_starts(), **rounds(ISSUES)}.items():
        sys.stdout.write(f"{name:<60} {ratio:8.3f}\n")


if __name__ == "__main__":
    main()
