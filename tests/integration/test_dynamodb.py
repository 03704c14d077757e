"""The table at its worst: several writers at once, answers that are lost, rights that are missing.

The answers are lost below the SDK's own retries, as on a real network: the request arrives, is
carried out, and the connection ends.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from issuebridge.adapters.dynamodb import BUDGET_KEPT
from issuebridge.domain.config import switched_on
from issuebridge.domain.errors import LostRace, Misconfigured, Transient
from issuebridge.domain.swept import Swept
from issuebridge.systems import parse_config
from tests.fakes import DAWN
from tests.integration.conftest import DynamoDB
from tests.integration.test_store_contract import PLACE, at_voice, effect, entry, issue
from tests.world import document

WRITERS = 8
BLAND = {"kind": "bland", "base_url": "https://x.example", "secret": "s", "mode": "mirror"}


def winners(write) -> list[object]:
    """What each of so many writers at once got back; a lost race gives nothing."""

    def one(number: int) -> list[object]:
        with suppress(LostRace):
            return [write(number)]
        return []

    with ThreadPoolExecutor(WRITERS) as pool:
        return [won for found in pool.map(one, range(WRITERS)) for won in found]


def test_one_of_many_writers_at_once_wins_and_the_others_know_it(dynamodb):
    stored = dynamodb.issues.commit(issue())
    (won,) = winners(
        lambda n: dynamodb.issues.commit(stored.model_copy(update={"title": f"{n}"}), [entry()])
    )
    assert dynamodb.issues.load("is1") == won
    assert len(dynamodb.issues.history("is1")) == 1


def test_one_of_many_issues_at_once_takes_a_remote(dynamodb):
    (won,) = winners(
        lambda n: dynamodb.issues.commit(issue(f"is{n}", **at_voice()), linked="voice")
    )
    assert dynamodb.issues.named("voice", "T-1") == [won.issue_id]
    assert [i.issue_id for i in dynamodb.issues.all()] == [won.issue_id]


def test_one_of_many_pollers_at_once_gets_the_lease(dynamodb):
    assert len(winners(lambda _: dynamodb.connections.acquire("voice", DAWN, 60))) == 1


def test_many_spenders_at_once_never_exceed_the_budget(dynamodb):
    spent = winners(lambda _: dynamodb.ledger.spend("a>b", "2026-11-22", 5))
    assert sorted(spent) == [False] * 3 + [True] * 5


@pytest.fixture
def losing(dynamodb):
    """Make the next answer to an operation get lost after the request was carried out."""
    network = URLLib3Session()
    left: dict[str, int] = {}

    def deliver(request, event_name, **_):
        operation = event_name.rpartition(".")[2]
        if left.get(operation):
            left[operation] -= 1
            assert network.send(request).status_code < 300, "it was to be applied"
            raise ConnectionClosedError(endpoint_url=request.url)

    dynamodb.client.meta.events.register("before-send.dynamodb", deliver)
    yield lambda operation, times=1: left.update({operation: times})
    assert not any(left.values()), f"never lost: {left}"


def test_a_new_row_whose_answer_was_lost_is_stored_and_no_lost_race(dynamodb, losing):
    losing("PutItem")
    planned = dynamodb.ledger.put(effect())
    losing("PutItem")
    sending = dynamodb.ledger.put(planned.sending(DAWN))
    assert dynamodb.ledger.get("ib1") == sending


def test_a_row_of_somebody_else_is_a_lost_race_though_an_answer_was_lost_before(dynamodb, losing):
    planned = dynamodb.ledger.put(effect())
    losing("PutItem")
    dynamodb.ledger.put(planned.sending(DAWN))
    with pytest.raises(LostRace):
        dynamodb.ledger.put(planned.sending(DAWN))


def test_a_commit_whose_answer_was_lost_is_done_once_and_no_lost_race(dynamodb, losing):
    losing("TransactWriteItems")
    stored = dynamodb.issues.commit(issue(**at_voice()), [entry()], linked="voice")
    losing("TransactWriteItems")
    again = dynamodb.issues.commit(stored, [entry()], pushing="voice")
    assert dynamodb.issues.load("is1") == again
    assert len(dynamodb.issues.history("is1")) == 2


@pytest.fixture
def throttled(dynamodb):
    """Each read of several keys leaves all but one of them out, so many times."""
    left = [0]

    def leave_out(parsed, **_):
        name = dynamodb.name
        rows = parsed["Responses"][name]
        if left[0] and len(rows) > 1:
            left[0] -= 1
            keys = [{"pk": row["pk"], "sk": row["sk"]} for row in rows[1:]]
            parsed["UnprocessedKeys"] = {name: {"Keys": keys, "ConsistentRead": True}}
            parsed["Responses"][name] = rows[:1]

    dynamodb.client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_out)
    return lambda times: left.__setitem__(0, times)


def test_keys_that_a_throttled_read_leaves_out_are_read_again(dynamodb, throttled):
    held = dynamodb.connections.acquire("voice", DAWN, 60)
    buckets = {f"H#{n:03x}": {f"x{n}": "a" * 12} for n in range(5)}
    dynamodb.connections.save_seen(held, buckets, {})
    throttled(4)
    assert dynamodb.connections.buckets("voice", [*buckets]) == buckets
    throttled(99)
    many = {f"H#{n:03x}": {f"x{n}": "a" * 12} for n in range(10, 20)}
    dynamodb.connections.save_seen(held, many, {})
    with pytest.raises(Transient, match="left unread"):
        dynamodb.connections.buckets("voice", [*many])


def test_an_earlier_version_that_is_put_back_reads_no_bucket(dynamodb):
    held = dynamodb.connections.acquire("voice", DAWN, 60)
    dynamodb.connections.save_seen(held, {PLACE: {"x": "a" * 12}}, {})
    assert not list(dynamodb.table.query("SEEN#voice"))


def test_a_day_s_budget_is_forgotten_in_time(dynamodb):
    dynamodb.ledger.spend("a>b", "2026-11-22", 5)
    dynamodb.ledger.spend("a>b", "2026-11-22", 5)
    item = dynamodb.table.get(("BUDGET#a>b", "2026-11-22"))
    at = datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC)
    assert at == datetime(2026, 11, 22, tzinfo=UTC) + BUDGET_KEPT
    assert item["used"]["N"] == "2"


def test_a_lease_whose_answer_was_lost_is_held_by_who_asked_for_it(dynamodb, losing):
    losing("UpdateItem")
    held = dynamodb.connections.acquire("voice", DAWN, 60)
    losing("UpdateItem")
    dynamodb.connections.save(held.model_copy(update={"watermark": DAWN}))
    assert dynamodb.connections.acquire("voice", DAWN, 60).watermark == DAWN


def test_fingerprints_whose_answer_was_lost_are_stored_and_their_marks_forgotten(dynamodb, losing):
    held = dynamodb.connections.acquire("voice", DAWN, 60)
    stored = dynamodb.issues.commit(issue(**at_voice()), linked="voice")
    dynamodb.issues.commit(stored, pushing="voice")
    pushed = dynamodb.connections.pushed("voice")
    buckets = {PLACE: dict.fromkeys(pushed, "a" * 12)}
    losing("PutItem")
    losing("DeleteItem")
    dynamodb.connections.save_seen(held, buckets, pushed)
    assert dynamodb.connections.buckets("voice", [PLACE]) == buckets
    assert dynamodb.connections.pushed("voice") == {}


def test_answers_lost_for_good_are_a_transient_failure(dynamodb, losing):
    losing("GetItem", 5)  # the SDK asks so often
    with pytest.raises(Transient, match="get_item"):
        dynamodb.ledger.get("ib1")


@pytest.fixture
def denied(dynamodb, local_aws, monkeypatch):
    """The same table, for a user without a single permission."""
    iam, name = dynamodb.session.client("iam"), f"u{uuid4().hex}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    environment = local_aws.environment | {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    return DynamoDB.over(boto3.Session(), dynamodb.name)


def test_a_denied_call_names_the_action_and_is_no_race_and_no_outage(dynamodb, denied):
    for call, action in (
        (lambda: denied.ledger.get("ib1"), "dynamodb:GetItem"),
        (lambda: denied.ledger.put(effect()), "dynamodb:PutItem"),
        (lambda: denied.issues.commit(issue()), "dynamodb:PutItem"),
        (lambda: denied.issues.due(DAWN), "dynamodb:Query"),
    ):
        with pytest.raises(Misconfigured, match=action):
            call()
    assert dynamodb.issues.load("is1") is None


def test_a_table_that_is_not_there_is_a_wrong_setting(dynamodb):
    absent = DynamoDB.over(dynamodb.session, "nothing-here")
    with pytest.raises(Misconfigured, match=r"nothing-here.*TABLE_NAME"):
        absent.ledger.get("ib1")


def test_a_stored_configuration_is_read_back_as_it_was(dynamodb):
    config = parse_config(document(), "test")
    dynamodb.configs.save(config, "tagof")
    assert dynamodb.configs.load() == (config, "tagof")
    (item,) = dynamodb.client.scan(TableName=dynamodb.name)["Items"]
    assert json.loads(item["doc"]["S"])["routes"][0]["from"] == "antimetal"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"connections": {"bland": {**BLAND, "category": "x" * 400_000}}}, "200,000"),
        (
            {"norm": {"rules": [{"name": f"a{n}", "when": {}, "prompt": "x"} for n in range(41)]}},
            "norm.rules: 41",
        ),
    ],
)
def test_a_configuration_too_large_to_be_kept_is_refused_and_the_running_one_stays(
    dynamodb, given, told
):
    plain = {"version": 1, "connections": {"bland": BLAND}, "routes": []}
    running = parse_config(plain, "test")
    dynamodb.configs.save(running, "tagtag")
    pushed = switched_on(parse_config({**plain, **given}, "test"), None, DAWN)
    with pytest.raises(Misconfigured, match=told):
        dynamodb.configs.save(pushed, "tagtag")
    assert dynamodb.configs.load().config == running


def test_what_a_sweep_saw_is_kept_whatever_the_ids_are(dynamodb):
    held = dynamodb.connections.acquire("voice", DAWN, 60)
    ids = {
        f"{n:05}" + "".join(chr(0x4E00 + (n * 7 + k * 131) % 20000) for k in range(60))
        for n in range(5000)
    }
    swept = Swept({"N#000000000007": 28}, {"H#abc": ids})
    dynamodb.connections.save_swept(held, swept, DAWN)
    assert dynamodb.connections.swept("voice", 0) == swept
