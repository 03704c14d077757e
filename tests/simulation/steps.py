"""What can happen in a history, as data that reads well when it is printed."""

from dataclasses import dataclass, field

from issuebridge.use_cases.by_hand import Side


@dataclass(frozen=True)
class Add:
    """A person files an issue."""

    connection: str
    title: str
    words: str
    raw: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Copy:
    """A person files another issue with the words of the nth one, our line among them."""

    connection: str
    nth: int


@dataclass(frozen=True)
class Edit:
    """A person gives a field of the nth issue there another raw value."""

    connection: str
    nth: int
    field: str
    raw: str | None


@dataclass(frozen=True)
class Describe:
    """A person rewrites the description of the nth issue; `how` names one of `people.REWRITES`."""

    connection: str
    nth: int
    how: str
    text: str


@dataclass(frozen=True)
class Delete:
    """A person deletes the nth issue there."""

    connection: str
    nth: int


@dataclass(frozen=True)
class Restore:
    """The nth issue there comes back, if it was deleted."""

    connection: str
    nth: int


@dataclass(frozen=True)
class Unlink:
    """The operator lets the copy go that is the nth issue there."""

    connection: str
    nth: int


@dataclass(frozen=True)
class Release:
    """The operator tries everything of the nth issue there again; `take` decides what is held."""

    connection: str
    nth: int
    take: Side


@dataclass(frozen=True)
class Mode:
    """The operator pushes a configuration in which this connection writes, or only looks."""

    connection: str
    mode: str


@dataclass(frozen=True)
class Blank:
    """For some time the vendor shows nothing at all, as with the key of another tenant."""

    connection: str
    seconds: int


@dataclass(frozen=True)
class Ask:
    """A prompt for the nth issue at a bland connection is put on the queue."""

    connection: str
    nth: int
    intent: str
    text: str


@dataclass(frozen=True)
class Learn:
    """The operator pushes a configuration that knows another word."""

    connection: str
    field: str
    words: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Wait:
    seconds: int


@dataclass(frozen=True)
class Calm:
    """Rounds in which nothing fails."""

    rounds: int


@dataclass(frozen=True)
class Bell:
    """The nth record of the stream is lost, or delivered once more."""

    nth: int
    what: str


@dataclass(frozen=True)
class Fault:
    """Strikes at one boundary of a worker's effects: 2k is before its effect k, 2k+1 after it. With
    `on`, only effects of that name count.

    `crash`: the worker is never heard of again. `fail`: the call fails, `amount` chooses how.
    `pause`: the worker sleeps for `amount` seconds. `garbage`: a page comes out wrong.
    `meanwhile`: another step happens right there. `zombie`: a poll sleeps beyond its lease, lives
    on all the same, and another step happens while it sleeps.
    """

    at: int
    kind: str
    amount: int = 0
    step: "Step | None" = None
    on: str = ""


@dataclass(frozen=True)
class Work:
    """A worker runs: poll NAME, mirror record n, finish, or prompt message n."""

    job: str
    target: str | int = 0
    faults: tuple[Fault, ...] = field(default=())


Step = (
    Add
    | Copy
    | Edit
    | Describe
    | Delete
    | Restore
    | Unlink
    | Release
    | Mode
    | Blank
    | Ask
    | Learn
    | Wait
    | Calm
    | Bell
    | Work
)


def weight(step: Step) -> int:
    """The step and all that happens inside it."""
    if not isinstance(step, Work):
        return 1
    return 1 + sum(1 + (weight(f.step) if f.step else 0) for f in step.faults)
