"""An answer about another issue is none, and a recovery adopts only what we sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from issuebridge.adapters.bland.client import BlandAgent, BlandComments
from issuebridge.adapters.http import Timing
from issuebridge.adapters.identity import carries_line, same_id
from issuebridge.domain.errors import Ambiguous, Moved
from tests.integration.odd_vendor import (
    AT,
    REFERENCE,
    ZYLON_ROW,
    Vendor,
    antimetal_of,
    antimetal_row,
    bland_of,
    bland_row,
    draft,
    page_of,
    zylon_of,
)

A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
LINE = f"[issuebridge ref={REFERENCE}]"
SINCE = AT - timedelta(minutes=10)


@dataclass(frozen=True)
class Kind:
    of: Callable
    row: Callable[[object], dict]
    born: str
    closed: str

    def told(self, remote_id: object, description: str = "", born: datetime | None = None) -> dict:
        at = (born or AT).isoformat().replace("+00:00", "Z")
        return {**self.row(remote_id), "description": description, self.born: at}

    def listed(self, *rows: dict) -> dict:
        return page_of(*rows) if self.of is bland_of else {"data": rows, "has_next_page": False}

    def found_in(self, *rows: dict, **more) -> list[str]:
        """What is adopted where the vendor has these, and its search finds all of them."""

        def answer(method, path, query, body):
            by_id = {self.id_of(row): row for row in rows}
            name = path.rsplit("/", 1)[-1]
            return by_id[name] if name in by_id else self.listed(*rows)

        vendor, issues = self.of(answer)
        vendor.headers = more
        issues._http.timing = Timing(sleep=lambda _: None, now=lambda: AT)
        return [issue.remote_id for issue in issues.find_created(draft(), SINCE)]

    def id_of(self, row: dict) -> str:
        return row["uuid" if self.of is antimetal_of else "id"]


def antimetal_told(remote_id: object) -> dict:
    more = {"updatedAt": "2026-05-06T22:00:00Z", "triggeredAt": "2026-05-01T00:00:00Z"}
    return antimetal_row(remote_id, **more)


KINDS = {
    "bland": Kind(bland_of, lambda i: bland_row(id=i), "created_at", "done"),
    "antimetal": Kind(antimetal_of, antimetal_told, "createdAt", "resolved"),
    "zylon": Kind(zylon_of, lambda i: {**ZYLON_ROW, "id": i}, "created_at", "Closed"),
}


@pytest.fixture(params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


def test_a_read_that_tells_of_another_issue_is_moved_and_names_both(kind):
    _, issues = kind.of(lambda *_: kind.told(B))
    with pytest.raises(Moved, match=f"{A}.*{B}"):
        issues.get(A)


@pytest.mark.parametrize("asked", [A, A.upper()])
def test_a_uuid_is_the_same_in_either_case_and_keeps_the_name_we_know(kind, asked):
    _, issues = kind.of(lambda *_: kind.told(A))
    assert issues.get(asked).remote_id == asked
    assert issues.update(issues.get(asked), {"status": kind.closed}).remote_id == asked


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (A, A.upper(), True),
        (7, "7", True),
        ("issue_ab", "issue_AB", False),
        ("x1", "X1", False),
        (A, B, False),
        (None, None, False),
        ("", "", False),
    ],
)
def test_ids_are_compared_as_they_are_read(one, other, is_same):
    assert same_id(one, other) is is_same


def test_an_id_that_is_a_number_names_the_same_issue(kind):
    _, issues = kind.of(lambda *_: kind.told(17))
    assert issues.get("17").remote_id == "17"


def test_a_write_that_tells_of_another_issue_is_read_again(kind):
    def answer(method, path, query, body):
        return kind.told(A if method == "GET" else B)

    vendor, issues = kind.of(answer)
    shown = issues.update(issues.get(A), {"status": kind.closed})
    assert shown.remote_id == A
    assert [method for method, *_ in vendor.sent].count("GET") == 2
    assert len(vendor.writes()) == 1


def test_a_write_after_which_another_issue_answers_is_moved(kind):
    told = [kind.told(A), kind.told(B), kind.told(B)]
    _, issues = kind.of(lambda *_: told.pop(0))
    with pytest.raises(Moved):
        issues.update(issues.get(A), {"status": kind.closed})


@pytest.mark.parametrize("named", ["7", 7])
def test_what_a_zylon_read_leaves_out_is_taken_from_the_row_of_that_issue(named):
    rows = [{**ZYLON_ROW, "id": 8, "description": "another"}, {**ZYLON_ROW, "id": named}]

    def answer(method, path, query, body):
        thin = {"id": 7, "state": "Closed"}
        return thin if path.endswith("/7") else {"data": rows, "has_next_page": False}

    _, issues = zylon_of(answer)
    assert issues.get("7").description == ZYLON_ROW["description"]
    assert issues.get("7").raw["status"] == "Closed"


# Norm and comments.


def agent(told: object) -> BlandAgent:
    return BlandAgent(Vendor(lambda *_: told).http())


def test_norm_is_not_asked_by_what_another_issue_tells():
    session = {"id": "s1", "status": "active"}
    with pytest.raises(Moved):
        agent({"data": bland_row(id=B, latest_agent_session=session)}).latest_session(A)
    anothers = {**session, "issue_id": B}
    shown = agent({"data": bland_row(id=A, latest_agent_session=anothers)})
    assert shown.latest_session(A) == (None, False)


def test_a_session_of_another_issue_is_in_doubt():
    with pytest.raises(Ambiguous):
        agent({"data": {"id": "s1", "status": "active", "issue_id": B}}).create_session(A)


@pytest.mark.parametrize("other", [{"session_id": "s2"}, {"session_id": "s1", "issue_id": B}])
def test_a_prompt_answered_for_another_session_or_issue_is_in_doubt(other):
    with pytest.raises(Ambiguous):
        agent({"data": {"run_id": "r1", "intent": "fix", **other}}).submit(A, "s1", "/fix it")


def test_entries_of_an_issue_merged_into_this_one_are_not_its_own():
    mine, anothers = (
        {
            "id": i,
            "type": "comment",
            "detail": "ref=ic1",
            "issue_id": i,
            "created_at": AT.isoformat(),
        }
        for i in (A, B)
    )
    assert [e.entry_id for e in agent(page_of(anothers, mine)).activity(A, SINCE)] == [A]
    with pytest.raises(Moved):
        agent(page_of(anothers)).activity(A, SINCE)
    with pytest.raises(Moved):
        BlandComments(agent(page_of(anothers))._http).stands(A, "ref=ic1", SINCE)


def test_a_comment_that_stands_at_another_issue_is_in_doubt():
    told = {"data": {"id": "e1", "type": "comment", "issue_id": B}}
    with pytest.raises(Ambiguous):
        BlandComments(agent(told)._http).post(A, "text")


# Recovery.

OURS = {
    "alone": LINE,
    "the last line": f"Words.\n\n{LINE}",
    "with more in it": f"Words.\n\n[issuebridge ref={REFERENCE} severity=high]\n\nAnalysis: x",
    "spaces": f"Words.\r\n\t {LINE} \u200b",
    "paragraphs": f"<p>Words.</p><p class='x'>{LINE}</p>",
    "breaks": f"Words.<br/><br>{LINE}<br />",
    "escaped": f"Words.\n\n\\[issuebridge ref={REFERENCE}\\]",
    "entities": f"Words.\n\n&#91;issuebridge&nbsp;ref={REFERENCE}&rsqb;",
    "twice escaped": f"Words.\n\n&amp;#91;issuebridge ref={REFERENCE}&amp;#93;",
    "trailing": f"Words.\n\n{LINE}. (edited)",
    "after a quotation": f"<blockquote>Words.</blockquote>\n{LINE}",
    "after an open one": f"It shows <blockquote> and\n{LINE}",
}
PEOPLES = {
    "bare": REFERENCE,
    "a sentence": f"It says {LINE} there",
    "quoted": f"Words.\n> {LINE}",
    "quoted twice": f"Words.\n>> {LINE}",
    "quoted by a vendor": f"Words.\n&gt; {LINE}",
    "quoted as HTML": f"<blockquote><p>{LINE}</p></blockquote> what is this?",
    "in quotes": f'"{LINE}"',
    "a longer reference": f"[issuebridge ref={REFERENCE}x]",
    "something else": f"[otherbridge ref={REFERENCE}]",
}


@pytest.mark.parametrize("text", OURS.values(), ids=OURS)
def test_our_line_is_known_in_spite_of_what_is_put_around_it(kind, text):
    assert carries_line(text, REFERENCE)
    assert kind.found_in(kind.told(A, text)) == [A]


@pytest.mark.parametrize("text", PEOPLES.values(), ids=PEOPLES)
def test_what_merely_mentions_our_reference_is_not_adopted(kind, text):
    assert not carries_line(text, REFERENCE)
    assert kind.found_in(kind.told(A, text)) == []
    assert kind.found_in({**kind.told(A, "Words."), "title": LINE}) == []


@pytest.mark.parametrize("minutes", [11, 60, 60 * 24 * 30])
def test_what_was_there_before_the_send_is_not_adopted(kind, minutes):
    older = kind.told(A, f"Words.\n\n{LINE}", born=AT - timedelta(minutes=minutes))
    ours = kind.told(B, f"Words.\n\n{LINE}")
    assert kind.found_in(older) == []
    assert kind.found_in(older, ours) == [B]


@pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(days=-4), timedelta(hours=3)])
def test_the_time_of_birth_is_told_by_our_clock(kind, ahead):
    date = format_datetime(AT.replace(microsecond=0) + ahead, usegmt=True)
    ours = kind.told(A, LINE, born=AT + ahead)
    older = kind.told(B, LINE, born=AT + ahead - timedelta(minutes=11))
    assert kind.found_in(ours, older, date=date) == [A]


def test_an_issue_that_does_not_tell_its_birth_is_adopted_by_its_line(kind):
    assert kind.found_in({**kind.told(A, LINE), kind.born: None}) == [A]


SEEDS = [
    ({"tags": ["x", REFERENCE]}, True),
    ({"rawPayload": {"tags": [REFERENCE]}}, True),
    ({"rawPayload": {"context": {"tags": [REFERENCE]}}}, True),
    ({"rawPayload": {"metadata": {"issuebridge": REFERENCE}}}, True),
    ({"rawPayload": {"context": {"metadata": {"issuebridge": REFERENCE}}}}, True),
    ({"tags": [f"about {REFERENCE}"]}, False),
    ({"tags": REFERENCE}, False),
    ({"title": REFERENCE, "description": f"see {LINE}"}, False),
    ({"rawPayload": {"message": REFERENCE, "metadata": {"other": REFERENCE}}}, False),
    ({"rawPayload": [REFERENCE], "tags": None}, False),
]


@pytest.mark.parametrize(("seed", "is_ours"), SEEDS)
@pytest.mark.parametrize("rounded", [True, False])
def test_antimetals_detail_proves_only_by_the_places_where_we_put_it(seed, is_ours, rounded):
    kind = KINDS["antimetal"]
    shown = {"triggeredAt": "2026-05-06T21:09:57Z"} if rounded else {}
    row = {**kind.told(A, "rewritten"), "seeds": [seed], **shown}
    assert kind.found_in(row) == ([A] if is_ours else [])


def test_a_search_that_finds_everything_costs_no_read_of_each():
    kind = KINDS["antimetal"]
    rows = [kind.told(f"{n}", "people's words") for n in range(50)]
    vendor, issues = kind.of(lambda *_: kind.listed(*rows))
    assert issues.find_created(draft(), SINCE) == []
    assert len(vendor.sent) < 4


def test_an_antimetal_issue_of_the_same_millisecond_is_adopted_only_if_it_is_young_enough():
    kind, exact = KINDS["antimetal"], {"triggeredAt": "2026-05-06T21:09:57.081Z"}
    assert kind.found_in({**kind.told(A, "rewritten"), **exact}) == [A]
    old = kind.told(A, "rewritten", born=AT - timedelta(hours=1))
    assert kind.found_in({**old, **exact}) == []


@pytest.mark.parametrize("status", [400, 403])
def test_a_candidate_that_cannot_be_read_is_adopted_by_its_row_alone(status):
    kind = KINDS["antimetal"]
    rows = [kind.told(A, "rewritten"), kind.told(B, LINE)]

    def answer(method, path, query, body):
        return kind.listed(*rows) if path.endswith("issues") else (status, {})

    _, issues = kind.of(answer)
    assert [issue.remote_id for issue in issues.find_created(draft(), SINCE)] == [B]


def test_a_candidate_that_is_gone_or_moved_does_not_hide_the_others():
    kind = KINDS["antimetal"]
    rows = [kind.told(A, LINE), kind.told(B, LINE)]

    def answer(method, path, query, body):
        return kind.listed(*rows) if path.endswith("issues") else kind.told(B, LINE)

    _, issues = kind.of(answer)
    assert [issue.remote_id for issue in issues.find_created(draft(), SINCE)] == [B]
