"""The steps of a function that works through a list: in turn, and carefully after a death."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from issuebridge.use_cases.careful import Careful


@dataclass(frozen=True)
class Job:
    """One step; `set_aside` is done instead when workers have died of it."""

    name: str
    do: Callable[[], None]
    set_aside: Callable[[], None]


def in_turn(*lists: Sequence[Job]) -> list[Job]:
    return [job for job in chain.from_iterable(zip_longest(*lists)) if job]


def carefully(jobs: Sequence[Job], careful: Careful, has_time: Callable[[], bool]) -> Iterator[Job]:
    """Each as it is to be done now, while there is time; what a worker has died of comes last."""
    if not jobs:
        return
    careful.begin()
    for job in sorted(jobs, key=lambda job: careful.deaths(job.name)):
        if not has_time():
            break
        if job.name == careful.others_row:
            continue
        if careful.is_deadly(job.name):
            yield Job(job.name, job.set_aside, job.set_aside)
            continue
        careful.at(job.name)
        yield job
    careful.end()
