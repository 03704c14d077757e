"""What AWS itself does in a function's name, which no local emulator asks the role for."""

from itertools import chain

import pytest

from tests.unit.test_template import EVENTS, FUNCTIONS, TEMPLATE, events, target

POLLING = {
    "SQS": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "DynamoDB": {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
    },
}
SOURCE = {"SQS": "Queue", "DynamoDB": "Stream"}


def rights(function: str) -> dict[tuple[str, str], set[str]]:
    """(logical name, attribute) of each resource -> what the function's own role may do to it."""
    role = TEMPLATE["Resources"][target(FUNCTIONS[function]["Role"])]["Properties"]
    allowed: dict[tuple[str, str], set[str]] = {}
    for statement in chain(*(p["PolicyDocument"]["Statement"] for p in role["Policies"])):
        reference = statement["Resource"].get("Fn::GetAtt")
        actions = statement["Action"]
        if reference:
            logical, _, attribute = reference.partition(".")
            actions = {actions} if isinstance(actions, str) else set(actions)
            allowed.setdefault((logical, attribute), set()).update(actions)
    return allowed


@pytest.mark.parametrize("kind", POLLING)
def test_a_role_may_read_the_source_that_wakes_its_function(kind):
    for function, event in events(kind):
        logical, _, attribute = event[SOURCE[kind]]["Fn::GetAtt"].partition(".")
        assert rights(function).get((logical, attribute), set()) >= POLLING[kind], function


def test_a_role_may_send_to_where_its_failures_go():
    destinations = [
        (function, event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])
        for (function, _), event in EVENTS.items()
        if "DestinationConfig" in event["Properties"]
    ]
    assert destinations
    for function, queue in destinations:
        assert "sqs:SendMessage" in rights(function).get((target(queue), "Arn"), set())
