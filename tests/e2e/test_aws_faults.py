"""AWS fails every kind of call the functions make; what they had to do is done, and done once."""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from ops.stack import POLLERS, StackError
from tests.e2e.microburst import EVERY_CALL, between_functions_and_aws, microburst_before
from tests.e2e.test_mirroring import ALL_ROUTES, LINED
from tests.e2e.test_prompts import request

READS = [("dynamodb", name) for name in ("GetItem", "Query")]
READS += [("secretsmanager", "GetSecretValue")]
WRITES = [("dynamodb", name) for name in ("PutItem", "UpdateItem", "DeleteItem")]
WRITES += [("dynamodb", "TransactWriteItems"), ("sqs", "SendMessage")]
RARE = [("dynamodb", "BatchGetItem")]
"""What only a lost answer makes us ask: it meets its faults, if it is asked at all."""
THROTTLED = {
    "dynamodb": {"code": "ProvisionedThroughputExceededException"},
    "secretsmanager": {"code": "ThrottlingException"},
    "sqs": {"code": "RequestThrottled"},
}
CONFLICT = {"code": "TransactionConflictException"}
CANCELLED = {
    "code": "TransactionCanceledException",
    "fields": {"CancellationReasons": [{"Code": "TransactionConflict"}]},
}
LOST = {"response": {"abort_bytes": 0}}
IN_A_ROW = 4
"""So many attempts the SDK makes before our code hears of it."""
BEATS_MAX = 20
STUCK_BEATS = 4
CLOCK_SECONDS = 2.5
"""A vendor's clock is known by its `Date`, to the second; two of them are apart by twice that."""
STILL_SECONDS = 4.5
"""A worker that waits to repeat a call is silent for less."""


def faults_of(service, operation):
    """What AWS may do to this call: as counted -> as a rule's effect."""
    conflict = CANCELLED if operation == "TransactWriteItems" else CONFLICT
    is_write = service == "dynamodb" and (service, operation) in WRITES
    errors = [*([conflict] if is_write else []), THROTTLED[service]]
    return {"response:abort": LOST} | {f"error:{e['code']}": {"error": e} for e in errors}


def rules():
    """At first in a row, beyond what the SDK repeats by itself; then each now and then."""
    for call in [*READS, *RARE, *WRITES]:
        service, operation = call
        at = {"service": service, "operation": operation}
        faults = list(faults_of(*call).values())
        yield at | (LOST if call in WRITES else faults[-1]) | {"times": IN_A_ROW}
        for place, fault in enumerate(faults):
            yield at | fault | {"sequence": {"fail": 1, "pass": 11 + 6 * place}}
    yield EVERY_CALL


def not_met(counted):
    """(call, fault) that should have met and did not, of all calls that were made."""
    return {
        (call, fault)
        for call in {call for call, _ in counted}.difference(RARE)
        for fault in faults_of(*call)
        if not counted[call, fault]
    }


def test_whatever_aws_fails_or_does_without_an_answer_is_done_once(stack, bridged):
    recovery = {"looks": 2, "over_seconds": 1}
    bridge = bridged(ALL_ROUTES, voice=LINED, answers=LINED, recovery=recovery)
    voice, incidents, answers = bridge.voice, bridge.incidents, bridge.answers
    began = time.monotonic()
    with (
        microburst_before(stack) as aws,
        between_functions_and_aws(
            stack, aws.endpoint_url, [sim.api_url for sim in bridge.vendors.values()]
        ),
        impatient(bridge),
    ):
        aws.obey(list(rules()))
        day = Day(bridge)
        while not day.is_over(aws.counted()):
            assert day.beats < BEATS_MAX, not_met(aws.counted())
            day.go_on()
            bridge.end_poll_leases()
            if day.beats % STUCK_BEATS == 0:
                be_still(aws)
                bridge.end_leases()
        day.last_edits()
        day.beat()
        struck, faulty_seconds = aws.counted(), time.monotonic() - began
        aws.obey([])
        be_still(aws)
        bridge.end_leases()
        bridge.round()
        bridge.round()
        writes, items = bridge.writes(), bridge.items()
        told = bridge.round()

    assert {call for call, _ in struck}.difference(RARE) == {*READS, *WRITES}, "every call there is"
    assert not not_met(struck)
    assert [len(sim.issues) for sim in (voice, incidents, answers)] == [4, 3, 1]
    assert bridge.copy_of(day.disk, voice)["status"] == "in_review"
    assert bridge.copy_of(day.queue, incidents)["status"] == "resolved"
    assert answers.issues[day.answer]["state"] == "Closed"
    for remote_id, copies in ((day.disk, 2), (day.cpu, 2), (day.answer, 2), (day.queue, 2)):
        issue = bridge.issue_of(remote_id)
        assert (len(issue.refs), issue.pending, issue.parked) == (copies, {}, {})
    (run,) = voice.runs
    (recorded,) = bridge.issue_of(day.queue).runs
    assert (recorded.run_id, recorded.outcome) == (run["run_id"], "complete")
    assert dead_letters(bridge).count(day.nonsense) == 1
    assert (told.pulled, told.pushed, told.created, told.prompted) == ([], [], [], [])
    assert bridge.writes() == writes
    assert bridge.items() == items
    figures = {f"{'.'.join(call)} {what}": n for (call, what), n in sorted(struck.items())}
    seconds = {"faulty": round(faulty_seconds), "all": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps({"beats": day.beats, "seconds": seconds, **figures}, indent=2))


class Day:
    """Issues on every side, then edits at each beat, so that there is always something to do."""

    def __init__(self, bridge):
        self.bridge, self.beats, self.prompted = bridge, 0, False
        add = bridge.incidents.add
        self.disk = add(title="Disk full", severity="high", status="investigating")["uuid"]
        self.cpu = add(title="CPU", severity="medium", status="investigating")["uuid"]
        self.answer = bridge.answers.add(description="Invented.", type="Inaccurate")["id"]
        self.queue = bridge.voice.add(title="Queue", severity="critical", status="todo")["id"]
        self.nonsense = f"Fix it, please: {bridge.prefix}"

    def is_over(self, counted) -> bool:
        linked = len(self.bridge.voice.issues) + len(self.bridge.incidents.issues) == 7
        asked = {call for call, _ in counted} >= {*READS, *WRITES}
        return linked and asked and not not_met(counted) and self.prompted

    def go_on(self) -> None:
        self.beat()
        self._edit(self.beats % 2)
        known = self.bridge.stack.wiring().store.find(f"{self.bridge.prefix}-voice", self.queue)
        if known and not self.prompted:
            self._prompt()

    def beat(self) -> None:
        """What the schedules do; whatever fails is left for the next."""
        functions = (*POLLERS.values(), "Reconcile", "TrackRuns")
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._attempt, functions))
        self.beats += 1

    def _prompt(self) -> None:
        body = request(self.queue).model_dump_json()
        for number, message in enumerate((body, self.nonsense)):
            key = f"{self.bridge.prefix}-{number}"
            self.bridge.stack.send_prompt(message, group=key, key=key)
        self.prompted = True

    def _edit(self, turn) -> None:
        self.bridge.voice.edit(self.queue, status=("in_progress", "todo")[turn])
        self.bridge.incidents.edit(self.disk, status=("ready_to_fix", "investigating")[turn])
        self.bridge.answers.edit(self.answer, state=("InReview", "NotReviewed")[turn])

    def _attempt(self, function) -> None:
        with suppress(StackError):
            self.bridge.stack.invoke(function, {})

    def last_edits(self) -> None:
        """Later than all others beyond doubt, since the later one shall win."""
        time.sleep(CLOCK_SECONDS)
        voice, incidents = self.bridge.voice, self.bridge.incidents
        incidents.edit(self.disk, status="ready_to_fix")
        voice.edit(self.queue, status="done")
        voice.edit(self.bridge.copy_of(self.answer, voice)["id"], status="done")


def be_still(aws):
    """Wait until no function is at work."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        if aws.requests_seen() != seen:
            seen, since = aws.requests_seen(), time.monotonic()
        time.sleep(0.1)


@contextmanager
def impatient(bridge) -> Iterator[None]:
    """A message that failed is delivered again soon, and not after twelve minutes."""
    queue = bridge.stack.session.resource("sqs").Queue(bridge.stack.outputs["PromptQueueUrl"])
    before = queue.attributes["VisibilityTimeout"]
    queue.set_attributes(Attributes={"VisibilityTimeout": "5"})
    try:
        yield
    finally:
        queue.set_attributes(Attributes={"VisibilityTimeout": before})


def dead_letters(bridge) -> list[str]:
    """The bodies of what lies there, which are taken away."""
    queue = bridge.stack.session.resource("sqs").Queue(bridge.stack.outputs["PromptDeadLettersUrl"])
    bodies = []
    while messages := queue.receive_messages(MaxNumberOfMessages=10, WaitTimeSeconds=1):
        for message in messages:
            bodies.append(message.body)
            message.delete()
    return bodies
