"""Errors, sorted by what to do about them.

SyncError
├── Transient            try the same call later
│   ├── RateLimited      ... not before `retry_after_seconds`
│   ├── Unreachable      nobody answers there: leave the whole connection alone for a while
│   └── Ambiguous        sent, and no answer says whether it was done: look before sending again
├── Rejected             the other system said no and will again
│   ├── Gone             the issue is not there (404, 410)
│   │   └── Moved        another issue was told of in its place: nothing goes on with it
│   ├── Refused          this issue alone is closed to the key (401, 403, 3xx)
│   ├── Conflict         something under way there forbids it for now (409)
│   └── StaleCursor      the page cursor is no longer good: start the walk again
├── LostRace             somebody wrote first: re-read, merge again
├── Tripped              too much would change at once: a person must allow it
└── Misconfigured        a person must change a setting
    └── AccessRefused    the key is not valid or lacks a right (401, 403)
"""


class SyncError(Exception):
    """Root of every error the pipeline raises on purpose."""


class Transient(SyncError):
    """The same call may succeed later; nothing was changed."""


class RateLimited(Transient):
    """The other system asked for a pause."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unreachable(Transient):
    """There was no connection, or no answer in time to a request that only reads."""


class Ambiguous(Transient):
    """The request may have been carried out: a second one may be a duplicate."""


class Rejected(SyncError):
    """The other system understood the request and refuses it; repeating it changes nothing."""


class Gone(Rejected):
    """The issue does not exist for this key."""


class Moved(Gone):
    """Asked for one issue, the vendor told of another: merged, moved, or mixed up on the way."""


class Refused(Rejected):
    """The key is accepted, and not for this issue."""


class Conflict(Rejected):
    """What is under way at the other system forbids this for now; nothing was done (409)."""


class StaleCursor(Rejected):
    """The vendor no longer knows this page cursor."""


class LostRace(SyncError):
    """Another worker committed first."""


class Tripped(SyncError):
    """The blast-radius breaker stopped a round before it went too far."""


class Misconfigured(SyncError):
    """Only a changed setting helps; the message names the place and the remedy."""


class AccessRefused(Misconfigured):
    """The vendor refuses the key or the right (401, 403)."""
