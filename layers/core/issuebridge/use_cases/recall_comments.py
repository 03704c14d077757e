"""After a lost table: which of our comments stand at a copy, so that none is posted again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from issuebridge.domain.issue import CanonicalIssue, RemoteIssue, comment_key, with_ref
from issuebridge.domain.lag import wanted
from issuebridge.domain.mark import issue_of
from issuebridge.domain.policy import Policy
from issuebridge.ports import Comments

COMMENTS_MAX = 50
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RecallComments:
    comments: Callable[[str], Comments]

    def __call__(
        self, issue: CanonicalIssue, policy: Policy, remote: RemoteIssue, mark: str
    ) -> CanonicalIssue:
        """With as many comments as stand there. A comment is found by its key, which does not
        tell its words: the last one is taken to say what is meant now."""
        if policy.fields["external_link"].carrier != "comment":
            return issue
        ref, issue_id = issue.refs[policy.connection], issue_of(mark) or issue.issue_id
        value, since = wanted(issue, policy.connection, "external_link"), remote.created_at
        system, posted = self.comments(policy.connection), 0
        for number in range(COMMENTS_MAX):
            key = comment_key(issue_id, policy.connection, number)
            if not system.stands(remote.remote_id, key, since or _BEGINNING):
                break
            posted += 1
        told = (value,) if posted and value else ()
        return with_ref(issue, ref.model_copy(update={"comments": told, "commented": posted}))
