"""A refused key, one refused issue, a pause by another name, a key that was rotated."""

from datetime import timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from issuebridge.adapters.access import LET_IN_SECONDS
from issuebridge.adapters.http import Timing
from issuebridge.adapters.secrets import SecretsManager
from issuebridge.domain.errors import (
    AccessRefused,
    Ambiguous,
    Misconfigured,
    RateLimited,
    Refused,
    Transient,
)
from tests.integration.test_http import KEY, NOW, OK, PATH, Vendor, answered, error_of

EPOCH = NOW.timestamp()
LIST = [("limit", "1")]


@pytest.mark.parametrize("status", [403, 503, 429])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "60"}, 60),
        ({"retry_after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
        ({"x_ratelimit_remaining": "0"}, 30),
        ({"ratelimit_remaining": " 0"}, 30),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "50"}, 50),
        ({"ratelimit_remaining": "0", "ratelimit_reset": str(int(EPOCH) + 40)}, 40),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(EPOCH + 40) * 1000)}, 40),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1"}, 1),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(EPOCH) - 40)}, 0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, 30),
        ({"x_ratelimit_remaining": "0", "retry_after": "7"}, 7),
        ({"ratelimit": '"default";r=0;t=25'}, 25),
        ({"ratelimit": "limit=100, remaining=0, reset=25"}, 25),
    ],
)
def test_a_pause_may_be_told_by_another_status_or_header(status, headers, seconds):
    error = error_of(Vendor(answered(status, b"", **headers)))
    assert type(error) is RateLimited
    assert error.retry_after_seconds == seconds
    write = error_of(Vendor(answered(status, b"", **headers)), "POST")
    assert type(write) is (Ambiguous if status == 503 else RateLimited)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_ratelimit_remaining": "10"},
        {"ratelimit": '"default";r=10;t=25'},
        {"retry_after": "soon"},
    ],
)
def test_a_refusal_without_a_pause_is_still_a_bad_key(headers):
    assert type(error_of(Vendor(answered(403, b"", **headers)))) is AccessRefused


@pytest.mark.parametrize("status", [401, 403, 301, 302, 307, 308])
def test_a_refused_issue_is_refused_alone_while_the_list_answers(status):
    no = answered(status, {"message": "not for you"})
    http = Vendor(OK, no, OK, no, no).http()
    http.send("GET", "/things", query=LIST)
    with pytest.raises(Refused, match=r"not for you.*only for this issue"):
        http.send("GET", PATH, "a1")
    http.send("GET", PATH, "a2")
    with pytest.raises(Refused):
        http.send("GET", PATH, "a1")
    with pytest.raises(AccessRefused):
        http.send("GET", "/things", query=LIST)
    with pytest.raises(AccessRefused):
        http.send("GET", PATH, "a1")


def test_a_key_that_may_only_read_is_told_from_one_issue_that_is_closed():
    no = answered(403, {"message": "no"})
    http = Vendor(OK, no, OK, no, no, no).http()
    http.send("GET", "/things", query=LIST)
    with pytest.raises(Refused):
        http.send("PATCH", PATH, "a1")
    http.send("PATCH", PATH, "a2")
    with pytest.raises(Refused):
        http.send("PATCH", PATH, "a1")
    with pytest.raises(AccessRefused):
        http.send("PATCH", PATH, "a2")
    with pytest.raises(AccessRefused):
        http.send("POST", "/things", body={})


def test_what_was_let_in_long_ago_proves_nothing():
    clock = [0.0]
    vendor = Vendor(OK, answered(403))
    timing = Timing(sleep=lambda _: None, monotonic=lambda: clock[0], now=lambda: NOW)
    http = vendor.http(timing=timing)
    http.send("GET", "/things", query=LIST)
    clock[0] += LET_IN_SECONDS + 1
    with pytest.raises(AccessRefused):
        http.send("GET", PATH, "a1")


def test_a_login_page_for_one_issue_is_refused_alone_as_well():
    http = Vendor(OK, answered(200, b"<html>login</html>")).http(login_pages=True)
    http.send("GET", "/things", query=LIST)
    with pytest.raises(Refused):
        http.send("GET", PATH, "a1")


# Keys.


class Rotated:
    """A stored key; what is kept in memory is the old one until it is read anew."""

    def __init__(self, stored: str) -> None:
        self.kept, self.stored = KEY, stored

    def __call__(self) -> str:
        return self.kept

    def reread(self) -> str:
        self.kept = self.stored
        return self.kept


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
def test_a_rotated_key_costs_nothing(method):
    vendor = Vendor(answered(401, b""), OK)
    assert vendor.http(secret=Rotated("new")).send(method, PATH, "a1", body={}) == {"ok": True}
    assert [headers["authorization"] for _, _, headers, _ in vendor.sent] == [
        f"Bearer {KEY}",
        "Bearer new",
    ]


@pytest.mark.parametrize("stored", [KEY, "two words", ""])
def test_a_key_that_is_refused_and_was_not_replaced_is_sent_once(stored):
    vendor = Vendor(answered(401, b""))
    assert type(error_of(vendor, "POST", secret=Rotated(stored))) is AccessRefused
    assert len(vendor.sent) == 1


def test_a_new_key_that_is_refused_too_is_refused_and_not_shown():
    vendor = Vendor(answered(401, {"message": f"no {KEY}"}), answered(401, {"message": "no new1"}))
    error = error_of(vendor, "POST", secret=Rotated("new1"))
    assert len(vendor.sent) == 2
    assert "new1" not in str(error)


class Stored:
    """Secrets Manager with one secret, or an error."""

    def __init__(self, *values: str | tuple[str, str]) -> None:
        self.values, self.reads = list(values), 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        self.reads += 1
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, tuple):
            error = {"Code": value[0], "Message": value[1]}
            raise ClientError({"Error": error}, "GetSecretValue")
        return {"SecretString": value}


@pytest.fixture
def monotonic(monkeypatch):
    clock = SimpleNamespace(now=1e6)
    monkeypatch.setattr("issuebridge.adapters.secrets.time.monotonic", lambda: clock.now)
    return clock


def test_a_key_is_kept_for_a_while_and_read_anew_at_once_when_it_is_refused(monotonic):
    stored = Stored("one", "two", "two", "three")
    manager = SecretsManager(stored)
    secret, same = manager.reader("s"), manager.reader("s")
    assert (secret(), same(), stored.reads) == ("one", "one", 1)
    assert (secret.reread(), same(), stored.reads) == ("two", "two", 2)
    assert (secret.reread(), stored.reads) == ("two", 3)
    assert (same.reread(), secret.reread(), stored.reads) == ("two", "two", 3), "not each time"
    monotonic.now += 31
    assert (secret.reread(), stored.reads) == ("three", 4)
    assert "three" not in repr(secret)


def test_a_rotated_key_is_taken_from_secrets_manager():
    http = Vendor(answered(401, b""), OK).http(
        secret=SecretsManager(Stored("old", "new")).reader("s")
    )
    assert http.send("POST", PATH, "a1", body={}) == {"ok": True}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "Access to KMS is not allowed"),
        ("AccessDeniedException", "The ciphertext refers to a kms key that you may not use"),
        ("DecryptionFailure", "can't decrypt"),
    ],
)
def test_a_secret_under_a_key_that_may_not_be_used_says_so(code, message):
    with pytest.raises(Misconfigured, match=r"s/x.*KMS key of your own.*kms:Decrypt"):
        SecretsManager(Stored((code, message))).reader("s/x")()


def test_a_secret_that_may_not_be_read_is_another_matter():
    with pytest.raises(Misconfigured, match="SecretPrefix"):
        SecretsManager(Stored(("AccessDeniedException", "not authorized"))).reader("s")()
    with pytest.raises(Transient):
        SecretsManager(Stored(("ThrottlingException", "slow down"))).reader("s")()
