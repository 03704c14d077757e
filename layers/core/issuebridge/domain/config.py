"""The configuration file: what is wrong in it is refused with its path and the remedy."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated, ClassVar, Generic, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic import Field as Setting
from pydantic_core import ErrorDetails
from typing_extensions import TypeVar

from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.problems import in_words
from issuebridge.domain.rules import NormSettings, Rule
from issuebridge.domain.traits import Traits
from issuebridge.domain.words import (
    CANONICAL_WORDS,
    OPEN_STATUSES,
    SEVERITIES,
    STATUSES,
    Field,
    Lens,
)

Mode = Literal["observe", "mirror", "paused"]
Carrier = Literal["native", "managed_line", "comment", "hub"]
NAME, HEADER, OFFSET = r"^[a-z][a-z0-9-]{0,31}$", r"^[!-~]+$", r"^[+-](0\d|1[0-4]):[0-5]\d$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
HeaderText = Annotated[str, StringConstraints(pattern=HEADER)]
Canonical = dict[str, list[str]]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Poll(Model):
    """How much of a connection one round reads."""

    pages_max: int = Setting(default=20, ge=1, le=1000)
    overlap_seconds: int = Setting(default=300, ge=0)
    seen_within_minutes: float = Setting(
        default=0, ge=0, le=1440, description="a sweep begins no sooner after the last one began"
    )


class Breaker(Model):
    """A connection that says more than both of these in a while stops, and asks a person."""

    count: int = Setting(default=20, ge=1)
    share: float = Setting(default=0.2, gt=0, le=1, description="of the connection's issues")
    window_minutes: float = Setting(default=60, ge=1, le=1440)

    def limit(self, known: int) -> int:
        return max(self.count, int(self.share * known))


class Prefer(Model):
    prefer: Name


class Connection(Model):
    """One configured link to one issue system; each kind adds what only it knows."""

    traits: ClassVar[Traits]
    kind: str
    base_url: str
    secret: str = Setting(description="name of the API key in Secrets Manager, never the key")
    mode: Mode = "observe"
    issue_url: str | None = Setting(
        default=None, description="deep link with {id}, {number} or {display_id}"
    )
    carriers: dict[Field, Carrier] = {}
    maps: dict[Literal["status", "severity"], Canonical] = {}
    conflict: dict[Field, Literal["latest", "hold"] | Prefer] = {}
    requests_per_second: float | None = Setting(default=None, gt=0)
    poll: Poll = Poll()
    breaker: Breaker = Breaker()
    writes_per_hour: int = Setting(
        default=6, ge=1, description="of one field of one issue; beyond, it is held: a fight"
    )
    category: str | None = Setting(default=None, description="category of issues created here")
    ca_pem: str | None = Setting(default=None, description="a private CA's certificate, as PEM")
    utc_offset: str = Setting(
        default="+00:00",
        pattern=OFFSET,
        description="of times that this vendor tells without a zone",
    )

    @property
    def zone(self) -> timezone:
        hours, minutes = self.utc_offset.split(":")
        sign = -1 if hours[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(hours[1:]), minutes=int(minutes)))

    @property
    def tenant(self) -> str:
        """What tells apart those who use one address with one key."""
        return ""

    def lacks(self, route: "Route") -> str | None:
        """What `route` cannot create here without, and how to give it."""
        return None

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give the whole address, such as https://api.example.com")
        if parts.username or parts.password or parts.query:
            raise ValueError("no credentials or query in an address: the key belongs in `secret`")
        return value.rstrip("/")

    @field_validator("issue_url")
    @classmethod
    def _has_known_fields(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            made = value.format(id="1", number=1, display_id="T-1")
        except (KeyError, ValueError, IndexError, AttributeError):
            raise ValueError("only {id}, {number} and {display_id} exist in it") from None
        if urlsplit(made).scheme not in ("http", "https"):
            raise ValueError("give an http(s) address")
        return value

    @field_validator("maps")
    @classmethod
    def _is_total(cls, value: dict[str, Canonical]) -> dict[str, Canonical]:
        for name, words in value.items():
            known = CANONICAL_WORDS[name]  # type: ignore[index]
            strange = sorted({word for row in words.values() for word in row} - set(known))
            if strange:
                raise ValueError(f"{name}: {', '.join(strange)} is none of {', '.join(known)}")
            missing = Lens({raw: tuple(row) for raw, row in words.items()}).missing(known)
            if missing:
                raise ValueError(f"{name}: no raw word stands for {', '.join(missing)}: add it")
        return value


class Filter(Model):
    """Which issues a route brings over; by default those that are not finished."""

    @model_validator(mode="after")
    def _has_known_words(self) -> Self:
        for name, words in (("status", STATUSES), ("severity", SEVERITIES)):
            given = getattr(self, name)
            if given is not None and (not given or set(given) - set(words)):
                raise ValueError(f"{name}: give some of {', '.join(words)}")
        return self

    status: list[str] = list(OPEN_STATUSES)
    severity: list[str] | None = None
    category: list[str] | None = None


class Route(Model):
    """Issues born at `source` get a counterpart at `target`."""

    model_config = ConfigDict(populate_by_name=True)
    source: Name = Setting(alias="from")
    target: Name = Setting(alias="to")
    since: Literal["now"] | AwareDatetime = "now"
    filter: Filter | None = None
    daily_budget: int | None = Setting(default=None, ge=1)
    on_delete: Literal["ignore", "close"] = Setting(
        default="ignore", description="what the other side does when one side is deleted"
    )

    @property
    def filter_or_default(self) -> Filter:
        return self.filter or Filter()

    @property
    def since_at(self) -> datetime:
        if self.since == "now":
            raise Misconfigured(
                f"routes: {self.source} -> {self.target}: `since: now` is fixed when the file is "
                "pushed; push it with `issuebridge push`"
            )
        return self.since


class Recovery(Model):
    """How often, and over how long, we look for an effect whose answer was lost."""

    looks: int = Setting(default=3, ge=1)
    over_seconds: float = Setting(default=120, ge=0)


C = TypeVar("C", bound=Connection, default=Connection)


class Config(Model, Generic[C]):
    """The whole file; `C` are the kinds of connections there are."""

    version: Literal[1]
    connections: dict[Name, C] = Setting(min_length=1)
    routes: list[Route] = []
    recovery: Recovery = Recovery()
    norm: NormSettings = NormSettings()

    @property
    def rules(self) -> list[Rule]:
        """Norm's rules, each with the connection it asks at."""
        first = next(iter(self.with_agent), None)
        return [rule.model_copy(update={"at": rule.at or first}) for rule in self.norm.rules]

    @property
    def siblings(self) -> dict[str, list[str]]:
        """Connections of one kind at one address may show the same issues, whatever their keys."""
        return {
            name: [
                other
                for other, o in self.connections.items()
                if other != name and (o.kind, _host(o.base_url)) == (c.kind, _host(c.base_url))
            ]
            for name, c in self.connections.items()
        }

    @property
    def with_agent(self) -> list[str]:
        """The connections where Norm can be prompted."""
        return [name for name, c in self.connections.items() if c.traits.agent]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [problem for route in self.routes for problem in self._route_problems(route)]
        pairs = Counter((route.source, route.target) for route in self.routes)
        problems += [f"routes: {a} -> {b} stands twice" for (a, b), n in pairs.items() if n > 1]
        problems += [
            f"connections.{name}.conflict: no connection is called {rule.prefer}"
            for name, connection in self.connections.items()
            for rule in connection.conflict.values()
            if isinstance(rule, Prefer) and rule.prefer not in self.connections
        ]
        problems += [problem for rule in self.norm.rules for problem in self._rule_problems(rule)]
        names = Counter(rule.name for rule in self.norm.rules)
        problems += [f"norm.rules: {name} stands twice" for name, n in names.items() if n > 1]
        same = Counter((c.kind, c.base_url, c.secret, c.tenant) for c in self.connections.values())
        if any(count > 1 for count in same.values()):
            problems.append(
                "connections: two of them are the same system with the same key; routes between "
                "them would never end: keep one"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _rule_problems(self, rule: Rule) -> list[str]:
        place, names = f"norm.rules: {rule.name}", self.with_agent
        origins = sorted(set(rule.when.origin or ()) - self.connections.keys())
        at = rule.at or (names[0] if len(names) == 1 else None)
        if at not in names:
            return [f"{place}: set `at` to a connection that has an agent: {', '.join(names)}"]
        checks = {
            f"no connection is called {', '.join(origins)}": bool(origins),
            f"set connections.{at}.mode to mirror, or Norm cannot be prompted there": (
                rule.enabled and self.connections[at].mode == "observe"
            ),
        }
        return [f"{place}: {text}" for text, wrong in checks.items() if wrong]

    def _route_problems(self, route: Route) -> list[str]:
        place = f"routes: {route.source} -> {route.target}"
        absent = [end for end in (route.source, route.target) if end not in self.connections]
        if absent:
            return [f"{place}: no connection is called {', '.join(absent)}"]
        target = self.connections[route.target]
        lack = target.lacks(route)
        checks = {
            "its two ends are the same connection": route.source == route.target,
            f"set connections.{route.target}.mode to mirror, or nothing can be created there": (
                target.mode == "observe"
            ),
            lack or "": lack is not None,
        }
        return [f"{place}: {text}" for text, wrong in checks.items() if wrong]


def _host(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def switched_on(config: Config, running: Config | None, now: datetime) -> Config:
    """`since: now` becomes an instant: that of the running configuration, else this one."""
    begun = (
        {(route.source, route.target): route.since for route in running.routes} if running else {}
    )
    routes = [
        route.model_copy(update={"since": begun.get((route.source, route.target), now)})
        if route.since == "now"
        else route
        for route in config.routes
    ]
    norm = config.norm.model_copy(update={"rules": _rules_on(config, running, now)})
    return config.model_copy(update={"routes": routes, "norm": norm})


def _rules_on(config: Config, running: Config | None, now: datetime) -> tuple[Rule, ...]:
    """A rule that was switched off meanwhile begins anew."""
    before = running.norm.rules if running else ()
    begun = {rule.name: rule.since for rule in before if rule.enabled}
    return tuple(
        rule.model_copy(update={"since": begun.get(rule.name, now)})
        if rule.since == "now"
        else rule
        for rule in config.norm.rules
    )


def parsed(
    model: type[Config[C]], kinds: Mapping[str, type[Connection]], document: object, place: str
) -> Config[C]:
    """The validated configuration; every problem in one error, each with its path in the file."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        told: dict[str, list[str]] = {}
        for each in error.errors():
            told.setdefault(_path(each), []).append(_text(each, kinds))
        lines = (f"{place}: {path}{', or '.join(texts)}" for path, texts in told.items())
        raise Misconfigured("\n".join(lines)) from error


_KIND_UNKNOWN = ("union_tag_invalid", "union_tag_not_found")
_BRANCH = re.compile(r"(\.since|\.conflict\.\w+)\.(?:literal\[.*\]|Prefer|datetime)")
_PATTERNS = {
    NAME: "a name has small letters, digits and -, begins with a letter and ends by the 32nd",
    HEADER: "give printable characters without spaces",
    OFFSET: "give hours and minutes, such as +02:00",
}


def _path(problem: ErrorDetails) -> str:
    """Without the kind, by which pydantic has told the connections apart, and without the branch
    of what may be one or the other."""
    loc = [str(part) for part in problem["loc"]]
    if loc[:1] == ["connections"]:
        loc[2:3] = ["kind"] if problem["type"] in _KIND_UNKNOWN else []
    named = _BRANCH.sub(r"\1", ".".join(loc))
    return f"{named}: " if named else ""


def _text(problem: ErrorDetails, kinds: Mapping[str, type[Connection]]) -> str:
    if problem["type"] in _KIND_UNKNOWN:
        return f"give one of {', '.join(kinds)}"
    match problem["loc"]:
        case ("connections", _, str(kind), _) if problem["type"] == "extra_forbidden":
            return f"no such setting of {kind}: it has {', '.join(kinds[kind].model_fields)}"
    if problem["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(problem["ctx"]["pattern"], str(problem["msg"]))
    return in_words(problem)
