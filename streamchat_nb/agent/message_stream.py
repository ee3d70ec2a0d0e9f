"""One streamed message: a model's events in, an agent's events out. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelMessageStop,
)
from streamchat_nb.agent.repair import own_id
from streamchat_nb.protocol.content import ToolUseBlock
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    MessageCreated,
    TurnStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.agent.model import ModelEvent
    from streamchat_nb.protocol.content import AssistantBlock, Author

__all__ = ["MessageStream"]


class MessageStream:
    """Follows one message from its first block to its end.

    Gives every event of the message but its terminal one, for which the agent knows
    more. Blocks are called ``b0``, ``b1``… in the order they begin. A tool use keeps
    the model's id unless the conversation has it already.

    Args:
        message: Id of the message.
        author: The agent.
        taken_ids: Gives the ids of all tool uses before this message. Asked when it
            has one, too.
        turn: Id of the turn; deltas, which are many, are given with it.

    Attributes:
        created: ``message.created`` was given.
        text_shown: A part of the answer's text was given.
        end: The whole message, with the ids as given; ``None`` until it has ended.
        delta_bytes: How many bytes all deltas that were given are, in UTF-8.
    """

    def __init__(
        self,
        message: str,
        *,
        author: Author,
        taken_ids: Callable[[], set[str]],
        turn: str | None = None,
    ) -> None:
        self.message = message
        self.created = False
        self.text_shown = False
        self.end: ModelMessageStop | None = None
        self._author = author
        self._taken_ids = taken_ids
        self._own_ids: set[str] = set()
        self.delta_bytes = 0
        self._turn = turn
        # Of each block that has begun, a delta that lacks its text.
        self._deltas: dict[int, BlockDelta] = {}

    def feed(self, event: ModelEvent) -> list[AgentEvent]:
        """Return what follows from the model's next event."""
        match event:
            case ModelBlockStart():
                return [*self._create(), self._started(event)]
            case ModelBlockDelta():
                self.delta_bytes += len(event.text.encode("utf-8", "surrogatepass"))
                return [*self._responding(event), self._delta(event)]
            case ModelBlockStop():
                return [
                    BlockCompleted(
                        message=self.message,
                        block=self._deltas[event.index].block,
                        kind=event.kind,
                        content=self._with_own_id(event.content, self._own_ids),
                    )
                ]
            case ModelMessageStop():
                own_ids: set[str] = set()
                content = [self._with_own_id(block, own_ids) for block in event.content]
                self.end = ModelMessageStop(
                    content=content,
                    stop_reason=event.stop_reason,
                    usage=event.usage,
                    request_id=event.request_id,
                    model=event.model,
                )
                return self._create()
            case _:
                assert_never(event)

    def pass_on(
        self, show: Callable[[BlockDelta], bool], event: ModelBlockDelta
    ) -> bool:
        """Show a delta that means nothing else; ``False`` for one to be fed.

        Args:
            show: Takes it, or returns ``False``.
            event: What came next.
        """
        if event.kind == "text" and not self.text_shown:
            return False
        is_shown = show(self._delta(event))
        if is_shown:
            self.delta_bytes += len(event.text.encode("utf-8", "surrogatepass"))
        return is_shown

    def _create(self) -> list[AgentEvent]:
        if self.created:
            return []
        self.created = True
        return [
            MessageCreated(message=self.message, role="assistant", author=self._author)
        ]

    def _started(self, event: ModelBlockStart) -> BlockStarted:
        message, block = self.message, f"b{len(self._deltas)}"
        self._deltas[event.index] = BlockDelta(
            message=message, block=block, kind=event.kind, delta="", turn=self._turn
        )
        return BlockStarted(message=message, block=block, kind=event.kind)

    def _responding(self, event: ModelBlockDelta) -> list[AgentEvent]:
        if event.kind != "text" or self.text_shown:
            return []
        self.text_shown = True
        return [TurnStatus(phase="responding", label="Agent is writing…")]

    def _delta(self, event: ModelBlockDelta) -> BlockDelta:
        return msgspec.structs.replace(self._deltas[event.index], delta=event.text)

    def _with_own_id(self, block: AssistantBlock, own_ids: set[str]) -> AssistantBlock:
        """Return a block with an id that nobody has, which joins those of the message.

        The same in the same order gives the same ids.
        """
        if not isinstance(block, ToolUseBlock):
            return block
        id_ = own_id(block.id, self._taken_ids() | own_ids)
        own_ids.add(id_)
        return msgspec.structs.replace(block, id=id_)
