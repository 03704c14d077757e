"""Fingerprints: telling an unchanged issue from a changed one without reading its item."""

import hashlib
import json

from issuebridge.domain.issue import RemoteIssue

DIGEST_HEX = 12
"""48 bits: a change goes unseen once in 10^14."""

NO_DIGEST = "0" * DIGEST_HEX
"""Of a known issue that must be looked at again."""

NOT_STORED = ""
"""Of an issue that a list has shown and that may or may not be stored by now."""


def fingerprint(remote: RemoteIssue, salt: str) -> str:
    """Covers every value we keep, and none of the vendor's times: those move without a change.

    `salt` stands for the configuration: after a change of it every issue is looked at again.
    """
    kept = (
        salt,
        sorted(remote.raw.items()),
        remote.display_id,
        remote.title,
        remote.description,
        remote.category,
        remote.environment,
        remote.deleted,
    )
    return text_digest(json.dumps(kept))


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_HEX]
