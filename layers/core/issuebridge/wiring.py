"""The only place that joins ports to adapters. Importing it needs no setting and opens nothing."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property

import boto3
from botocore.config import Config as ClientConfig

from issuebridge.adapters.clock import SystemClock
from issuebridge.adapters.dynamodb import DynamoDBIssueStore, DynamoDBLedger
from issuebridge.adapters.dynamodb_connections import DynamoDBConfigStore, DynamoDBConnectionStore
from issuebridge.adapters.http import Http
from issuebridge.adapters.lambda_function import start
from issuebridge.adapters.rename import Rename as Rename  # noqa: PLC0414 - for ops, to name it
from issuebridge.adapters.secrets import SecretsManager
from issuebridge.adapters.sqs import SqsDeadLetters
from issuebridge.adapters.table import Table
from issuebridge.adapters.trust import trust
from issuebridge.domain.config import Config
from issuebridge.domain.errors import Misconfigured, Rejected, Transient
from issuebridge.domain.freshness import Freshness, interval, lanes_of
from issuebridge.domain.mark import Installation
from issuebridge.domain.policy import resolve
from issuebridge.domain.prover import prove
from issuebridge.domain.routing import Landscape
from issuebridge.ports import Agent, Clock, Comments, IssueSystem
from issuebridge.settings import Settings, read_settings
from issuebridge.systems import SYSTEMS, parse_config, stored_config
from issuebridge.use_cases.pipeline import Pipeline
from issuebridge.use_cases.take_prompt import TakePrompt

_PACE = {"poll", "breaker", "writes_per_hour", "requests_per_second", "secret", "ca_pem"}
"""How a connection is asked, not what is meant: after a change no issue needs another look."""


_CLIENT = ClientConfig(
    connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 4}
)


def landscape(config: Config, tag: str = "") -> Landscape:
    """Every policy, resolved; Misconfigured where a connection asks for what its kind cannot do."""
    policies = {name: resolve(name, connection) for name, connection in config.connections.items()}
    return Landscape(policies, tuple(config.routes), tuple(config.rules), tag, config.siblings)


def proven(config: Config) -> Landscape:
    """The same, after the prover has let every word of every map come to rest, and each private
    authority was read."""
    for name, connection in config.connections.items():
        try:
            trust(connection.ca_pem)
        except Misconfigured as error:
            raise Misconfigured(f"connections.{name}.{error}") from error
    found = landscape(config)
    prove(found)
    return found


@dataclass(frozen=True)
class Wiring:
    """The adapters over one table and one running configuration, and the pipeline over them. `tag`
    is what our marks are known by."""

    settings: Settings
    session: boto3.Session
    config: Config
    tag: str = ""

    @cached_property
    def table(self) -> Table:
        return Table(self.session.client("dynamodb", config=_CLIENT), self.settings.table_name)

    @cached_property
    def secrets(self) -> SecretsManager:
        return SecretsManager(self.session.client("secretsmanager", config=_CLIENT))

    @cached_property
    def landscape(self) -> Landscape:
        return landscape(self.config, self.tag)

    @cached_property
    def store(self) -> DynamoDBIssueStore:
        return DynamoDBIssueStore(self.table, self.settings.history_days)

    @cached_property
    def ledger(self) -> DynamoDBLedger:
        return DynamoDBLedger(self.table)

    @cached_property
    def connections(self) -> DynamoDBConnectionStore:
        return DynamoDBConnectionStore(self.table)

    @cached_property
    def clock(self) -> Clock:
        return SystemClock()

    @cached_property
    def http(self) -> Callable[[str], Http]:
        return cache(self._open_http)

    def _open_http(self, name: str) -> Http:
        connection = self.config.connections[name]
        reader = self.secrets.reader(connection.secret)
        return SYSTEMS[connection.kind].http(name, connection, reader)

    @cached_property
    def system(self) -> Callable[[str], IssueSystem]:
        return cache(self._open)

    def _open(self, name: str) -> IssueSystem:
        connection = self.config.connections[name]
        return SYSTEMS[connection.kind].issues(connection, self.http(name))

    def comments(self, name: str) -> Comments:
        comments = SYSTEMS[self.config.connections[name].kind].comments
        if comments is None:
            raise Rejected(f"connection {name}: it has no comments")
        return comments(self.http(name))

    def agent(self, name: str) -> Agent:
        agent = SYSTEMS[self.config.connections[name].kind].agent
        if agent is None:
            raise Rejected(f"connection {name}: Norm works only where there is an agent")
        return agent(self.http(name))

    def rename(self, old: str, new: str) -> Rename:
        return Rename(self.table, self.store, self.ledger, self.connections, self.clock, old, new)

    def installation(self) -> Installation:
        """Misconfigured until `issuebridge push` has given this stack its own."""
        return Installation(**json.loads(self.secrets.document(self.settings.installation_secret)))

    @cached_property
    def pipeline(self) -> Pipeline:
        meant = self.config.model_dump_json(exclude={"connections": {"__all__": _PACE}})
        return Pipeline(
            self.store,
            self.ledger,
            self.connections,
            self.system,
            self.comments,
            self.agent,
            self.config,
            self.landscape,
            hashlib.sha256(meant.encode()).hexdigest(),
            cache(self.installation),
            self.clock,
        )

    @property
    def freshness(self) -> dict[str, tuple[Freshness, Freshness]]:
        """Of every connection that is polled."""
        every, now = interval(self.settings.poll_schedule), self.clock.now()
        return {
            name: lanes_of(
                self.connections.read(name),
                every,
                now,
                timedelta(minutes=connection.poll.seen_within_minutes),
            )
            for name, connection in self.config.connections.items()
            if connection.mode != "paused"
        }

    @cached_property
    def take_prompt(self) -> TakePrompt:
        client = self.session.client("sqs", config=_CLIENT)
        dead_letters = SqsDeadLetters(client, self.settings.prompt_dead_letters_url)
        intents = self.settings.intents
        return TakePrompt(self.pipeline.submit, self.ledger, dead_letters, intents, self.clock)


@cache
def _session() -> boto3.Session:
    return boto3.Session()


def config_store(session: boto3.Session, table_name: str) -> DynamoDBConfigStore:
    return DynamoDBConfigStore(
        Table(session.client("dynamodb", config=_CLIENT), table_name), stored_config
    )


def connection_store(session: boto3.Session, table_name: str) -> DynamoDBConnectionStore:
    return DynamoDBConnectionStore(Table(session.client("dynamodb", config=_CLIENT), table_name))


@cache
def _config_store() -> DynamoDBConfigStore:
    return config_store(_session(), read_settings(os.environ).table_name)


@cache
def _wired(document: str, tag: str) -> Wiring:
    config = parse_config(json.loads(document), "stored configuration")
    return Wiring(read_settings(os.environ), _session(), config, tag)


def current() -> Pipeline:
    """The pipeline for the configuration that is stored now; a warm Lambda builds it once."""
    return _current().pipeline


def polled_kind() -> str:
    kind = os.environ.get("POLL_KIND")
    if kind not in SYSTEMS:
        raise Misconfigured(f"environment: POLL_KIND: {kind} is none of {', '.join(SYSTEMS)}")
    return kind


def hand_out(function: str, connections: Sequence[str]) -> None:
    """Each to an invocation of its own; what could not be handed out is told after the others."""
    client, failed = _session().client("lambda", config=_CLIENT), dict[str, Transient]()
    for name in connections:
        try:
            start(client, function, {"connection": name})
        except Transient as error:
            failed[name] = error
    if failed:
        why = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise Transient(f"not polled now, since it could not be handed out: {why}")


def freshness() -> dict[str, tuple[Freshness, Freshness]]:
    return _current().freshness


def take_prompt() -> TakePrompt:
    return _current().take_prompt


def _current() -> Wiring:
    running = _config_store().load()
    return _wired(running.config.model_dump_json(by_alias=True), running.tag)
