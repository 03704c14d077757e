"""The largest legal item of every kind, built as the engine does and measured as the table does."""

import json
import random
from datetime import UTC, datetime
from typing import get_args

import pytest
from pydantic import BaseModel

from issuebridge.adapters.dynamodb import (
    _effect_item,
    _issue_item,
    _link_pk,
    _pushed,
    _ref_puts,
    history_item,
)
from issuebridge.adapters.dynamodb_connections import _chunks, bucket_item, gate_item
from issuebridge.adapters.sizes import item_bytes
from issuebridge.adapters.table import item_of, text
from issuebridge.domain import limits
from issuebridge.domain.buckets import FULL
from issuebridge.domain.converge import born, link
from issuebridge.domain.effect import Effect
from issuebridge.domain.gate import BUCKETS, SORTS, GateState
from issuebridge.domain.issue import (
    AgentRun,
    Baseline,
    Edit,
    ExternalRef,
    FieldNote,
    Fired,
    HistoryEntry,
    Pending,
    RemoteIssue,
)
from issuebridge.domain.managed_line import ManagedLine
from issuebridge.domain.policy import resolve
from issuebridge.domain.reading import _link, short
from issuebridge.domain.round_state import (
    Completeness,
    ConnectionState,
    Failing,
    Marked,
    Twin,
)
from issuebridge.domain.words import FIELDS, Part
from tests.world import configured, connection


def name(place: int) -> str:
    return f"{place:02}" + "n" * 30


POLICY = resolve(name(0), configured(**connection("bland")))
LATE = datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)
PARTS: tuple[Part, ...] = get_args(Part)
LETTERS = ["a", "語", "\U0001f600", '"', "\\", "\x01", "é"]
"""What costs one, three, four, two, two, six and two bytes as stored."""


@pytest.fixture(params=LETTERS, ids=ascii)
def letter(request) -> str:
    return request.param


def most(letter: str, bytes_max: int) -> str:
    """As long a text of this letter as may be stored."""
    return letter * (bytes_max // limits.stored_bytes(letter))


def a_link(letter: str) -> str:
    each = limits.stored_bytes(json.dumps(letter, ensure_ascii=False)[1:-1])
    return "https://github.com/" + letter * ((limits.LINK - 19) // each)


def raw_link(letter: str) -> str:
    whole = json.dumps({"url": a_link(letter), "body": letter * 90_000})
    source = _link(whole, a_link(letter))
    assert source.raw
    assert source.value == a_link(letter)
    verbatim = most(letter, limits.RAW_LINK)
    return max(source.raw, verbatim, key=limits.stored_bytes)


def of_part(part: Part, letter: str) -> Baseline:
    word = short(letter * 9000)
    if part == "external_link":
        raws = (raw_link(letter), a_link(letter))
        return Baseline(value=a_link(letter), raws=raws, edit_at=LATE)
    if part == "line":
        line = ManagedLine("r" * 44, letter * 9000, "https://github.com/" + letter * 9000)
        return Baseline(value=None, raws=(line.brief,), edit_at=LATE)
    return Baseline(value="in_progress", raws=(word, word), edit_at=LATE)


def sending(part: Part, letter: str) -> Baseline:
    base = of_part(part, letter)
    return base.model_copy(update={"value": base.raws[0]}) if part == "line" else base


def note(part: Part, letter: str) -> FieldNote:
    base = of_part(part, letter)
    return FieldNote(
        kind="unsupported",
        detail=letter * 90_000,
        value=base.value or base.raws[0],
        raws=base.raws,
        carrier="managed_line",
        attempts=10**6,
        due_at=LATE,
    )


def ref(place: int, letter: str) -> ExternalRef:
    return ExternalRef(
        connection=name(place),
        remote_id=most(letter, limits.ID),
        display_id=limits.kept(letter * 9000, limits.NAME),
        url=most(letter, limits.PAGE_URL),
        linked_at=LATE,
        baselines={part: of_part(part, letter) for part in PARTS},
        notes={part: note(part, letter) for part in PARTS},
        sending={part: sending(part, letter) for part in PARTS},
        sending_at=LATE,
        remote_updated_at=LATE,
        comments=(a_link(letter),),
        commented=10**6,
        reference="r" * 44,
        foreign="f" * 44,
        writes={part: (LATE,) * limits.WRITES_MAX for part in PARTS},
    )


def run(place: int, letter: str) -> AgentRun:
    return AgentRun(
        key=f"pr{place:024}",
        session_id=letter * 9000,
        run_id=letter * 9000,
        intent_asked="verify",
        intent=letter * 9000,
        requested_by=letter * 9000,
        rule=name(place),
        submitted_at=LATE,
        outcome="awaiting_input",
        ended_at=LATE,
    )


def remote(letter: str) -> RemoteIssue:
    return RemoteIssue(
        remote_id=most(letter, limits.ID),
        display_id=letter * 9000,
        number=1,
        title=letter * 90_000,
        description=letter * 400_000,
        category=letter * 90_000,
        environment=letter * 90_000,
        raw={},
    )


def issue(letter: str):
    copies = {name(place): ref(place, letter) for place in range(limits.REFS_MAX)}
    others = [name(50 + place) for place in range(limits.TARGETS_MAX)]
    waits = Pending(due_at=LATE, attempts=10**6, reason=letter * 90_000)
    edit = Edit(by="deleted at " + name(0), at=LATE, also=tuple(copies))
    rules = [name(place) for place in range(limits.RULES_MAX)]
    made = born(remote(letter), name(0))
    return made.model_validate(
        {
            **made.model_dump(),
            "created_at": LATE,
            "status": "in_progress",
            "severity": "critical",
            "external_link": a_link(letter),
            "edits": dict.fromkeys(FIELDS, edit),
            "refs": copies,
            "pending": dict.fromkeys([*copies, *others], waits),
            "parked": dict.fromkeys(others, letter * 90_000),
            "runs": tuple(run(place, letter) for place in range(limits.RUNS_MAX)),
            "prompts": tuple(f"pr{place:024}" for place in range(limits.PROMPTS_MAX)),
            "asks": dict.fromkeys(rules, LATE),
            "fired": dict.fromkeys(rules, Fired(at=LATE, times=10**6)),
            "joined": "i" * 26,
            "asked": dict.fromkeys([*copies, *others], "k" * 44),
            "version": 10**9,
        }
    )


def effect(letter: str) -> Effect:
    return Effect(
        key="k" * 44,
        kind="create",
        issue_id="i" * 26,
        connection=name(0),
        request=request(letter),
        planned_at=LATE,
        due_at=LATE,
        sent_at=LATE,
        ended_at=LATE,
        session_id=most(letter, limits.ID),
        result=a_link(letter),
        response=limits.words(letter * 9000, limits.ANSWER_UNITS, limits.ANSWER),
        links=(most(letter, limits.ANSWER_LINK),) * limits.ANSWER_LINKS_MAX,
        reason=letter * 90_000,
        rule=name(0),
        version=10**9,
    )


def request(letter: str) -> str:
    """A prompt of the longest text; a draft is shorter, and a refused message is cut."""
    more = [letter * 200] * 5
    return json.dumps({"text": letter * 20_000, "more": more}, ensure_ascii=False)


def state(letter: str) -> ConnectionState:
    made = ConnectionState(connection=name(0))
    told = letter * 9000
    for place in range(limits.NAMED_MAX + 50):
        key = f"{place:03}" + most(letter, limits.ID - 3)
        failing = Failing(name=told, reason=told, digest="d" * 12, attempts=9, due_at=LATE)
        twin = Twin(name=told, issue_id="i" * 26, since=LATE)
        made = made.listing("failing", key, failing) or made
        made = made.listing("twins", key, twin) or made
        made = made.listing("marked", key, Marked(name=told, why=told)) or made
    ids = [f"{place:03}" + most(letter, limits.ID - 3) for place in range(limits.MISSING_MAX)]
    gap = Completeness(
        at=LATE,
        rounds=10**6,
        seen=10**6,
        stored=10**6,
        set_aside=10**6,
        claimed=10**9,
        missing=tuple(ids[: limits.GAP_NAMED_MAX]),
        missing_count=10**6,
        unstored=tuple(ids[: limits.GAP_NAMED_MAX]),
    )
    shown = {10**6 + n: tuple(ids[: limits.SHOWN_MAX]) for n in range(limits.SHOWN_SWEEPS_MAX)}
    cursor = most(letter, limits.CURSOR)
    return made.model_validate(
        {
            **made.model_dump(),
            "watermark": LATE,
            "signpost": LATE,
            "sweep_cursor": cursor,
            "hot_cursor": cursor,
            "hot_newest": LATE,
            "completeness": gap,
            "missing": dict.fromkeys(ids, 10**6),
            "shown": shown,
            "tripped": told,
            "problem": told,
            "polled_at": LATE,
        }
    )


def full_bucket(letter: str) -> dict[str, str]:
    """Ids that nothing can pack."""
    noise = random.Random(letter)  # noqa: S311 - no secret
    letters = [chr(noise.randrange(0x4E00, 0x9000)) for _ in range(5000)]
    names = ("".join(noise.sample(letters, limits.ID // 3)) for _ in range(FULL))
    return {name: f"{noise.getrandbits(48):012x}" for name in names}


def largest(kind: str, letter: str):
    counts = dict.fromkeys(SORTS, dict.fromkeys(range(10**9, 10**9 + BUCKETS), 10**9))
    gate = GateState(
        connection=name(0), counts=counts, shut=letter * 9000, foreign=letter * 9000, version=10**9
    )
    entry = HistoryEntry(
        at=LATE,
        field="external_link",
        outcome="rolled_back",
        by=name(0),
        edited_at=LATE,
        old=a_link(letter),
        new=a_link(letter),
        detail=letter * 90_000,
    )
    made = {
        "ISSUE": lambda: _issue_item(issue(letter), wake=True),
        "EFFECT": lambda: _effect_item(effect(letter)),
        "HISTORY": lambda: history_item("i" * 26, 10**8, 99, entry, 90),
        "STATE": lambda: item_of(("c" * 50, "STATE"), doc=text(state(letter).model_dump_json())),
        "GATE": lambda: gate_item(gate),
        "BUCKET": lambda: bucket_item(("c" * 55, "N#" + "9" * 12), full_bucket(letter), 10**9),
    }
    return made[kind]()


KINDS = ["ISSUE", "EFFECT", "HISTORY", "STATE", "GATE", "BUCKET"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stated_of_an_item_is_less_than_half_of_what_the_table_takes(kind):
    assert sum(getattr(limits, kind).values()) < limits.HALF_AN_ITEM


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_item_of_each_kind_is_within_what_is_stated(kind, letter):
    assert item_bytes(largest(kind, letter)) <= sum(getattr(limits, kind).values())


@pytest.mark.parametrize("part", [part for part in limits.REF if part in ExternalRef.model_fields])
def test_each_part_of_a_copy_is_within_what_is_stated_of_it(part, letter):
    stored = json.loads(ref(0, letter).model_dump_json())[part]
    size = len(json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode())
    assert size <= limits.REF[part] + 30


def test_names_that_lead_to_an_issue_are_small_whatever_they_are(letter):
    made = link(born(remote(letter), name(0)), remote(letter), POLICY, LATE)
    rows = [put["Item"] for put in _ref_puts(made, made.refs[name(0)])]
    rows.append(_pushed(name(0), most(letter, limits.ID), 10**9))
    rows.append(item_of((_link_pk(a_link(letter)), "i" * 26)))
    assert max(map(item_bytes, rows)) < 1024
    keys = [key for row in rows for key in (row["pk"]["S"], row["sk"]["S"])]
    assert max(len(key.encode()) for key in keys) < 1024, "the shorter of its keys takes no more"


def test_what_a_sweep_saw_is_stored_in_pieces_that_fit(letter):
    ids = sorted(f"{n:06}" + most(letter, limits.ID - 6) for n in range(3000))
    chunks = list(_chunks(("H#000", name) for name in ids))
    assert sorted(name for chunk in chunks for _, name in json.loads(chunk)) == ids
    assert max(map(len, chunks)) < limits.HALF_AN_ITEM


@pytest.mark.parametrize("text", ["", "a", "語" * 40, "\x01" * 20, "a" * 500, '"' * 99])
def test_what_is_cut_is_as_much_as_fits_and_says_so(text):
    cut = limits.kept(text, 100)
    assert limits.stored_bytes(cut) <= 100
    assert (cut == text) == (limits.stored_bytes(text) <= 100)
    assert cut == text or (cut.endswith("…") and limits.stored_bytes(cut) > 90)


def test_stored_bytes_are_those_that_a_model_makes(letter):
    class One(BaseModel):
        text: str

    around = len(One(text="").model_dump_json())
    made = len(One(text=letter * 100).model_dump_json().encode()) - around
    assert limits.stored_bytes(letter * 100) == made
