"""A stack that was filled by the engine of commit a7492db, before installations had keys and gates
had rows, goes on under this one: `filled_by_a7492db.json` is its table and its vendors, as they
were. Two pairs by each route, a bound link, a word that nobody knows, a prompt with its run, and a
counterpart whose answer was lost."""

import base64
import json
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from issuebridge.domain.managed_line import find_marks
from issuebridge.systems import stored_config

FILLED = Path(__file__).with_name("filled_by_a7492db.json")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
OLD_MARK = 26


def moved_to_now(text: str) -> str:
    """As if it had been filled just now: what is due, and who was edited last, hangs on it."""
    newest = max(datetime.fromisoformat(found[0]) for found in TIME.finditer(text))
    later = datetime.now(UTC) - timedelta(seconds=30) - newest

    def moved(found: re.Match[str]) -> str:
        digits = len(found[1] or ".") - 1
        at = datetime.fromisoformat(found[0]) + later
        spec = {0: "seconds", 3: "milliseconds"}.get(digits, "microseconds")
        return at.isoformat(timespec=spec).replace("+00:00", found[2])

    return TIME.sub(moved, text)


@pytest.fixture
def updated(operated):
    """The table and the vendors as they were left."""
    text = moved_to_now(FILLED.read_text())
    for name, sim in vars(operated.vendors).items():
        text = text.replace(f"https://{name}.invalid", sim.api_url)
    filled = json.loads(text)
    client = operated.stack.session.client("dynamodb")
    for item in filled["items"]:
        row = {name: _typed(value) for name, value in item.items()}
        client.put_item(TableName=operated.stack.table_name, Item=row)
    for name, state in filled["vendors"].items():
        sim = getattr(operated.vendors, name)
        sim.random = random.Random(name)  # noqa: S311 - ids other than those that are there
        sim.rows.update(state.pop("rows"))
        sim.numbered = Counter(state.pop("numbered", {}))
        vars(sim).update(state)
    config = next(i["doc"]["S"] for i in filled["items"] if i["pk"]["S"] == "CONFIG")
    operated.document = stored_config(json.loads(config)).model_dump(mode="json", by_alias=True)
    return operated


def _typed(value: dict) -> dict:
    return {"B": base64.b64decode(value["B"])} if "B" in value else value


def words(operated) -> dict[str, list]:
    return {
        name: [(r.get("title"), r["description"]) for r in sim.issues.values()]
        for name, sim in vars(operated.vendors).items()
    }


def writes(operated) -> int:
    return sum(len(sim.writes()) for sim in vars(operated.vendors).values())


def test_the_updated_functions_go_on_before_anything_is_pushed(updated):
    before, counts = words(updated), updated.counts()
    updated.rounds(3)
    assert (words(updated), updated.counts(), writes(updated)) == (before, counts, 0)
    assert not [i for i in updated.issues().values() if i.refs.keys() == {"voice"}]


def test_not_a_line_is_rewritten_and_no_counterpart_is_made(updated):
    before, counts = words(updated), updated.counts()
    assert "anew" not in updated.push()
    updated.rounds(3)
    assert (words(updated), updated.counts(), writes(updated)) == (before, counts, 0)
    issues = updated.issues()
    assert issues["Incident 2"].refs.keys() == {"incidents", "voice"}, "found, not made again"
    assert issues["Incident 1"].refs["voice"].notes["status"].kind == "frozen"
    assert [run.outcome for run in issues["Call 0"].runs] == ["complete"]
    assert {len(i.refs) for i in issues.values()} == {2}
    for name in ("voice", "incidents", "answers"):
        state = updated.wiring.connections.read(name)
        assert (state.marked, state.twins, state.completeness.closes) == ({}, {}, True)
        assert updated.wiring.connections.gate(name).swept_at


def test_edits_are_mirrored_both_ways_and_keep_the_old_marks(updated):
    updated.push()
    updated.rounds(2)
    issues = updated.issues()
    voice, incidents, answers = vars(updated.vendors).values()
    voice.edit(issues["Incident 0"].refs["voice"].remote_id, status="done")
    incidents.edit(issues["Call 0"].refs["incidents"].remote_id, status="ready_to_fix")
    answers.edit(issues["Answer 1 is wrong."].refs["answers"].remote_id, state="Closed")
    bound = issues["Answer 0 is wrong."].refs["voice"].remote_id
    voice.edit(bound, external_link={"html_url": "https://github.com/acme/voice/issues/43"})
    updated.rounds(3)
    assert incidents.rows[issues["Incident 0"].refs["incidents"].remote_id]["status"] == "resolved"
    assert voice.rows[issues["Call 0"].refs["voice"].remote_id]["status"] == "in_review"
    assert voice.rows[issues["Answer 1 is wrong."].refs["voice"].remote_id]["status"] == "done"
    text = answers.rows[issues["Answer 0 is wrong."].refs["answers"].remote_id]["description"]
    assert " link=https://github.com/acme/voice/issues/43]" in text
    assert [len(mark) for mark in find_marks(text)] == [OLD_MARK]


def test_new_links_get_marks_that_only_we_can_make(updated):
    updated.push()
    updated.rounds(1)
    updated.vendors.incidents.add(title="Cache cold", status="investigating")
    updated.rounds(2)
    ref = updated.issues()["Cache cold"].refs["voice"]
    text = updated.vendors.voice.rows[ref.remote_id]["description"]
    assert find_marks(text) == (ref.reference,)
    assert ref.reference.startswith(f"ib{updated.wiring.tag}")


def test_its_table_can_be_lost_and_adopted(updated):
    updated.push()
    updated.rounds(2)
    before, counts = words(updated), updated.counts()
    updated.lose_the_table()
    updated.push()
    updated.rounds(2)
    told = updated.run("adopt", "--yes")
    assert "linked 7 copies" in told
    updated.rounds(2)
    assert (words(updated), updated.counts()) == (before, counts)
