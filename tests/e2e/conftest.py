"""One deployed stack for all of these tests, and vendors of its own for each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.use_cases import pull_changes
from ops.config_file import read_config
from ops.local_stack import LocalStack
from ops.round import Round, RoundReport
from ops.stack import Stack, put_secrets
from tests.simulators import AntimetalSimulator, BlandSimulator, Simulator, ZylonSimulator

BOOKKEEPING = ("CONNECTION#", "SEEN#", "SWEPT#")
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
PARAMETERS = {
    "SchedulesState": "DISABLED",
    "AlarmTopicArn": TOPIC,
    "PromptIntents": "verify,status,fix",
}
SINCE = "2026-01-01T00:00:00Z"
"""The simulators begin empty, so no history comes over by surprise."""


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """`template.yaml` on a local AWS with IAM enforced; nothing wakes by schedule."""
    with LocalStack.up(PARAMETERS) as deployed:
        yield deployed


@dataclass(frozen=True)
class Bridge:
    """The stack, working by one configuration, and the vendors that this one names."""

    stack: Stack
    voice: BlandSimulator
    incidents: AntimetalSimulator
    answers: ZylonSimulator
    prefix: str
    file: Path

    @property
    def vendors(self) -> dict[str, Simulator]:
        sims = (("voice", self.voice), ("incidents", self.incidents), ("answers", self.answers))
        return {f"{self.prefix}-{name}": sim for name, sim in sims}

    def round(self) -> RoundReport:
        report = Round(self.stack, wait_seconds=60)()
        assert not report.problems
        return report

    def end_leases(self) -> None:
        """As if they had run out, now that nobody who holds one is alive."""
        wiring, now = self.stack.wiring(), datetime.now(UTC)
        for pk, _ in wiring.table.pending("issue"):
            issue = wiring.store.load(pk.removeprefix("ISSUE#"))
            assert issue
            if issue.refs.keys() & self.vendors.keys():
                due = {n: m.model_copy(update={"due_at": now}) for n, m in issue.pending.items()}
                wiring.store.commit(issue.model_copy(update={"pending": due}))
        for name, kind in product(self.vendors, ("create", "prompt")):
            for effect in wiring.ledger.open(kind, name):
                wiring.ledger.put(effect.model_copy(update={"due_at": now}))
        self.end_poll_leases()

    def end_poll_leases(self) -> None:
        connections, now = self.stack.wiring().connections, datetime.now(UTC)
        for name in self.vendors:
            later = now + timedelta(seconds=pull_changes.LEASE_SECONDS)
            connections.save(connections.acquire(name, later, lease_seconds=0))

    def writes(self) -> int:
        return sum(len(sim.writes()) for sim in self.vendors.values())

    def issue_of(self, remote_id: str) -> CanonicalIssue:
        """As it is stored, found by its id at any of the vendors."""
        store = self.stack.wiring().store
        issue_id = next(filter(None, (store.find(name, remote_id) for name in self.vendors)))
        issue = store.load(issue_id)
        assert issue
        return issue

    def copy_of(self, remote_id: str, vendor: Simulator) -> dict[str, object]:
        """The copy of this issue that the vendor holds, as the vendor shows it."""
        name = next(name for name, sim in self.vendors.items() if sim is vendor)
        return vendor.issues[self.issue_of(remote_id).refs[name].remote_id]

    def items(self) -> dict[tuple[str, str], object]:
        """The whole table but for the polls' own bookkeeping."""
        pages = (
            self.stack.session.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.stack.table_name, ConsistentRead=True)
        )
        rows = (row for page in pages for row in page["Items"])
        kept = (row for row in rows if not row["pk"]["S"].startswith(BOOKKEEPING))
        return {(row["pk"]["S"], row["sk"]["S"]): row for row in kept}


Document = dict[str, object]


@pytest.fixture
def bridged(stack: LocalStack, tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """`bridged(routes, voice={...}, recovery={...})`: settings beyond what all have in common."""
    with ExitStack() as running:

        def start(
            routes: list[Document],
            *,
            recovery: Document | None = None,
            is_swept: bool = True,
            **more: Document,
        ) -> Bridge:
            aws, prefix = Stack(stack.session(), stack.outputs), f"c{uuid4().hex[:8]}"
            sims = {s.vendor: s() for s in (BlandSimulator, AntimetalSimulator, ZylonSimulator)}
            for sim in sims.values():
                running.enter_context(sim.serving())
            named = dict(zip(("voice", "incidents", "answers"), sims.values(), strict=True))
            if more.get("answers", {}).get("anchor") == "any":
                more["answers"] = more["answers"] | {"anchor": named["answers"].anchor}
            document = {
                "version": 1,
                "connections": {
                    f"{prefix}-{name}": connection_to(f"{prefix}-{name}", sim) | more.get(name, {})
                    for name, sim in named.items()
                },
                "routes": [_route(prefix, route) for route in routes],
                "recovery": recovery or {},
            }
            file = tmp_path / f"{prefix}.yaml"
            file.write_text(yaml.safe_dump(document))
            secrets = {f"issuebridge/{prefix}-{name}": s.api_key for name, s in named.items()}
            put_secrets(aws.session, secrets)
            aws.push_config(read_config(file))
            bridge = Bridge(aws, *named.values(), prefix, file)
            if is_swept:  # nothing is created before the first whole sweep of a connection
                bridge.round()
            running.callback(_nothing_undocumented, bridge)
            return bridge

        yield start


def connection_to(name: str, sim: Simulator) -> Document:
    return {
        "kind": sim.vendor,
        "base_url": sim.api_url,
        "secret": f"issuebridge/{name}",
        "mode": "mirror",
        "issue_url": f"https://{sim.vendor}.example/{{id}}",
        "requests_per_second": 200,
    }


def _route(prefix: str, route: Document) -> Document:
    ends = {end: f"{prefix}-{route[end]}" for end in ("from", "to")}
    return {"since": SINCE, "daily_budget": 50, **route, **ends}


def _nothing_undocumented(bridge: Bridge) -> None:
    assert not [v for sim in bridge.vendors.values() for v in sim.violations]
