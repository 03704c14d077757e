"""Whatever strangers write, and however much of it: every reader of it ends, and in a time that
grows with the text and no faster."""

import json
import signal
import sys
import time
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuebridge.adapters.answers import printable, words_of
from issuebridge.adapters.payload import _word
from issuebridge.domain import managed_line, prompt, reading, rewriting, text
from issuebridge.domain.fingerprint import fingerprint
from issuebridge.domain.issue import AgentRun, CanonicalIssue, ExternalRef, RemoteIssue
from issuebridge.domain.prompt import PromptRequest
from issuebridge.domain.rules import Rule, When, rule_text
from issuebridge.domain.run import ActivityEntry, Shown, follow
from tests.fakes import DAWN
from tests.hostile import DEEP, SHAPES, UNITS

STEPS_A_CHARACTER = 80
STEPS_AT_ANY_RATE = 4000
MANY, MILLION = 100_000, 1_000_000
CPU_SECONDS = 5
"""For MANY characters, where one pass takes a tenth of a second or less."""
NOTICED_CPU_SECONDS = 0.2
TIMES, TIMES_AS_LONG_MAX = 4, 9
"""So much more text costs as much more in one pass, and sixteen times as much if each part of it is
held against each other one."""

LINE = managed_line.ManagedLine("ibours", severity="high", link="https://a.example/2")
REF = ExternalRef(connection="bland", remote_id="u", display_id="T-1", url="https://x.example/")
RULE = Rule(
    name="look",
    when=When(),
    at="bland",
    since=DAWN,
    prompt="{title} {category} {url} {description}",
)
RUN = AgentRun(
    key="prkey",
    session_id="s",
    run_id=None,
    intent_asked="fix",
    intent="fix",
    requested_by="ann",
    submitted_at=DAWN,
)


def remote(words: str) -> RemoteIssue:
    raw = {"status": words, "severity": None, "external_link": words}
    return RemoteIssue("u", "T-1", 1, words, words, words, raw)


def issue(words: str) -> CanonicalIssue:
    return CanonicalIssue(
        issue_id="is1",
        origin="bland",
        title=words,
        description=words,
        category=words,
        refs={"bland": REF},
    )


def request(words: str) -> PromptRequest:
    fields = {"version": 1, "issue": "T-1", "requested_by": "a", "idempotency_key": "k"}
    return PromptRequest.model_construct(**fields, intent="verify", text=words)


def entry(number: int, words: str) -> ActivityEntry:
    kind = ("prompt", "comment", "response", "status_changed")[number % 4]
    session = ("s", "other", None)[number % 3]
    return ActivityEntry(f"e{number}", "note", kind, words, session, None, DAWN, (words,))


def followed(words: str) -> AgentRun:
    entries = [entry(at // 40, words[at : at + 40]) for at in range(0, len(words), 40)]
    shown = Shown("s", "complete", is_processing=False, entries=entries)
    return follow(RUN, shown, DAWN + timedelta(hours=2), run_minutes_max=60)


READERS = {
    "without_mention": text.without_mention,
    "utf16_units": text.utf16_units,
    "cut": lambda words: text.cut(words, 100),
    "cut_bytes": lambda words: text.cut_bytes(words, 100),
    "find_marks": managed_line.find_marks,
    "read_line": lambda words: managed_line.read_line(words, "ibours"),
    "put_line": lambda words: managed_line.put_line(words, LINE),
    "drop_line": lambda words: managed_line.drop_line(words, "ibours"),
    "without_lines": managed_line.without_lines,
    "line_safe": managed_line.line_safe,
    "find_url of the text": reading.find_url,
    "find_url of an object": lambda words: reading.find_url(
        json.dumps({"self": words, "item": {"url": words, "of": [words]}})
    ),
    "same_text": lambda words: rewriting.same_text("ours", words),
    "same_link": lambda words: rewriting.same_link("https://a.example/1", words),
    "is_web_address": reading.is_web_address,
    "fingerprint": lambda words: fingerprint(remote(words), "salt"),
    "carries_reference": lambda words: prompt.carries_reference(words, "prkey"),
    "may_be_shortened": lambda words: prompt.may_be_shortened(words, "prkey"),
    "prompt_detail": lambda words: prompt.prompt_detail("prkey", request(words)),
    "follow": followed,
    "rule_text": lambda words: rule_text(RULE, issue(words)),
    "printable": printable,
    "an error's words": lambda words: printable(words_of(words.encode("utf-8", "replace"))),
    "an error's details": lambda words: words_of(
        json.dumps({"errors": [{"details": [words]}]}).encode()
    ),
    "a vendor's word": _word,
}


class TooManyStepsError(AssertionError):
    pass


def steps(call, steps_max: int) -> None:
    """Run it, counting lines of Python, and the length of each text that a method of it walks."""
    taken = 0

    def spend(cost: int) -> None:
        nonlocal taken
        taken += cost
        if taken > steps_max:
            raise TooManyStepsError(f"more than {steps_max} steps")

    def on_line(frame, event, arg):
        spend(1)
        return on_line

    def on_call(frame, event, arg):
        owner = getattr(arg, "__self__", None) if event == "c_call" else None
        if isinstance(owner, str | bytes):
            spend(len(owner) // 64)

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(on_line)
    sys.setprofile(on_call)
    try:
        call()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


def seconds_spent(call, seconds_max: float) -> float:
    """What it took of this process's own time, which a busy machine does not make longer."""

    def stop(number, frame):
        raise TooManyStepsError(f"more than {seconds_max} s of computing")

    before = signal.signal(signal.SIGVTALRM, stop)
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds_max)
    try:
        call()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return time.process_time() - began


runs = st.builds(
    lambda unit, times: unit * times, st.sampled_from(UNITS), st.sampled_from((1, 1, 2, 3, 400))
)
texts = st.lists(runs, max_size=8).map("".join)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
class TestEveryReader:
    @settings(max_examples=40)
    @given(texts)
    def test_takes_so_many_steps_for_a_character(self, read, words):
        steps(lambda: read(words), STEPS_AT_ANY_RATE + STEPS_A_CHARACTER * len(words))

    def test_takes_no_more_for_a_long_text_of_any_shape(self, read):
        for name, shape in SHAPES.items():
            words = shape(4000)
            try:
                steps(lambda words=words: read(words), STEPS_AT_ANY_RATE + STEPS_A_CHARACTER * 4000)
            except TooManyStepsError as error:
                pytest.fail(f"{name}: {error}")

    def test_ends_with_a_text_of_any_size_and_shape(self, read):
        for name, shape in SHAPES.items():
            try:
                spent = seconds_spent(lambda shape=shape: read(shape(MANY)), CPU_SECONDS)
                if spent > NOTICED_CPU_SECONDS:
                    more = shape(TIMES * MANY)
                    seconds_spent(lambda more=more: read(more), TIMES_AS_LONG_MAX * spent)
            except TooManyStepsError as error:
                pytest.fail(f"{name}: {error}")


@pytest.mark.parametrize("name", ["prompt_detail", "rule_text", "printable", "cut"])
def test_what_is_cut_off_costs_nothing(name):
    words = SHAPES["many beginnings of a mention"](MANY)
    steps(lambda: READERS[name](words), STEPS_AT_ANY_RATE + STEPS_A_CHARACTER * 4000)


LETTERS = ("a run of '@'", "a run of '\\ud800'", "a run of '\\U0001f4de'")
LINES = ("a run of '\\n'", "a run of '\\n[issuebridge ref=ibours]'")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *product(("without_mention", "utf16_units", "cut", "cut_bytes"), LETTERS),
        *product(("find_marks", "read_line", "put_line", "drop_line", "without_lines"), LINES),
    ],
)
def test_a_million_characters_are_no_matter(name, shape):
    words = SHAPES[shape](MILLION)
    seconds_spent(lambda: READERS[name](words), CPU_SECONDS)


@pytest.mark.parametrize("raw", ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP])
@pytest.mark.parametrize("depth", [DEEP, 980, 700])
def test_a_link_object_of_any_depth_is_a_link_nobody_can_read(raw, depth):
    opening = raw[: raw.index(raw[0], 1)]
    closing = raw[-1]
    assert reading.find_url(opening * depth + '"no address"' + closing * depth) is None
