"""Times without a zone are in the one that the connection's `utc_offset` names, else in UTC."""

import json
from datetime import UTC, datetime

import pytest

from issuebridge.adapters.network import Reply
from issuebridge.systems import SYSTEMS, parse_config
from tests.world import connection, document

IDS = {"bland": "id", "antimetal": "uuid", "zylon": "id"}
UPDATED = {"bland": "updated_at", "antimetal": "updatedAt", "zylon": "updated_at"}


def shown(kind: str, told: object, **more: object) -> datetime | None:
    """What the adapter of this kind reads of an issue that tells this time."""
    given = parse_config(document(connections={kind: connection(kind, **more)}, routes=[]), "test")
    settings = given.connections[kind]
    http = SYSTEMS[kind].http(kind, settings, lambda: "key")
    row = {
        IDS[kind]: "a1",
        UPDATED[kind]: told,
        "description": "",
        "type": "",
        "state": "",
        "is_read": False,
    }
    wrapped = {"data": row, "errors": None} if kind == "bland" else row
    http.transport = lambda *_: Reply(200, {}, json.dumps(wrapped).encode())
    return SYSTEMS[kind].issues(settings, http).get("a1").updated_at


@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize(
    ("offset", "told", "hour"),
    [
        ("+00:00", "2026-05-06T21:00:00", 21),
        ("+02:00", "2026-05-06T21:00:00", 19),
        ("-05:30", "2026-05-06T12:30:00", 18),
        ("+02:00", "2026-05-06T21:00:00Z", 21),
        ("+02:00", "2026-05-06T21:00:00-01:00", 22),
    ],
)
def test_a_time_without_a_zone_is_in_the_connections_own(kind, offset, told, hour):
    assert shown(kind, told, utc_offset=offset) == datetime(2026, 5, 6, hour, tzinfo=UTC)
