"""The issue systems there are: one folder of `adapters` and one row here for each."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from issuebridge.adapters.antimetal import client as antimetal
from issuebridge.adapters.antimetal.settings import AntimetalConnection
from issuebridge.adapters.bland import client as bland
from issuebridge.adapters.bland.settings import BlandConnection
from issuebridge.adapters.http import Http
from issuebridge.adapters.zylon import client as zylon
from issuebridge.adapters.zylon.settings import ZylonConnection
from issuebridge.domain.config import Config, Connection, parsed
from issuebridge.ports import Agent, Comments, IssueSystem


class System(NamedTuple):
    """`http` carries the pace of one key, so each connection has one, whoever calls through it;
    `comments` and `agent` are None where its traits name none."""

    settings: type[Connection]
    http: Callable[[str, Any, Callable[[], str]], Http]
    issues: Callable[[Any, Http], IssueSystem]
    comments: Callable[[Http], Comments] | None = None
    agent: Callable[[Http], Agent] | None = None


SYSTEMS = {
    "bland": System(
        BlandConnection,
        bland.open_http,
        lambda _, http: bland.BlandIssues(http),
        comments=bland.BlandComments,
        agent=bland.BlandAgent,
    ),
    "antimetal": System(AntimetalConnection, antimetal.open_http, antimetal.AntimetalIssues),
    "zylon": System(ZylonConnection, zylon.open_http, zylon.ZylonIssues),
}

_SETTINGS = {kind: system.settings for kind, system in SYSTEMS.items()}
_ANY: Any = Annotated[reduce(or_, _SETTINGS.values()), Field(discriminator="kind")]
_CONFIG: type[Config] = Config[_ANY]


def parse_config(document: object, place: str) -> Config:
    """Misconfigured, with all that is wrong, each by its path in the file."""
    return parsed(_CONFIG, _SETTINGS, document, place)


def stored_config(document: dict[str, Any]) -> Config:
    """The running one. What an earlier version kept of other kinds' settings is no error."""
    connections = {
        name: _known(given) if given.get("kind") in _SETTINGS else given
        for name, given in document["connections"].items()
    }
    return parse_config({**document, "connections": connections}, "stored configuration")


def _known(given: dict[str, Any]) -> dict[str, Any]:
    fields = _SETTINGS[given["kind"]].model_fields
    return {name: value for name, value in given.items() if name in fields}
