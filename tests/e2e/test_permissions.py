"""The local AWS enforces each function's role, so a permission the template lacks is found here."""

import json
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import TOPIC


@pytest.fixture
def poll_bland(stack):
    """Invoke the function; what it answered, or how it failed, as text."""

    def invoke():
        name = stack.outputs["PollBlandFunctionName"]
        answer = stack.session().client("lambda").invoke(FunctionName=name, Payload=b"{}")
        return json.dumps(json.load(answer["Payload"]))

    return invoke


@pytest.fixture
def role(stack):
    function = (
        stack.session()
        .client("lambda")
        .get_function_configuration(FunctionName=stack.outputs["PollBlandFunctionName"])
    )
    return stack.session().resource("iam").Role(function["Role"].rpartition("/")[2])


@contextmanager
def taken_away(role, action):
    """Swap each attached policy for a copy without `action`, for this role alone."""
    attached = list(role.attached_policies.all())
    for policy in attached:
        document = policy.default_version.document
        for statement in document["Statement"]:
            if action in statement["Action"]:
                statement["Action"].remove(action)
        role.Policy(policy.policy_name).put(PolicyDocument=json.dumps(document))
        role.detach_policy(PolicyArn=policy.arn)
    try:
        yield
    finally:
        for policy in attached:
            role.attach_policy(PolicyArn=policy.arn)
            role.Policy(policy.policy_name).delete()


def test_every_alarm_tells_the_topic_that_the_deployment_named(stack):
    alarms = stack.session().client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarms
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(TOPIC,)}


def test_a_function_whose_role_lost_a_permission_is_denied_until_it_is_given_back(poll_bland, role):
    healthy = poll_bland()
    assert "AccessDenied" not in healthy
    with taken_away(role, "dynamodb:GetItem"):
        denied = poll_bland()
        assert "AccessDenied" in denied
        assert "dynamodb:GetItem" in denied
    assert poll_bland() == healthy
