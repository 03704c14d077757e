"""The agent of a connection that may be paused: nobody waits twice for a vendor that is silent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from issuebridge.domain.errors import RateLimited, Unreachable
from issuebridge.domain.run import ActivityEntry
from issuebridge.ports import Agent, Clock, ConnectionStore, Session, Submitted

UNREACHABLE_SECONDS = 60

T = TypeVar("T")


def heed_pause(connections: ConnectionStore, connection: str, now: datetime) -> None:
    """RateLimited while the connection is paused."""
    until = connections.paused_until(connection)
    if until and until > now:
        raise RateLimited("paused", retry_after_seconds=(until - now).total_seconds())


@dataclass(frozen=True)
class HeedingAgent:
    agent: Agent
    connection: str
    connections: ConnectionStore
    clock: Clock

    def latest_session(self, remote_id: str) -> tuple[Session | None, bool]:
        return self._ask(partial(self.agent.latest_session, remote_id))

    def create_session(self, remote_id: str) -> Session:
        return self._ask(partial(self.agent.create_session, remote_id))

    def submit(self, remote_id: str, session_id: str, detail: str) -> Submitted:
        return self._ask(partial(self.agent.submit, remote_id, session_id, detail))

    def activity(self, remote_id: str, since: datetime) -> Sequence[ActivityEntry]:
        return self._ask(partial(self.agent.activity, remote_id, since))

    def _ask(self, call: Callable[[], T]) -> T:
        heed_pause(self.connections, self.connection, self.clock.now())
        try:
            return call()
        except RateLimited as error:
            self._pause(error.retry_after_seconds)
            raise
        except Unreachable:
            self._pause(UNREACHABLE_SECONDS)
            raise

    def _pause(self, seconds: float) -> None:
        self.connections.pause(self.connection, self.clock.now() + timedelta(seconds=seconds))
