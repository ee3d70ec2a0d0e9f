"""What an agent is: it takes a turn and yields what happens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamchat_nb.agent.budget import Spent
from streamchat_nb.agent.turn_limits import TurnLimits
from streamchat_nb.protocol.agent_events import AgentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from streamchat_nb.agent.model import ModelDescription
    from streamchat_nb.protocol.events import BlockDelta, ToolApprovalResolved
    from streamchat_nb.tools.registry import ToolSet
    from streamchat_nb.tools.tool import Tool

__all__ = ["Agent", "AgentEvent", "Turn", "TurnLimits"]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One user's message and all that is needed to answer it.

    Attributes:
        conversation: Id of the conversation.
        turn: Id of this turn.
        history: Messages in the shape of Anthropic's Messages API, repaired, oldest
            first; the last one is the user's message to answer.
        tools: The tools of this turn; does not change while it runs.
        limits: Where it stops by itself.
        spent: What the conversation used before, for the ceilings.
        thread: Names the branch for agents that remember by themselves: turns of one
            thread go on with each other, and a new one begins with all of ``history``.
            The conversation's id on its first branch; empty where nobody said.
        output_schema: JSON Schema of an object that the answer is to be; ``None`` for
            prose.
        new_message_id: Gives a fresh id for each message the agent creates.
        asks_first: Says whether a person must agree before this tool runs.
        approval: Waits for the answer to an approval whose request was yielded.
            ``None`` where nobody can be asked: such calls are denied.
        approval_timeout_s: How long a person has for it, in seconds; ``None``: as long
            as it takes.
        is_superseded: Says whether a newer message is to be answered instead. An agent
            that runs tools asks after their results are in, and ends there if so: the
            next turn has those results in its history.
    """

    conversation: str
    turn: str
    history: list[dict[str, Any]]
    tools: ToolSet
    limits: TurnLimits
    new_message_id: Callable[[], str]
    asks_first: Callable[[Tool], bool] = lambda tool: tool.needs_approval
    approval: Callable[[str], Awaitable[ToolApprovalResolved]] | None = None
    approval_timeout_s: float | None = None
    is_superseded: Callable[[], bool] = lambda: False
    spent: Spent = field(default_factory=Spent)
    thread: str = ""
    output_schema: dict[str, Any] | None = None


class Agent(ABC):
    """Answers turns.

    An agent yields events and never writes the log. What it leaves open when it
    raises, returns early or is cancelled (a message without ``message.completed``,
    a tool call without ``tool.completed``) the runner closes: exactly one end for
    each, whatever fails.

    Attributes:
        name: How users choose it.
        description: What it is for, in a line; for people who choose.
        model_name: Shown beside the answers; empty when it has none.
        offline: No language model runs.
        shapes_answers: It heeds ``Turn.output_schema``; turns that have one end with
            an error otherwise.
    """

    name: str
    description: str = ""
    model_name: str = ""
    offline: bool = False
    shapes_answers: bool = False

    @property
    def transport(self) -> str:
        """What carries its requests, as ``Model.transport`` says it."""
        return ""

    @abstractmethod
    def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        """Answer a turn.

        Ends normally when the answer is complete. Cancellation: the consumer
        cancels the task that iterates and closes the iterator; running tools are
        cancelled with it.

        Raises:
            ModelError: The endpoint failed for good; its message is shown.
        """

    def run_showing(
        self,
        turn: Turn,
        show: Callable[[BlockDelta], bool],  # noqa: ARG002 - optional to use
    ) -> AsyncIterator[AgentEvent]:
        """Answer a turn as ``run`` does; deltas may take a short cut.

        An agent that can gives deltas of a block that has begun to ``show`` as soon
        as they are there, in the order of all events, and only while its iterator is
        waited for. What wraps another agent and looks at its events calls ``run``.

        Args:
            turn: The turn.
            show: Takes a delta, or returns ``False``: then it is yielded.
        """
        return self.run(turn)

    async def models(self) -> list[ModelDescription]:
        """Return the models that can be chosen for it; empty where none can.

        Raises:
            ModelError: Its endpoint failed.
        """
        return []

    async def warm(self) -> None:  # noqa: B027 - optional to override
        """Do now what would slow down the first answer. Best effort.

        Raises:
            ModelError: It cannot answer as it is set up; the first turn will say so.
        """

    async def close(self) -> None:  # noqa: B027 - optional to override
        """Release connections. Idempotent."""
