"""What a poll of one connection remembers from round to round."""

from datetime import datetime

from issuebridge.domain.issue import Frozen


class ConnectionState(Frozen):
    """`generation` fences: a late writer of an earlier lease is refused.

    `watermark` is the remote's own activity time up to which everything is stored; None until
    the first sweep has ended. `signpost` is the watermark that the running sweep will grant.
    """

    connection: str
    generation: int = 0
    watermark: datetime | None = None
    signpost: datetime | None = None
    sweep_cursor: str | None = None
    sweep_seen: int = 0
    sweep_clean: bool = True
    sweep_rounds: int = 0
    sweep_ended_at: datetime | None = None
    sweep_count: int | None = None
    problem: str | None = None
    polled_at: datetime | None = None
