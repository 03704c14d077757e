"""A request to put Norm on an issue, and the exact text that Norm gets.

The intent is always explicit and always ours: Norm takes the first word of a prompt as its order,
so text from outside ("Status page shows ...") must never stand there.
"""

import hashlib
import json
import re
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints, ValidationError
from pydantic import Field as Setting

from issuebridge.domain.errors import Rejected
from issuebridge.domain.issue import Frozen
from issuebridge.domain.limits import NAME, kept
from issuebridge.domain.problems import in_words
from issuebridge.domain.text import cut, without_mention

Intent = Literal["fix", "verify", "status"]
DETAIL_UNITS_MAX = 3900
"""The vendor allows 4000 "characters" and does not say of what."""

PROBLEMS_TOLD_MAX = 10

_Short = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class PromptRequest(Frozen):
    """One message on the prompt queue: put Norm on an issue, once."""

    version: Literal[1]
    issue: _Short = Setting(
        description="our issue id, or the id or short code (T-1042) it has where Norm works"
    )
    intent: Intent = Setting(description="fix lets Norm write; verify and status only read")
    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] = Setting(
        description=f"cut at {DETAIL_UNITS_MAX} UTF-16 units; mentions of Norm are taken out"
    )
    requested_by: _Short = Setting(description="who asks, as the sender claims; shown with the run")
    idempotency_key: _Short = Setting(
        description="the same key for the same issue is the same request: it starts one run"
    )
    connection: _Short | None = Setting(default=None, description="needed if Norm works at several")
    deadline: AwareDatetime | None = Setting(
        default=None, description="not sent after this; a run that was started goes on"
    )


def parse_request(body: str, intents: Collection[str]) -> PromptRequest:
    """Rejected, naming the field and the remedy, when the message does not fit the contract, or
    asks for more than the `intents` that senders may."""
    try:
        request = PromptRequest.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        lines = [
            kept(f"{'.'.join(map(str, problem['loc'])) or 'message'}: {in_words(problem)}", NAME)
            for problem in found[:PROBLEMS_TOLD_MAX]
        ]
        more = [f"and {len(found) - len(lines)} more"] if len(found) > len(lines) else []
        told = "; ".join([*lines, *more])
        raise Rejected(f"prompt message refused: {told} (see events/submit_prompt.json)") from error
    if not any(letter.isprintable() and letter != " " for letter in request.text):
        raise Rejected("prompt message refused: text: there is nothing to read in it")
    if request.intent not in intents:
        raise Rejected(
            f"prompt message refused: intent: {request.intent} is not among what senders may ask, "
            f"{', '.join(intents)}: deploy with PromptIntents to let them"
        )
    return request


def prompt_key(issue_id: str, request: PromptRequest, rule: str | None = None) -> str:
    """The ledger key; letters and digits, since it is also the reference inside the prompt. A
    `rule` has keys of its own, which no sender can use up."""
    named = json.dumps([issue_id, request.idempotency_key, *([rule] if rule else [])])
    return f"pr{hashlib.sha256(named.encode()).hexdigest()[:24]}"


def prompt_detail(key: str, request: PromptRequest) -> str:
    """`/intent [ref key] text`: the reference comes early, should the vendor shorten its copy."""
    detail = f"/{request.intent} [ref {key}] {request.text}"
    return without_mention(cut(detail, DETAIL_UNITS_MAX))


def may_be_shortened(text: str, key: str) -> bool:
    """Whether this is too short to show our reference: a feed need not show a prompt whole."""
    return len(text.strip()) < len(f"/status [ref {key}]") and "]" not in text


def carries_reference(text: str, key: str) -> bool:
    """Whether this is the prompt that we sent under that key, whole, cut or without its intent.

    The reference counts only where we put it: a quotation further on may hold anything.
    """
    return re.match(rf"\s*(?:/?\w+\s+)?\[ref {re.escape(key)}\]", text) is not None
