"""The published schemas say what the models take, no more and no less."""

import json
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from issuebridge.domain.errors import Rejected
from issuebridge.domain.prompt import Intent, parse_request
from ops.schemas import ROOT, SCHEMAS, schema

FITS = json.loads(
    json.loads((ROOT / "events/submit_prompt.json").read_text())["Records"][0]["body"]
)


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_schema_file_is_what_its_model_says(path):
    assert (ROOT / path).read_text() == schema(path), "run `make schemas`"


MESSAGES = {
    "the example": ({}, True),
    "with a deadline": ({"deadline": "2026-11-22T10:00:00Z"}, True),
    "without a connection": ({"connection": None}, True),
    "another version": ({"version": 2}, False),
    "an intent Norm has and we do not": ({"intent": "debug"}, False),
    "no text": ({"text": ""}, False),
    "a long key": ({"idempotency_key": "k" * 201}, False),
    "a field nobody knows": ({"urgent": True}, False),
}


@pytest.mark.parametrize(("change", "fits"), MESSAGES.values(), ids=MESSAGES.keys())
def test_the_schema_of_a_prompt_and_its_model_agree(change, fits):
    message = {**FITS, **change}
    published = json.loads(schema("events/submit_prompt.schema.json"))
    assert Draft202012Validator(published).is_valid(message) is fits
    if fits:
        parse_request(json.dumps(message), get_args(Intent))
        return
    with pytest.raises(Rejected):
        parse_request(json.dumps(message), get_args(Intent))
