"""A local AWS without our stack, the stores in a table of template.yaml's own key schema, and what
a function finds around it: its environment, a configuration, and simulated vendors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import boto3
import pytest
import yaml
from botocore.config import Config

from issuebridge import wiring
from issuebridge.adapters.dynamodb import DynamoDBIssueStore, DynamoDBLedger
from issuebridge.adapters.dynamodb_connections import DynamoDBConfigStore, DynamoDBConnectionStore
from issuebridge.adapters.table import Table
from issuebridge.systems import parse_config, stored_config
from ops import cli
from ops.local_stack import LocalStack
from ops.stack import Stack, installation
from tests.integration.operated import Operated
from tests.simulators import AntimetalSimulator, BlandSimulator, ZylonSimulator

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
KEY_SCHEMA = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


class _TemplateLoader(yaml.SafeLoader):
    """Reads the tables as they are; what a function like `!Ref` gives, no key schema needs."""


_TemplateLoader.add_multi_constructor("!", lambda *_: None)


@dataclass(frozen=True)
class DynamoDB:
    """The three stores over one table, and the client they talk through."""

    session: boto3.Session
    table: Table
    issues: DynamoDBIssueStore
    ledger: DynamoDBLedger
    connections: DynamoDBConnectionStore
    configs: DynamoDBConfigStore

    @classmethod
    def over(cls, session: boto3.Session, name: str) -> "DynamoDB":
        quick = Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=20)
        table = Table(session.client("dynamodb", config=quick), name)
        return cls(
            session,
            table,
            DynamoDBIssueStore(table, history_days=90),
            DynamoDBLedger(table),
            DynamoDBConnectionStore(table),
            DynamoDBConfigStore(table, stored_config),
        )

    @property
    def name(self) -> str:
        return self.table._name

    @property
    def client(self):
        return self.table._client


@pytest.fixture(autouse=True, scope="session")
def no_proxy_to_loopback() -> Iterator[None]:
    """The adapters heed the proxies of whoever runs the tests, and no proxy reaches loopback."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("no_proxy", "NO_PROXY"):
            environment.setenv(name, "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalStack]:
    with LocalStack.bare() as aws:
        yield aws


@pytest.fixture
def dynamodb(local_aws) -> DynamoDB:
    """An empty table, of this test alone."""
    template = yaml.load(TEMPLATE.read_text(), _TemplateLoader)  # noqa: S506
    table = template["Resources"]["Table"]["Properties"]
    stores = DynamoDB.over(local_aws.session(), f"t{uuid4().hex}")
    stores.client.create_table(TableName=stores.name, **{name: table[name] for name in KEY_SCHEMA})
    return stores


@pytest.fixture
def cold(monkeypatch, local_aws, dynamodb):
    """The environment of a function that has just started, over an empty table."""
    for variable, value in local_aws.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("TABLE_NAME", dynamodb.name)
    monkeypatch.setenv("HISTORY_DAYS", "90")
    monkeypatch.setenv("INSTALLATION_SECRET", f"{dynamodb.name}/installation")
    monkeypatch.setenv("PROMPT_INTENTS", "verify,status")
    monkeypatch.setenv("POLL_KIND", "bland")
    monkeypatch.setenv("POLL_SCHEDULE", "rate(1 minute)")
    monkeypatch.setenv("PROMPT_DEAD_LETTERS_URL", _dead_letters(dynamodb))
    kept_warm = [f for f in vars(wiring).values() if hasattr(f, "cache_clear")]
    for each in kept_warm:
        each.cache_clear()
    yield monkeypatch
    for each in kept_warm:
        each.cache_clear()


def _dead_letters(dynamodb: DynamoDB) -> str:
    queue = dynamodb.session.client("sqs").create_queue(
        QueueName=f"{dynamodb.name}.fifo", Attributes={"FifoQueue": "true"}
    )
    return queue["QueueUrl"]


@pytest.fixture
def vendors():
    sims = SimpleNamespace(
        voice=BlandSimulator(), incidents=AntimetalSimulator(), answers=ZylonSimulator()
    )
    with sims.voice.serving(), sims.incidents.serving(), sims.answers.serving():
        yield sims
    assert not [v for sim in vars(sims).values() for v in sim.violations]


@pytest.fixture
def bridge(cold, dynamodb: DynamoDB, vendors):
    """A stored configuration over the three vendors, and their keys in Secrets Manager."""
    secrets = dynamodb.session.client("secretsmanager")
    tag = installation(dynamodb.session, f"{dynamodb.name}/installation").tag
    connections = {}
    for name, sim in vars(vendors).items():
        secret = f"{dynamodb.name}/{name}"
        secrets.create_secret(Name=secret, SecretString=sim.api_key)
        connections[name] = {
            "kind": sim.vendor,
            "base_url": sim.api_url,
            "secret": secret,
            "mode": "mirror",
            "requests_per_second": 1000,
        }
    route = {"from": "voice", "to": "incidents", "daily_budget": 9, "since": "2026-01-01T00:00Z"}
    routes = [{**route, "filter": {"severity": ["critical"]}}]
    document = {"version": 1, "connections": connections, "routes": routes}
    dynamodb.configs.save(parse_config(document, "test"), tag)
    return SimpleNamespace(db=dynamodb, vendors=vendors)


@pytest.fixture
def operated(monkeypatch, dynamodb: DynamoDB, vendors, tmp_path, capsys) -> Operated:
    """A stack without its functions, and the command that works on it."""
    outputs = {
        "TableName": dynamodb.name,
        "HistoryDays": "90",
        "PromptDeadLettersUrl": _dead_letters(dynamodb),
        "MirrorDeadLettersUrl": _dead_letters(dynamodb),
        "PromptIntents": "verify,status",
        "SecretPrefix": "issuebridge/",
        "InstallationSecret": f"{dynamodb.name}/installation",
        "PollSchedule": "rate(1 minute)",
    }
    stack = Stack(dynamodb.session, outputs)
    monkeypatch.setattr(cli, "_stack", lambda _: stack)
    return Operated(stack, vendors, tmp_path, capsys)
