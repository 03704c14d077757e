"""A stack without its functions: the table, three simulated vendors, and an operator who works on
it with the real command. `rounds` does what the schedules would."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import yaml

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.wiring import Wiring
from ops import cli
from ops.stack import Stack, put_secrets

LONG_AGO = "2026-01-01T00:00:00Z"
LINED = {"carriers": {"external_link": "managed_line"}}


@dataclass
class Operated:
    stack: Stack
    vendors: SimpleNamespace
    folder: Path
    capsys: object
    document: dict = field(init=False)
    _wiring: Wiring | None = None

    def __post_init__(self) -> None:
        secrets = {f"issuebridge/{name}": sim.api_key for name, sim in vars(self.vendors).items()}
        put_secrets(self.stack.session, secrets)
        self.document = {
            "version": 1,
            "connections": {
                "voice": self.connection("voice", **LINED),
                "incidents": self.connection("incidents"),
                "answers": self.connection("answers", **LINED),
            },
            "routes": [
                {"from": "incidents", "to": "voice", "since": LONG_AGO},
                {"from": "answers", "to": "voice", "since": LONG_AGO},
                {
                    "from": "voice",
                    "to": "incidents",
                    "since": LONG_AGO,
                    "filter": {"severity": ["critical"]},
                    "daily_budget": 50,
                },
            ],
        }

    def connection(self, name: str, **more: object) -> dict[str, object]:
        sim = getattr(self.vendors, name)
        return {
            "kind": sim.vendor,
            "base_url": sim.api_url,
            "secret": f"issuebridge/{name}",
            "mode": "mirror",
            "issue_url": f"https://{sim.vendor}.example/{{id}}",
            "requests_per_second": 1000,
            **more,
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """What the command says; it must end with this exit status."""
        return " ".join(self.run_raw(*arguments, code=code).split())

    def run_raw(self, *arguments: str, code: int = 0) -> str:
        self.capsys.readouterr()
        self._wiring = None
        ended = cli.main([*arguments])
        out, err = self.capsys.readouterr()
        assert ended == code, out + err
        return out + err

    def push(self, document: dict | None = None, *arguments: str, code: int = 0) -> str:
        file = self.folder / "own.yaml"
        file.write_text(yaml.safe_dump(document or self.document))
        return self.run("push", str(file), *arguments, code=code)

    @property
    def wiring(self) -> Wiring:
        """By the configuration that runs now; a command may change it."""
        self._wiring = self._wiring or self.stack.wiring()
        return self._wiring

    def rounds(self, count: int = 3) -> None:
        pipeline = self.wiring.pipeline
        for _ in range(count):
            self.poll()
            pipeline.finish(remaining_seconds=lambda: 900)

    def poll(self) -> None:
        wiring = self.wiring
        for name in wiring.config.connections:
            wiring.pipeline.pull(name, remaining_seconds=lambda: 900, whole_sweep=True)

    def fill(self) -> None:
        """One pair by each route."""
        self.push()
        self.rounds(1)
        self.vendors.incidents.add(title="Disk full", status="investigating")
        self.vendors.answers.add(description="It invents a discount.", type="Inaccurate")
        self.vendors.voice.add(title="Wrong queue", severity="critical", status="todo")
        self.rounds()
        assert self.counts() == [3, 2, 1]

    def counts(self) -> list[int]:
        return [len(sim.issues) for sim in vars(self.vendors).values()]

    def rows(self) -> dict[str, dict]:
        return {name: sim.issues for name, sim in vars(self.vendors).items()}

    def issues(self) -> dict[str, CanonicalIssue]:
        """By title."""
        return {issue.title: issue for issue in self.wiring.store.all()}

    def lose_the_table(self) -> None:
        table = self.stack.session.resource("dynamodb").Table(self.stack.table_name)
        with table.batch_writer() as batch:
            for row in table.scan(ConsistentRead=True)["Items"]:
                batch.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})
        assert not self.items()

    def items(self) -> set[str]:
        pages = self.stack.session.client("dynamodb").get_paginator("scan")
        rows = pages.paginate(TableName=self.stack.table_name, ConsistentRead=True)
        return {f"{r['pk']['S']} {r['sk']['S']}" for page in rows for r in page["Items"]}
