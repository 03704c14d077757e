"""Whose mark is it: the reference inside what we write, which nobody but us can make.

`ib` + tag of the installation + id of the issue + seal. The tag tells our marks from those of
another issuebridge without a look-up, the id finds the issue, and the seal (HMAC) proves that we
made it, should the mark be all there is left. Older links keep theirs: a hash, `reference_for`.
"""

import hmac
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, field

from issuebridge.domain.issue import CanonicalIssue, reference_for

TAG, ISSUE, SEAL, OLD = 5, 24, 13, 24
"""Letters of each part; the old form has no parts."""
NO_MARK = ""
"""Of a copy that we have not written to yet; links from before there were tags have none stored."""
_FORM = re.compile(rf"ib(?:[a-z2-7]{{{OLD}}}|[a-z2-7]{{{TAG + ISSUE + SEAL}}})")


@dataclass(frozen=True)
class Installation:
    """One issuebridge: its tag stands open in every mark, its key leaves the secret for no log."""

    tag: str
    key: str = field(repr=False)

    @classmethod
    def new(cls) -> "Installation":
        return cls(_letters(secrets.token_bytes(8))[:TAG], secrets.token_hex(32))

    def reference(self, issue_id: str, connection: str) -> str:
        """Our mark on this issue's copy there; the same from a lost table and from a new one."""
        named = f"{issue_id}\0{connection}".encode()
        seal = _letters(hmac.digest(self.key.encode(), named, "sha256"))[:SEAL]
        return f"ib{self.tag}{issue_id.removeprefix('is')}{seal}"


def reference_of(issue: CanonicalIssue, connection: str) -> str:
    """The mark of this copy, as it was given when it was linked or first written to."""
    ref = issue.refs.get(connection)
    if ref is None or ref.reference is None:
        return reference_for(issue.issue_id, connection)
    return ref.reference


def keys_of(issue: CanonicalIssue, connection: str, installation: Installation) -> list[str]:
    """Under which the ledger may know a counterpart there: as asked for when the connection had
    another name, as now, and as from before installations had keys."""
    asked = [issue.asked[connection]] if connection in issue.asked else []
    now = installation.reference(issue.issue_id, connection)
    return [*asked, now, reference_for(issue.issue_id, connection)]


def is_mark(text: str) -> bool:
    """Whether this has exactly the form of a reference, whoever made it."""
    return _FORM.fullmatch(text) is not None


def tag_of(mark: str) -> str | None:
    """The installation's tag; None in the old form, which has none."""
    return mark[2 : 2 + TAG] if len(mark) > OLD + 2 else None


def issue_of(mark: str) -> str | None:
    """The id of the issue that a mark names."""
    return f"is{mark[2 + TAG : 2 + TAG + ISSUE]}" if tag_of(mark) else None


def _letters(raw: bytes) -> str:
    return b32encode(raw).decode().lower().rstrip("=")
