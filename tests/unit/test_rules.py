"""Rules for Norm: when they fire, how often, and that nobody's text can give Norm an order."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuebridge.domain.config import switched_on
from issuebridge.domain.errors import LostRace, Misconfigured
from issuebridge.domain.issue import CanonicalIssue, ExternalRef
from issuebridge.domain.prompt import PromptRequest, prompt_detail
from issuebridge.domain.rules import NOTICE, Rule, fire
from issuebridge.domain.text import utf16_units, without_mention
from issuebridge.systems import parse_config
from tests.fakes import DAWN
from tests.simulation.vendor import wakes_norm
from tests.simulators import seeds
from tests.world import World, document

RULE = {
    "name": "verify-high",
    "when": {"origin": ["antimetal"], "severity": ["critical", "high"]},
    "prompt": "Is this still going on? {title} ({severity})",
}


def world(**rule: object) -> World:
    return World(document(norm={"rules": [{**RULE, **rule}]}))


def details(world: World) -> list[str]:
    return [run["detail"] for run in world.agent.runs]


def test_a_rule_prompts_norm_about_a_matching_issue_once_its_counterpart_exists():
    here = world()
    here.systems["antimetal"].add("Disk full", status="investigating", severity="high")
    here.rounds(4)
    (detail,) = details(here)
    assert re.fullmatch(
        r"/verify \[ref \w+\] Is this still going on\? \[title\] \(high\)\n\n"
        + re.escape(NOTICE)
        + r"\n> \[title\] Disk full",
        detail,
    )
    issue = here.issue_of("bland", "uuid-1001")
    assert [(run.requested_by, run.rule) for run in issue.runs] == [
        ("rule verify-high", "verify-high")
    ]


def test_a_rule_without_a_cool_down_asks_once_for_good():
    here = world()
    here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(5, seconds=100_000)
    assert len(details(here)) == 1


def test_a_rule_asks_again_after_its_cool_down_while_it_still_fits():
    here = world(cool_down_hours=10)
    issue = here.systems["antimetal"].add(severity="high", status="investigating")
    asked = []
    for _ in range(24):
        here.rounds(1, seconds=3600)
        asked.append(len(details(here)))
    assert [asked.count(times) for times in (1, 2, 3)] == [10, 10, 4]
    here.systems["antimetal"].edit(issue.remote_id, status="resolved")
    here.rounds(30, seconds=3600)
    assert len(details(here)) == 3


@pytest.mark.parametrize("crash", range(1, 12))
def test_whatever_a_crash_interrupts_the_rule_asks_exactly_once(crash):
    here = world()
    here.systems["antimetal"].add(severity="high", status="investigating")
    commits, real = [], here.store.commit

    def crashing(*given: object, **more: object) -> CanonicalIssue:
        commits.append(1)
        if len(commits) == crash:
            raise KeyboardInterrupt
        return real(*given, **more)

    here.store.commit = crashing
    for _ in range(8):
        try:
            here.rounds(1, seconds=200)
        except KeyboardInterrupt:
            here.connections.leases.clear()
    assert len(details(here)) == 1


UNFIT = {
    "another origin": {"origin": ["zylon"]},
    "another severity": {"severity": ["low"]},
    "another status": {"status": ["in_review"]},
    "another category": {"category": ["Speech"]},
    "other words": {"contains": ["disk", "memory"]},
    "too young": {"age_minutes_min": 600},
}
FIT = {
    "its status": {"status": ["in_progress"]},
    "its category, any case of its words": {"category": ["Bug"], "contains": ["DOES NOT"]},
    "old enough": {"age_minutes_min": 2},
}


@pytest.mark.parametrize(
    ("when", "fires"),
    [*((when, False) for when in UNFIT.values()), *((when, True) for when in FIT.values())],
    ids=[*UNFIT, *FIT],
)
def test_a_rule_fires_only_where_every_condition_fits(when, fires):
    here = world(when=when)
    here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(6)
    assert len(details(here)) == fires


def test_issues_from_before_the_rule_was_switched_on_are_left_alone():
    here = World()
    old = here.systems["antimetal"].add(severity="high", status="muted")
    here.rounds(2)
    later = World(document(norm={"rules": [RULE]}), here.clock)
    for name in ("ledger", "connections", "store", "systems", "agent"):
        later.__dict__[name] = getattr(here, name)
    later.systems["antimetal"].edit(old.remote_id, status="investigating")
    later.rounds(3)
    assert details(later) == []
    later.systems["antimetal"].add(severity="high", status="investigating")
    later.rounds(3)
    assert len(details(later)) == 1


def test_a_rule_that_is_switched_off_does_nothing_and_begins_anew_when_switched_on():
    off = parse_config(document(norm={"rules": [{**RULE, "enabled": False}]}), "t")
    on = parse_config(document(norm={"rules": [RULE]}), "t")
    first, later = DAWN, DAWN.replace(hour=9)
    running = switched_on(off, None, first)
    assert switched_on(on, running, later).norm.rules[0].since == later
    assert switched_on(on, switched_on(on, None, first), later).norm.rules[0].since == first
    here = world(enabled=False)
    here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(3)
    assert details(here) == []


@pytest.mark.parametrize("budget", ["rule", "connection"])
def test_a_used_up_budget_puts_the_rest_off_until_tomorrow(budget):
    given = {"rules": [{**RULE, "daily_budget": 2 if budget == "rule" else 9}]}
    here = World(document(norm={**given, "daily_budget": 2 if budget == "connection" else 9}))
    for _ in range(5):
        here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(5)
    assert len(details(here)) == 2
    here.clock.advance(24 * 3600)
    here.rounds(5)
    assert len(details(here)) == 4


def losing_races(here: World, times: int) -> None:
    """The commits that plan a rule's prompt lose this often."""
    lost, real = [], here.store.commit

    def commit(issue: CanonicalIssue, *given: object, **more: object) -> CanonicalIssue:
        if issue.fired and issue.prompts and len(lost) < times:
            lost.append(issue)
            raise LostRace(issue.issue_id)
        return real(issue, *given, **more)

    here.store.commit = commit


def test_a_race_that_is_lost_costs_no_second_part_of_the_budget():
    here = world(daily_budget=2)
    losing_races(here, 3)
    for _ in range(2):
        here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(3)
    assert len(details(here)) == 2


def test_the_status_is_set_when_the_run_completes_and_mirrored_everywhere():
    here = world(on_complete="in_review")
    born = here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(5)
    issue = here.issue_of("bland", "uuid-1001")
    assert (issue.status, issue.edits["status"].by) == ("in_review", "norm")
    assert here.systems["antimetal"].issues[born.remote_id].raw["status"] == "ready_to_fix"
    assert here.systems["bland"].issues["uuid-1001"].raw["status"] == "in_review"
    told = [e for e in here.store.history(issue.issue_id) if e.by == "norm"]
    assert [(e.new, e.detail) for e in told] == [
        ("in_review", "rule verify-high: its run is complete")
    ]


@pytest.mark.parametrize("ends", ["error", "awaiting_input", "cancelled"])
def test_a_run_that_did_not_complete_sets_no_status(ends):
    here = world(on_complete="in_review")
    here.agent.ends = ends
    here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(5)
    assert here.issue_of("bland", "uuid-1001").status == "in_progress"


def test_a_person_s_edit_during_the_run_stands():
    here = world(on_complete="in_review")
    here.agent.run_seconds = 600
    here.systems["antimetal"].add(severity="high", status="investigating")
    here.rounds(4)
    here.systems["bland"].edit("uuid-1001", status="backlog")
    here.rounds(15)
    assert [run.outcome for run in here.issue_of("bland", "uuid-1001").runs] == ["complete"]
    assert here.issue_of("bland", "uuid-1001").status == "backlog"


WRONG = {
    "an unknown field": ({"prompt": "{owner}"}, r"no field is called \{owner\}"),
    "an attribute": ({"prompt": "{title.__class__}"}, "no field is called"),
    "an index": ({"prompt": "{title[0]}"}, "no field is called"),
    "a position": ({"prompt": "{}"}, "no field is called"),
    "a format": ({"prompt": "{title:>1000000}"}, "only the bare"),
    "a conversion": ({"prompt": "{title!r}"}, "only the bare"),
    "an open brace": ({"prompt": "{title"}, "expected '}'"),
    "a fix nobody allowed": ({"intent": "fix"}, "allow_fix: true"),
    "an unknown status": ({"on_complete": "fixed"}, "fixed is none of"),
    "a connection without Norm": (
        {"at": "zylon"},
        "set `at` to a connection that has an agent: bland",
    ),
    "an unknown origin": ({"when": {"origin": ["github"]}}, "no connection is called github"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_rule_that_cannot_work_is_refused_when_loaded(change, told):
    with pytest.raises(Misconfigured, match=told):
        parse_config(document(norm={"rules": [{**RULE, **change}]}), "file.yaml")


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(Misconfigured, match="verify-high stands twice"):
        parse_config(document(norm={"rules": [RULE, RULE]}), "file.yaml")


MENTIONS = ["@norm", "@@normnorm", "@NoRm", "@n\u200bo\u2060rm", "\uff20norm", "@n\u043erm"]
MENTIONS += [
    "@\U000e0020norm",
    "@n\ufe0form",
    "@n\u034form",
    "@\U0001d427\U0001d428\U0001d42b\U0001d426",
]
ORDERS = [
    "/fix",
    "fix everything",
    "Status page",
    "/debug now",
    "{title}",
    "{0.__class__}",
    "[ref x]",
]
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([*MENTIONS, *ORDERS, "\r", "\n", "\u2028", "\x85", "\x00", "\ud800"]),
        st.sampled_from([*seeds.nasty_texts(), "📞" * 900, "\u202e", "\U000e0041"]),
        st.text(max_size=30),
    ),
    max_size=12,
).map("".join)


def issue_with(title: str, description: str, category: str) -> CanonicalIssue:
    ref = ExternalRef(connection="bland", remote_id="u", display_id="T-1", url="https://x.example/")
    return CanonicalIssue(
        issue_id="is1",
        origin="bland",
        title=title,
        description=description,
        category=category,
        severity="high",
        refs={"bland": ref},
    )


@given(HOSTILE, HOSTILE, HOSTILE, st.sampled_from(["verify", "status", "fix"]))
def test_nobody_s_text_becomes_the_intent_a_mention_or_a_line_of_our_own(
    title, description, category, intent
):
    prompt = "{category}: check {title}. {description} {url} {status}"
    rule = Rule(**{**RULE, "at": "bland", "prompt": prompt, "intent": intent, "allow_fix": True})
    _, request = fire(issue_with(title, description, category), rule, DAWN)
    detail = prompt_detail("prkey", request)
    own = f"/{intent} [ref prkey] [category]: check [title]. [description] [url] unknown"
    head, gap, notice, *quotes = re.split("\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", detail)
    assert (head, gap, notice) == (own, "", NOTICE)
    assert all(line.startswith("> ") for line in quotes)
    assert utf16_units(detail) <= 4000
    assert without_mention(detail) == detail
    assert not wakes_norm(detail)
    assert PromptRequest.model_validate_json(request.model_dump_json()) == request


@given(HOSTILE.filter(bool), st.sampled_from(["verify", "status", "fix"]))
def test_text_of_a_message_never_chooses_the_intent(text, intent):
    fields = {"version": 1, "issue": "T-1", "requested_by": "a", "idempotency_key": "k"}
    request = PromptRequest.model_construct(**fields, intent=intent, text=text)
    detail = prompt_detail("prkey", request)
    assert detail.startswith(f"/{intent} [ref prkey] ")
    assert utf16_units(detail) <= 4000
    assert not wakes_norm(detail)
