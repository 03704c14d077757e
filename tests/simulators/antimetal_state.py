"""What antimetal remembers, and the parts an issue is made of."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .clock import Clock, millis, parse
from .simulator import Simulator
from .wire import Json, Refused


class AntimetalState(Simulator):
    def __init__(
        self,
        api_key: str | None = None,
        switches: Mapping[str, object] | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(api_key, switches, clock=clock, seed=seed)
        self.last_number = 0
        self.hidden: set[str] = set()  # uuids of other organizations' issues
        self.due: dict[str, datetime] = {}  # when the running analysis of an issue ends
        self.texts: dict[str, dict[int, Json]] = {}  # title and description by version
        self.buried: dict[str, Json] = {}

    def now_text(self) -> str:
        return millis(self.clock.now())

    def update(self, uuid: str, **changes: Any) -> Json:
        self.rows[uuid] = {**self.rows[uuid], **changes}
        return self.rows[uuid]

    def found(self, uuid: str) -> Json:
        if uuid not in self.rows or uuid in self.hidden:
            raise Refused(self.error(404))
        return self.rows[uuid]

    def forget(self, uuid: str) -> None:
        self.buried[uuid] = self.rows.pop(uuid)
        self.due.pop(uuid, None)
        self.texts.pop(uuid, None)

    def keep_text(self, uuid: str) -> None:
        """Remember what the issue says at its latest version."""
        issue = self.rows[uuid]
        shown = {"title": issue["title"], "description": issue["description"]}
        self.texts.setdefault(uuid, {})[issue["latestVersion"]] = shown

    def start_investigation(self, uuid: str) -> None:
        """Begin an analysis; each one after the first is a further version."""
        issue = self.rows[uuid]
        versions = issue["versions"]
        if versions[-1]["status"] != "PENDING":
            number = issue["latestVersion"] + 1
            versions = [*versions, self.new_version(number)]
            self.update(uuid, versions=versions, latestVersion=number)
            self.keep_text(uuid)
        lasting = timedelta(seconds=self.switches["investigation_seconds"])
        self.due[uuid] = self.clock.now() + lasting

    def new_version(self, number: int, status: str = "PENDING") -> Json:
        return {"uuid": self.new_id(), "version": number, "status": status}

    def new_seed(self, fields: Json, seed_type: str, provider: str) -> Json:
        """How a report's fields become a seed; the documents don't say, so switches do."""
        context = fields.get("context", {})
        kept = {
            part: self.switches[f"seed_{part}"] == "kept" for part in ("link", "tags", "payload")
        }
        return {
            "publicUuid": self.new_id(),
            "seedType": seed_type,
            "provider": provider,
            "providerReferenceId": f"ref-{self.random.getrandbits(32):08x}",
            "title": fields["title"],
            "description": fields["description"],
            "tags": context.get("tags", []) if kept["tags"] else [],
            "link": context.get("alertUrl") if kept["link"] else None,
            "query": None,
            "rawPayload": context if kept["payload"] and context else None,
            "triggeredAt": fields["triggeredAt"],
        }

    def join(self, uuid: str, seed: Json, at: str) -> None:
        """Another seed joins the issue, which is as old as its earliest one."""
        seeds = [*self.rows[uuid]["seeds"], seed]
        triggered_at = min((each["triggeredAt"] for each in seeds), key=parse)
        changes = {"seeds": seeds, "seedCount": len(seeds), "triggeredAt": triggered_at}
        self.update(uuid, updatedAt=at, **changes)
