"""Everything in the table that is keyed by a connection moves to its new name.

Each step can be repeated, so whatever a crash leaves is finished by the next run. What keeps others
from acting on what is half moved is read afresh by them at each step, unlike the configuration:
the leases of both names, which keep every poll out, and the gate. That row moves first, and nothing
is created at a connection whose gate knows of no whole sweep. (To store the configuration with the
connection paused would drop the marks of what lags there, and not stop a function that has read
the old one.)
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from issuebridge.adapters.dynamodb import DynamoDBIssueStore, DynamoDBLedger
from issuebridge.adapters.dynamodb_connections import DynamoDBConnectionStore
from issuebridge.adapters.table import Item, Table, number, text
from issuebridge.domain.effect import Effect
from issuebridge.domain.errors import LostRace, Rejected
from issuebridge.domain.rename import renamed_budget, renamed_effect, renamed_issue
from issuebridge.ports import Clock

LEASE_SECONDS = 900
"""For the longest step; a repeat takes it again."""
RACES_MAX = 5
PASSES_MAX = 20


@dataclass(frozen=True)
class Rename:
    """`hold`, `move`, then store the configuration, `move` again for what came in between, and
    `release`."""

    table: Table
    store: DynamoDBIssueStore
    ledger: DynamoDBLedger
    connections: DynamoDBConnectionStore
    clock: Clock
    old: str
    new: str

    @property
    def _taker(self) -> str:
        return f"rename {self.old} to {self.new}"

    def is_begun(self) -> bool:
        """Whether an earlier run has got so far that only the new name goes on."""
        item = self.table.get((f"CONNECTION#{self.old}", "STATE"))
        return bool(item and item.get("taker", {}).get("S") == self._taker)

    def hold(self) -> None:
        """LostRace while a poll is under way. Rejected while a comment is: its key holds the name,
        and it could not be found again."""
        for name in (self.old, self.new):
            self.connections.acquire(name, self.clock.now(), LEASE_SECONDS, self._taker)
        for effect in self.ledger.open("comment", self.old):
            if effect.sends:
                raise Rejected(f"a comment on {effect.issue_id} has no answer yet: run a round")

    def move(self) -> None:
        """LostRace where others keep changing the same issue; run it again."""
        self._move_notes()
        for of in ("SEEN#{}", "SEEN#{}#BUCKETS", "SWEPT#{}"):
            self._move_rows(of.format(self.old), of.format(self.new), keep=False)
        self._move_names(keep=True)
        for _ in range(PASSES_MAX):
            if not self._move_issues():
                break
        for effect in self._effects():
            if effect.connection == self.old:
                self._again(partial(self._move_effect, effect.key))
        self._move_names(keep=False)
        self._move_budgets()

    def release(self) -> None:
        """The lease of the old name is left to run out: a poll that had read the old configuration
        finds it taken."""
        now = self.clock.now()
        self.connections.save(self.connections.acquire(self.new, now, LEASE_SECONDS, self._taker))

    def _move_notes(self) -> None:
        for sk in ("GATE", "PAUSE", "PROOF"):
            item = self.table.get((f"CONNECTION#{self.old}", sk))
            if item:
                self._put_new(self._under_new_name(item, f"CONNECTION#{self.new}"))
                self.table.remove((f"CONNECTION#{self.old}", sk))
        state = self.table.get((f"CONNECTION#{self.old}", "STATE")) or {}
        if "doc" not in state:
            return
        moved = self._under_new_name(state, "")
        ours = "taker = :taker"
        self.table.update(
            (f"CONNECTION#{self.new}", "STATE"),
            "SET doc = :doc, generation = :generation",
            ours,
            doc=moved["doc"],
            generation=number(int(state["generation"]["N"]) + 1),
            taker=text(self._taker),
        )
        self.table.update(
            (f"CONNECTION#{self.old}", "STATE"), "REMOVE doc", ours, taker=text(self._taker)
        )

    def _under_new_name(self, item: Item, pk: str) -> Item:
        """The documents of these rows name their connection, first of all."""
        moved = {**item, "pk": text(pk)}
        if "doc" in item:
            named = f'"connection":"{self.old}"', f'"connection":"{self.new}"'
            remedy = f"`issuebridge allow {self.old}`", f"`issuebridge allow {self.new}`"
            moved["doc"] = text(item["doc"]["S"].replace(*named, 1).replace(*remedy))
        return moved

    def _move_rows(self, old: str, new: str, *, keep: bool) -> None:
        for row in self.table.query(old):
            self._put_new({**row, "pk": text(new)})
            if not keep:
                self.table.remove((old, row["sk"]["S"]))

    def _put_new(self, item: Item) -> None:
        """What stands there came later."""
        with suppress(LostRace):
            self.table.put(item, "attribute_not_exists(pk)")

    def _move_names(self, *, keep: bool) -> None:
        for kind in ("REF", "ALIAS"):
            prefix = f"{kind}#{self.old}#"
            for row in self._scanned(prefix):
                old = row["pk"]["S"]
                self._put_new({**row, "pk": text(f"{kind}#{self.new}#{old.removeprefix(prefix)}")})
                if not keep:
                    self.table.remove((old, row["sk"]["S"]))

    def _scanned(self, prefix: str) -> Iterator[Item]:
        return self.table.scan("begins_with(pk, :prefix)", prefix=text(prefix))

    def _effects(self) -> list[Effect]:
        rows = self._scanned("EFFECT#")
        return [Effect.model_validate_json(row["doc"]["S"]) for row in rows]

    def _move_issues(self) -> bool:
        """Whether there was one to move."""
        asked = {
            effect.issue_id: effect.key
            for effect in self._effects()
            if effect.kind == "create" and effect.connection in (self.old, self.new)
        }
        moved = False
        for issue in self.store.all():
            key = asked.get(issue.issue_id)
            if renamed_issue(issue, self.old, self.new, key) != issue:
                self._again(partial(self._move_issue, issue.issue_id, key))
                moved = True
        return moved

    def _again(self, step: partial[None]) -> None:
        for race in range(RACES_MAX):
            try:
                return step()
            except LostRace:
                if race + 1 == RACES_MAX:
                    raise
        return None

    def _move_issue(self, issue_id: str, key: str | None) -> None:
        issue = self.store.load(issue_id)
        if issue:
            self.store.commit(renamed_issue(issue, self.old, self.new, key))

    def _move_effect(self, key: str) -> None:
        effect = self.ledger.get(key)
        if effect and effect.connection == self.old:
            self.ledger.put(renamed_effect(effect, self.old, self.new))

    def _move_budgets(self) -> None:
        today = self.clock.now().date() - timedelta(days=1)
        for row in self._scanned("BUDGET#"):
            name = row["pk"]["S"].removeprefix("BUDGET#")
            moved = renamed_budget(name, self.old, self.new)
            if moved != name and row["sk"]["S"] >= today.isoformat():
                self._put_new({**row, "pk": text(f"BUDGET#{moved}")})
                self.table.remove((row["pk"]["S"], row["sk"]["S"]))
