"""Connections that go, come, or change their names: what a push must not do by accident."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from issuebridge.domain.config import Config, Connection
from issuebridge.domain.errors import Misconfigured
from issuebridge.domain.issue import CanonicalIssue


@dataclass(frozen=True)
class Departures:
    """`names`: old -> new, as asked for. `begun`: those of them that an earlier run has begun.
    `orphans`: what may go although issues are linked there."""

    running: Config
    config: Config
    names: Mapping[str, str]
    begun: frozenset[str]
    orphans: Sequence[str]

    def demand(self, issues: Sequence[CanonicalIssue]) -> None:
        """Misconfigured with every problem and its remedy."""
        problems = [*self._wrong_names(), *self._wrong_orphans(), *self._gone(issues)]
        problems += self._other_kinds()
        if problems:
            raise Misconfigured("\n".join(problems))

    def _wrong_names(self) -> Iterator[str]:
        for old, new in self.names.items():
            why = self._wrong_in_file(old, new) or self._wrong_as_it_runs(old, new)
            if why:
                yield f"--rename {old}={new}: {why}"
        if len({*self.names.values()}) < len(self.names):
            yield "--rename: two connections cannot become one"

    def _wrong_in_file(self, old: str, new: str) -> str | None:
        if old in self.config.connections:
            return f"{old} is still in the file: take it out, or keep its name"
        if new not in self.config.connections:
            return f"no connection is called {new} in the file: add it"
        return None

    def _wrong_as_it_runs(self, old: str, new: str) -> str | None:
        if old in self.begun:
            return None
        if old not in self.running.connections:
            return f"no connection is called {old} in the running configuration"
        if new in self.running.connections:
            return f"{new} runs already: links of two connections cannot be mixed"
        if not self._is_same(old, new):
            return "they are not the same system: kind, base_url or org differ"
        return None

    def _wrong_orphans(self) -> Iterator[str]:
        for name in self.orphans:
            if name not in self.running.connections or name in self.config.connections:
                yield f"--orphan {name}: it does not go; only what leaves the file can be let go"

    def _gone(self, issues: Sequence[CanonicalIssue]) -> Iterator[str]:
        leaving = self.running.connections.keys() - self.config.connections.keys()
        for name in sorted(leaving - {*self.names} - {*self.orphans}):
            linked = sum(_is_linked(issue, name) for issue in issues)
            told = f"connections: {name} goes, and {linked} issues are linked there"
            if heirs := self._heirs(name):
                yield (
                    f"{told}; {' and '.join(heirs)} came with the same kind and address: "
                    f"`--rename {name}={heirs[0]}` takes them along, `--orphan {name}` lets them go"
                )
            elif linked:
                yield f"{told}: `--orphan {name}` lets them go: they are mirrored no more"

    def _heirs(self, name: str) -> list[str]:
        came = self.config.connections.keys() - self.running.connections.keys()
        taken = {*self.names.values()}
        return sorted(heir for heir in came - taken if self._is_same(name, heir))

    def _is_same(self, old: str, new: str) -> bool:
        return _system(self.running.connections[old]) == _system(self.config.connections[new])

    def _other_kinds(self) -> Iterator[str]:
        for name in sorted(self.running.connections.keys() & self.config.connections.keys()):
            before, after = (c.connections[name].kind for c in (self.running, self.config))
            if before != after:
                yield (
                    f"connections.{name}.kind: {before} -> {after}: what is linked there would be "
                    "looked for in another system: give the new one a name of its own"
                )


def _system(connection: Connection) -> tuple[str, ...]:
    return (connection.kind, connection.base_url, connection.tenant)


def _is_linked(issue: CanonicalIssue, name: str) -> bool:
    ref = issue.refs.get(name)
    others = [other for other in issue.refs.values() if other.connection != name and other.is_live]
    return ref is not None and ref.is_live and bool(others)
