"""The issue that an id we keep stands for."""

from issuebridge.domain.issue import CanonicalIssue
from issuebridge.ports import IssueStore


def stored(store: IssueStore, issue_id: str) -> CanonicalIssue:
    """For an id that comes from a ref, the ledger or an earlier read."""
    issue = store.load(issue_id)
    assert issue is not None, f"{issue_id}: an issue is never deleted from the store"
    return issue
