"""`make demo`: a scripted day of issues, on the real stack, against simulated vendors.

Everything runs on loopback and ends with the demo. It checks itself: the exit status is 0 only if
every linked pair agrees, Norm's runs are those asked for, and an idle round wrote nothing.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.rule import Rule

from issuebridge.domain.config import Config
from issuebridge.domain.prompt import PromptRequest
from ops import local, show
from ops.config_file import read_config
from ops.local_stack import ROOT
from ops.round import Round, RoundReport
from ops.stack import Stack
from tests.simulators import AntimetalSimulator, BlandSimulator, Simulator, ZylonSimulator, seeds

EXAMPLE = ROOT / "issuebridge.example.yaml"
HISTORY = 10
"""Issues each vendor holds before the day begins; they must stay where they are."""
VENDORS: dict[str, type[Simulator]] = {
    "bland": BlandSimulator,
    "antimetal": AntimetalSimulator,
    "zylon": ZylonSimulator,
}

console = Console(highlight=False)


def main() -> int:
    with ExitStack() as stack:
        config = read_config(EXAMPLE)
        vendors = {
            name: stack.enter_context(_vendor(connection.kind))
            for name, connection in config.connections.items()
        }
        config = _pointed_at(config, vendors)
        keys = {c.secret: vendors[name].api_key for name, c in config.connections.items()}
        aws, _ = stack.enter_context(local.deployed(config, keys, progress=_say))
        day = Day(aws, vendors)
        day.run()
        return day.verdict()


def _say(text: str) -> None:
    console.print(f"[dim]·[/] {text}")


@contextmanager
def _vendor(kind: str) -> Iterator[Simulator]:
    simulator = VENDORS[kind](f"demo-{kind}-key")
    seeds.fill(simulator, HISTORY)
    with simulator.serving():
        yield simulator


def _pointed_at(config: Config, vendors: dict[str, Simulator]) -> Config:
    """The example's configuration with our addresses, and no need to be gentle."""
    moved = {
        name: connection.model_copy(
            update={"base_url": vendors[name].api_url, "requests_per_second": 200.0}
        )
        for name, connection in config.connections.items()
    }
    return config.model_copy(update={"connections": moved})


@dataclass
class Day:
    stack: Stack
    vendors: dict[str, Simulator]
    idle_writes: int = -1

    def run(self) -> None:
        self.voice, self.incidents, self.answers = (
            self.vendors[name] for name in ("voice", "incidents", "answers")
        )
        chapters = [
            ("07:55", "history is taken in, and stays where it is", None),
            ("09:00", "new issues on all three sides; a rule asks Norm", self.morning),
            ("10:30", "people edit on every side", self.edits),
            ("11:00", "someone binds a GitHub issue at Bland", self.a_link),
            ("12:00", "two people edit the same field, and a vendor invents a word", self.trouble),
            ("13:00", "the answer to a create is lost on the way", self.lost_reply),
            ("14:00", "a person asks Norm, and the queue repeats the message", self.ask_norm),
        ]
        for time, text, act in chapters:
            console.print(Rule(f"[bold]{time}[/] {text}", align="left"))
            if act:
                act()
            self.round()
        console.print(Rule("[bold]18:00[/] nobody edits: an idle round", align="left"))
        before = self.writes()
        self.round()
        self.idle_writes = self.writes() - before
        console.print(f"  writes to vendors in this round: {self.idle_writes}")

    def round(self) -> RoundReport:
        with console.status("a round …") as status:
            report = Round(self.stack, progress=lambda text: status.update(f"a round: {text}"))()
        show.print_round(console, report)
        return report

    def morning(self) -> None:
        self.disk = self.incidents.add(
            title="Disk 97 % full on db-3", severity="high", status="investigating"
        )
        self.cpu = self.incidents.add(
            title="CPU saturated in eu-west", severity="medium", status="investigating"
        )
        self.certificate = self.incidents.add(
            title="Certificate expires in 2 days", severity="low", status="investigating"
        )
        self.transfer = self.voice.add(
            title="Caller is transferred to the wrong queue",
            severity="critical",
            status="todo",
            description="Since 14:02 every 'billing' call lands in sales.",
        )
        self.greeting = self.voice.add(
            title="Greeting is cut off",
            severity="high",
            status="todo",
            description="First 400 ms are missing. 📞",
        )
        self.quiet = self.voice.add(title="Typo in voicemail", severity="low", status="backlog")
        reports = (
            "The answer invents a discount.",
            "No answer at all to 'opening hours'.",
            "Wrong table format.",
        )
        self.reports = [self.answers.add(description=text, type="Inaccurate") for text in reports]

    def other(self, issue: dict[str, Any], at: str) -> str:
        """The id of this issue's counterpart at another connection."""
        wiring = self.stack.wiring()
        for name, vendor in self.vendors.items():
            if issue.get("id", issue.get("uuid")) in vendor.issues:
                found = wiring.store.find(name, str(issue.get("id", issue.get("uuid"))))
                loaded = wiring.store.load(found or "")
                assert loaded, "it was taken in by an earlier round"
                return loaded.refs[at].remote_id
        raise AssertionError("no vendor holds it")

    def edits(self) -> None:
        self.incidents.edit(self.certificate["uuid"], status="ready_to_fix")
        self.voice.edit(self.other(self.cpu, "voice"), status="done")
        self.voice.edit(self.other(self.disk, "voice"), severity="critical")
        self.voice.edit(self.transfer["id"], status="in_progress")
        self.answers.edit(self.reports[0]["id"], state="InReview")
        self.voice.edit(self.other(self.reports[1], "voice"), status="closed")

    def a_link(self) -> None:
        bound = {
            "provider": "github",
            "key": "acme/voice#42",
            "html_url": "https://github.com/acme/voice/issues/42",
        }
        self.voice.edit(self.other(self.reports[0], "voice"), external_link=bound)

    def trouble(self) -> None:
        self.incidents.edit(self.disk["uuid"], status="resolved")
        self.voice.edit(self.other(self.disk, "voice"), status="in_progress")
        self.incidents.edit(self.certificate["uuid"], status="escalated")

    def lost_reply(self) -> None:
        self.voice.faults.add(kind="drop_after", method="POST", path="/v1/triage/issues$")
        self.incidents.add(
            title="Queue depth grows on worker-7", severity="high", status="investigating"
        )

    def ask_norm(self) -> None:
        request = PromptRequest(
            version=1,
            issue=self.other(self.cpu, "voice"),
            intent="status",
            text="Is the processor still saturated?",
            requested_by="ada@example.com",
            idempotency_key="ask-ada-cpu",
        )
        for _ in range(3):  # a queue may deliver more than once
            self.stack.send_prompt(
                request.model_dump_json(), group=request.issue, key=request.idempotency_key
            )

    def writes(self) -> int:
        return sum(len(vendor.writes()) for vendor in self.vendors.values())

    def _runs(self) -> list[dict[str, Any]]:
        assert isinstance(self.voice, BlandSimulator)
        return self.voice.runs

    def verdict(self) -> int:
        wiring = self.stack.wiring()
        rows = show.link_rows(wiring)
        console.print(show.links_table(rows))
        show.print_runs(console, rows)
        runs = [str(run["run_id"]) for run in self._runs()]
        issues = wiring.store.all()
        recorded = [run for issue in issues for run in issue.runs]
        mirrored = [e for i in issues for e in wiring.store.history(i.issue_id) if e.by == "norm"]
        for name, vendor in self.vendors.items():
            reads = len(vendor.requests) - len(vendor.writes())
            console.print(f"  {name}: {reads} reads, {len(vendor.writes())} writes")
        checks = {
            "every linked pair agrees": bool(rows)
            and all(s.agrees for r in rows for s in r.sides)
            and not any(r.pending for r in rows),
            "every issue has one counterpart": len(rows) == len({r.title for r in rows}),
            "Norm's runs are those that were asked for": sorted(str(r.run_id) for r in recorded)
            == sorted(runs),
            "the rule asked, and each run was followed to its end": any(r.rule for r in recorded)
            and all(r.outcome == "complete" for r in recorded),
            "the status it set was mirrored": bool(mirrored),
            "an idle round writes nothing to any vendor": self.idle_writes == 0,
            "nothing undocumented was sent": not any(v.violations for v in self.vendors.values()),
        }
        for text, holds in checks.items():
            console.print(f"  {'[green]yes' if holds else '[red]NO '}[/] {text}")
        for name, vendor in self.vendors.items():
            for violation in vendor.violations:
                console.print(f"    {name}: {violation}", markup=False)
        return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except local.LocalStackError as error:
        sys.exit(json.dumps(str(error)))
