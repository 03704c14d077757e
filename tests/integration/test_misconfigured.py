"""What each function says when a person must change a setting."""

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from issuebridge.domain.errors import Misconfigured
from tests.integration.test_handlers import FUNCTIONS, event_of, handle, poll

BATCHES = {name: event_of(name) for name in ("mirror", "submit_prompt")}
FAILURES = (Misconfigured, BatchProcessingError)


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("variable", ["TABLE_NAME", "HISTORY_DAYS"])
def test_a_missing_environment_variable_is_named_with_its_remedy(cold, function, variable):
    cold.delenv(variable)
    with pytest.raises(FAILURES, match=rf"(?s){variable} is missing.*template.yaml"):
        handle(function, BATCHES.get(function, {}))


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_without_a_stored_configuration_a_function_says_how_to_push_one(cold, function):
    with pytest.raises(FAILURES, match=r"(?s)no configuration is stored.*issuebridge.*push"):
        handle(function, BATCHES.get(function, {}))


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_a_poller_whose_kind_is_not_known_says_what_it_may_be(bridge):
    with pytest.raises(Misconfigured, match="POLL_KIND: github is none of bland, antimetal, zylon"):
        poll("github")


def test_a_secret_that_is_not_there_stops_one_connection_and_is_named(bridge):
    name = f"{bridge.db.name}/voice"
    secrets = bridge.db.session.client("secretsmanager")
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    told = poll("bland")["voice"]
    assert told["remedy_needed"]
    assert f"secret {name}" in told["problem"]
    bridge.vendors.answers.add()
    assert poll("zylon")["answers"]["stored_count"] == 1
