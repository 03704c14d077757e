"""A local AWS without our stack, and the stores in a table of template.yaml's own key schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
import yaml
from botocore.config import Config

from issuebridge.adapters.dynamodb import (
    DynamoDBConfigStore,
    DynamoDBConnectionStore,
    DynamoDBIssueStore,
    DynamoDBLedger,
)
from issuebridge.adapters.table import Table
from ops.local_stack import LocalStack

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
            DynamoDBConfigStore(table),
        )

    @property
    def name(self) -> str:
        return self.table._name

    @property
    def client(self):
        return self.table._client


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
