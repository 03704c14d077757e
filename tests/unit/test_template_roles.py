"""What AWS itself does in a function's name, which no local emulator asks the role for."""

import json
from itertools import chain

import pytest

from tests.unit.test_template import EVENTS, FUNCTIONS, TEMPLATE, events, statements, target

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


def keyed(resource: str, action: str) -> list[tuple[str, dict]]:
    """(effect, condition) of each of its statements on this action at the table."""
    return [
        (statement["Effect"], statement.get("Condition", {}))
        for statement in statements(resource)
        if action
        in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        and statement["Resource"] == {"Fn::GetAtt": "Table.Arn"}
    ]


@pytest.mark.parametrize("action", ["PutItem", "UpdateItem", "DeleteItem"])
def test_no_function_writes_the_configuration(action):
    """No emulator knows `dynamodb:LeadingKeys`, so it is read from the template."""
    denied = {"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["CONFIG"]}}
    assert ("Deny", denied) in keyed("CommonAccess", f"dynamodb:{action}")


def test_a_poller_may_start_itself_and_nobody_starts_another():
    granted = {
        (role["Ref"], statement["Action"], statement["Resource"]["Fn::GetAtt"])
        for policy in TEMPLATE["Resources"].values()
        if policy["Type"] == "AWS::IAM::Policy"
        for role in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    }
    pollers = [name for name in FUNCTIONS if name.startswith("Poll")]
    assert granted == {(f"{n}Role", "lambda:InvokeFunction", f"{n}.Arn") for n in pollers}
    for name in pollers:
        assert json.loads(FUNCTIONS[name]["Events"]["Schedule"]["Properties"]["Input"]) == {
            "each": True
        }


def test_what_may_be_deleted_are_notes_on_fingerprints_and_pollers_alone_may():
    notes = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["SEEN#*"]}}
    for name in FUNCTIONS:
        allowed = [("Allow", notes)] if name.startswith("Poll") else []
        assert keyed(f"{name}Role", "dynamodb:DeleteItem") == allowed
