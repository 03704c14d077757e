"""Cut a failing history down to the shortest one that still fails in the same way."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.histories import History
from tests.simulation.play import Played, play
from tests.simulation.steps import Calm, Fault, Step, Work

PLAYS_MAX = 600

Steps = tuple[Step, ...]


def shrink(history: History, failure: Played) -> tuple[History, Played]:
    """Greedy: larger pieces first, then single steps, then the faults inside them."""
    left = PLAYS_MAX
    size = max(len(history.steps) // 2, 1)
    while left > 0:
        for steps in _smaller(history.steps, size):
            left -= 1
            if left <= 0:
                break
            played = play(replace(history, steps=steps))
            if played.kind == failure.kind:
                history, failure = replace(history, steps=steps), played
                break
        else:
            if size == 1:
                break
            size //= 2
    return history, failure


def _smaller(steps: Steps, size: int) -> Iterator[Steps]:
    for start in range(0, len(steps), size):
        yield steps[:start] + steps[start + size :]
    if size == 1:
        for place, step in enumerate(steps):
            for simpler in _simpler(step):
                yield (*steps[:place], simpler, *steps[place + 1 :])


def _simpler(step: Step) -> Iterator[Step]:
    if isinstance(step, Calm) and step.rounds > 1:
        yield replace(step, rounds=step.rounds - 1)
    if not isinstance(step, Work):
        return
    for place, fault in enumerate(step.faults):
        others = step.faults[:place], step.faults[place + 1 :]
        yield replace(step, faults=(*others[0], *others[1]))
        for inner in _simpler(fault.step) if fault.step else ():
            changed: Fault = replace(fault, step=inner)
            yield replace(step, faults=(*others[0], changed, *others[1]))


def report(history: History, failure: Played) -> str:
    """What a person needs to see: the seed, the configuration, the steps, what does not hold."""
    shown: list[Callable[[], str] | str] = [
        f"seed {history.seed}: {failure.failure}",
        f"configuration: {history.topology.document}",
        f"habits: {history.topology.habits}",
        f"norm: {history.topology.norm} streamless={history.topology.streamless}"
        f" index_lag={history.topology.index_lag}",
        "steps:",
        *(f"  {step}" for step in history.steps),
    ]
    return "\n".join(map(str, shown))
