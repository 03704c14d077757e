"""A stack as the last version without buckets left it: its fingerprints lie in sixteenths."""

import json
import zlib
from hashlib import sha256

from issuebridge.adapters.table import item_of, number, text
from tests.integration.operated import Operated

SINCE = {"known", "bucketed", "counted_at", "hot_digest", "sweep_began_at"}
"""What the state of a connection did not have."""


def put_back(operated: Operated) -> None:
    table = operated.wiring.table
    for name in operated.wiring.config.connections:
        parts: dict[str, dict[str, str]] = {}
        for place, bucket in list(operated.wiring.connections.all_buckets(name)):
            for remote_id, digest in bucket.items():
                part = sha256(remote_id.encode()).hexdigest()[0]
                parts.setdefault(part, {})[remote_id] = digest
            table.remove((f"SEEN#{name}#BUCKETS", place))
        for part, digests in parts.items():
            packed = zlib.compress(json.dumps(dict(sorted(digests.items()))).encode())
            key = (f"SEEN#{name}", f"DIGESTS#{part}")
            table.put(item_of(key, digests={"B": packed}, generation=number(1)))
        state = table.get((f"CONNECTION#{name}", "STATE"))
        doc = json.loads(state["doc"]["S"])
        kept = {key: value for key, value in doc.items() if key not in SINCE}
        table.put({**state, "doc": text(json.dumps(kept))})


def single_reads(operated: Operated) -> list[str]:
    """Requests that ask for one issue, by the ids of those there are."""
    return [
        entry["path"]
        for sim in vars(operated.vendors).values()
        for entry in sim.requests
        if entry["method"] == "GET" and any(name in entry["path"] for name in sim.issues)
    ]


def keys(operated: Operated, begins_with: str) -> list[str]:
    return [key for key in operated.items() if key.startswith(begins_with)]


def test_no_issue_is_looked_at_anew_and_nothing_is_written_to_a_vendor(operated):
    operated.fill()
    operated.rounds(2)
    put_back(operated)
    counts = operated.counts()
    assert keys(operated, "SEEN#voice DIGESTS#")
    assert not keys(operated, "SEEN#voice#BUCKETS")
    for sim in vars(operated.vendors).values():
        sim.clear_requests()
    operated.rounds(3)
    assert single_reads(operated) == []
    assert [sim.writes() for sim in vars(operated.vendors).values()] == [[], [], []]
    assert operated.counts() == counts
    assert not keys(operated, "SEEN#voice DIGESTS#")
    assert keys(operated, "SEEN#voice#BUCKETS N#")
    for name in operated.wiring.config.connections:
        assert operated.wiring.connections.read(name).completeness.closes


def test_what_is_edited_or_deleted_meanwhile_is_seen(operated):
    operated.fill()
    operated.rounds(2)
    put_back(operated)
    issue = operated.issues()["Disk full"]
    operated.vendors.incidents.edit(issue.refs["incidents"].remote_id, status="resolved")
    gone = operated.issues()["Wrong queue"].refs["voice"].remote_id
    del operated.vendors.voice.rows[gone]
    operated.rounds(4)
    assert operated.issues()["Disk full"].status == "done"
    assert operated.issues()["Wrong queue"].refs["voice"].deleted
