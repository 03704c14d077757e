"""What a new name of a connection changes, and what it must not."""

from datetime import timedelta

import pytest

from issuebridge.domain.effect import Effect
from issuebridge.domain.issue import (
    Baseline,
    CanonicalIssue,
    Edit,
    ExternalRef,
    Pending,
    reference_for,
)
from issuebridge.domain.mark import Installation, keys_of, reference_of
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.rename import (
    renamed_budget,
    renamed_config,
    renamed_effect,
    renamed_issue,
)
from issuebridge.systems import parse_config
from tests.fakes import DAWN
from tests.world import document

LINE = {"line": Baseline(value=None, raws=("[issuebridge ref=x]",))}


def ref(connection: str, **more) -> ExternalRef:
    return ExternalRef(connection=connection, remote_id="r", display_id="T-1", **more)


def issue(**more) -> CanonicalIssue:
    given = {"issue_id": "is1", "origin": "bland", "title": "T", "description": "", "category": ""}
    return CanonicalIssue(**(given | more))


def test_every_place_of_a_configuration_that_names_it_follows():
    rule = {
        "name": "look",
        "when": {"origin": ["bland", "zylon"]},
        "prompt": "Look.",
        "at": "bland",
    }
    given = document(norm={"rules": [rule]})
    given["connections"]["zylon"]["conflict"] = {"status": {"prefer": "bland"}}
    after = renamed_config(parse_config(given, "test"), {"bland": "voice"})
    assert [*after.connections] == ["voice", "antimetal", "zylon"]
    assert {(r.source, r.target) for r in after.routes} == {
        ("antimetal", "voice"),
        ("voice", "antimetal"),
        ("zylon", "voice"),
    }
    assert after.connections["zylon"].conflict["status"].prefer == "voice"
    assert (after.norm.rules[0].at, after.norm.rules[0].when.origin) == (
        "voice",
        ["voice", "zylon"],
    )
    assert "bland" not in after.model_dump_json().replace('"kind":"bland"', "").replace(
        "//bland.example", ""
    ).replace('"secret":"bland"', "")


def test_all_that_an_issue_keeps_by_connection_moves_and_moving_it_again_changes_nothing():
    before = issue(
        refs={"bland": ref("bland", reference="ibmark"), "zylon": ref("zylon")},
        pending={"bland": Pending(due_at=DAWN)},
        parked={"bland": "refused"},
        edits={
            "status": Edit(by="bland", at=DAWN),
            "severity": Edit(by="deleted at bland", at=DAWN),
            "external_link": Edit(by="zylon", at=DAWN, also=("bland",)),
        },
        asks={"look": DAWN + timedelta(hours=1)},
    )
    after = renamed_issue(before, "bland", "voice", None)
    assert after.origin == "voice"
    assert {n: r.connection for n, r in after.refs.items()} == {"voice": "voice", "zylon": "zylon"}
    assert (after.pending.keys(), after.parked) == ({"voice"}, {"voice": "refused"})
    assert [e.by for e in after.edits.values()] == ["voice", "deleted at voice", "zylon"]
    assert after.edits["external_link"].also == ("voice",)
    assert (after.asks, after.issue_id) == (before.asks, before.issue_id)
    assert renamed_issue(after, "bland", "voice", None) == after


@pytest.mark.parametrize(
    ("connection", "more", "keeps"),
    [
        pytest.param("zylon", {}, True, id="a counterpart carries it from its birth"),
        pytest.param("bland", {"baselines": LINE}, True, id="our line stands in it"),
        pytest.param("bland", {}, False, id="nothing was ever written to it"),
        pytest.param("zylon", {"reference": "ibmark"}, True, id="it is written down already"),
    ],
)
def test_a_mark_keeps_its_words_although_they_are_made_of_the_old_name(connection, more, keeps):
    before = issue(refs={connection: ref(connection, **more)})
    after = renamed_issue(before, connection, "voice", None)
    assert (reference_of(after, "voice") == reference_of(before, connection)) is keeps


def test_a_counterpart_that_was_asked_for_is_known_by_the_key_it_was_asked_under():
    installation = Installation.new()
    asked = installation.reference("is1", "zylon")
    after = renamed_issue(issue(), "zylon", "answers", asked)
    assert keys_of(after, "answers", installation) == [
        asked,
        installation.reference("is1", "answers"),
        reference_for("is1", "answers"),
    ]
    assert renamed_issue(after, "zylon", "answers", asked) == after
    again = renamed_issue(after, "answers", "replies", asked)
    assert keys_of(again, "replies", installation)[0] == asked
    linked = issue(refs={"answers": ref("answers")})
    assert renamed_issue(linked, "zylon", "answers", asked).asked == {}


def test_a_prompt_names_its_connection_in_what_was_asked_too():
    request = PromptRequest(
        version=1,
        issue="T-1",
        intent="verify",
        text="Still?",
        requested_by="ada",
        idempotency_key="k",
        connection="bland",
    )
    prompt = Effect(
        key="pr1",
        kind="prompt",
        issue_id="is1",
        connection="bland",
        request=request.model_dump_json(),
        planned_at=DAWN,
        due_at=DAWN,
    )
    after = renamed_effect(prompt, "bland", "voice")
    assert after.connection == "voice"
    assert PromptRequest.model_validate_json(after.request).connection == "voice"
    assert renamed_effect(after, "bland", "voice") == after
    assert renamed_effect(prompt, "zylon", "answers") == prompt


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bland>zylon", "voice>zylon"),
        ("zylon>bland", "zylon>voice"),
        ("norm at bland", "norm at voice"),
        ("norm rule bland", "norm rule bland"),
        ("norm at bland-2", "norm at bland-2"),
    ],
)
def test_what_was_spent_today_stays_spent(before, after):
    assert renamed_budget(before, "bland", "voice") == after
