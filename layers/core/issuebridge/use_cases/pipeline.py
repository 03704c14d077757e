"""Every use case, joined over one set of ports and one running configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from issuebridge.domain.config import Config
from issuebridge.domain.mark import Installation
from issuebridge.domain.routing import Landscape
from issuebridge.ports import (
    Agent,
    Clock,
    Comments,
    ConnectionStore,
    IssueStore,
    IssueSystem,
    Ledger,
)
from issuebridge.use_cases.adopt import Adopt
from issuebridge.use_cases.by_hand import Release
from issuebridge.use_cases.create_counterpart import CreateCounterpart
from issuebridge.use_cases.finish_leftovers import FinishLeftovers
from issuebridge.use_cases.gate import Gate
from issuebridge.use_cases.heeding import HeedingAgent
from issuebridge.use_cases.pair_linked import PairLinked
from issuebridge.use_cases.post_comment import PostComment
from issuebridge.use_cases.pull_changes import PullChanges
from issuebridge.use_cases.push_changes import PushChanges
from issuebridge.use_cases.recall_comments import RecallComments
from issuebridge.use_cases.start_prompts import StartPrompts
from issuebridge.use_cases.submit_prompt import SubmitPrompt
from issuebridge.use_cases.take_in import TakeIn
from issuebridge.use_cases.track_runs import TrackRuns


@dataclass(frozen=True)
class Pipeline:
    """`salt` stands for the configuration in the fingerprints; the `installation` is read late."""

    store: IssueStore
    ledger: Ledger
    connections: ConnectionStore
    system: Callable[[str], IssueSystem]
    comments: Callable[[str], Comments]
    agent: Callable[[str], Agent]
    config: Config
    landscape: Landscape
    salt: str
    installation: Callable[[], Installation]
    clock: Clock

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.connections, self.config, self.clock)

    @cached_property
    def take_in(self) -> TakeIn:
        return TakeIn(self.store, self.ledger, self.system, self.landscape, self.clock)

    @cached_property
    def pull(self) -> PullChanges:
        return PullChanges(
            self.take_in,
            self.ledger,
            self.connections,
            self.system,
            self.config,
            self.gate,
            self.salt,
            self.clock,
        )

    @cached_property
    def pair(self) -> PairLinked:
        return PairLinked(
            self.store,
            self.ledger,
            self.system,
            self.landscape,
            self.gate,
            self.installation,
            self.clock,
        )

    @cached_property
    def push(self) -> PushChanges:
        create = CreateCounterpart(
            self.store,
            self.ledger,
            self.system,
            self.landscape,
            self.config,
            self.gate,
            self.installation,
            self.clock,
        )
        comment = PostComment(
            self.store,
            self.ledger,
            self.comments,
            self.landscape,
            self.config.recovery,
            self.clock,
        )
        return PushChanges(
            self.store,
            self.connections,
            self.system,
            create,
            comment,
            self.pair,
            self.landscape,
            self.gate,
            self.installation,
            self.clock,
        )

    def heeding_agent(self, connection: str) -> Agent:
        return HeedingAgent(self.agent(connection), connection, self.connections, self.clock)

    @cached_property
    def submit(self) -> SubmitPrompt:
        return SubmitPrompt(
            self.store, self.ledger, self.heeding_agent, self.config, self.gate, self.clock
        )

    @cached_property
    def start(self) -> StartPrompts:
        return StartPrompts(
            self.store,
            self.ledger,
            self.submit,
            self.landscape,
            self.config,
            self.gate,
            self.clock,
        )

    @cached_property
    def track(self) -> TrackRuns:
        return TrackRuns(
            self.store,
            self.ledger,
            self.connections,
            self.heeding_agent,
            self.submit,
            self.landscape,
            self.config,
            self.gate,
            self.clock,
        )

    @cached_property
    def finish(self) -> FinishLeftovers:
        return FinishLeftovers(
            self.store,
            self.ledger,
            self.connections,
            self.push,
            self.submit,
            self.start,
            self.config,
            self.clock,
        )

    @cached_property
    def release(self) -> Release:
        return Release(
            self.store, self.ledger, self.landscape, self.gate, self.installation, self.clock
        )

    def adopt(self, pause: Callable[[float], None]) -> Adopt:
        """For an operator, who can wait: no function runs it."""
        return Adopt(
            self.take_in,
            self.pair,
            RecallComments(self.comments),
            self.connections,
            self.gate,
            self.installation,
            pause,
        )
