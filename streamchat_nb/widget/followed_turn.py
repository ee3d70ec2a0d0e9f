"""One turn as it happens: the part of its conversation's state that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.client.events import StateReplaced
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.transcript.answer import answer_entries

if TYPE_CHECKING:
    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.transcript.outline import Entry

__all__ = ["FollowedTurn"]


class FollowedTurn:
    """A fold of the events of one turn; a long conversation makes it no slower.

    Args:
        turn: Id of the turn.

    Attributes:
        turn: Id of the turn.
    """

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self._fold = Fold()

    def take(self, item: Event | UnknownEvent | StateReplaced) -> bool:
        """Take what came; returns whether it is about this turn."""
        if isinstance(item, StateReplaced):
            self._fold = Fold(self._own_part(item.state))
            return True
        if item.turn != self.turn:
            return False
        self._fold.apply(item)
        return True

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended."""
        turn = self._fold.turn(self.turn)
        return turn is not None and turn.finished_ts is not None

    @property
    def entries(self) -> list[Entry]:
        """What is shown of its answer."""
        return answer_entries(self._fold.state, self.turn)

    @property
    def waiting_calls(self) -> list[ToolCallState]:
        """The tool calls that wait for a person's approval."""
        return [
            call
            for call in self._fold.state.tool_calls
            if call.status == "requested"
            and call.approval is not None
            and call.approval.decision is None
        ]

    def _own_part(self, state: ConversationState) -> ConversationState:
        return ConversationState(
            seq=state.seq,
            messages=[m for m in state.messages if m.turn == self.turn],
            tool_calls=[c for c in state.tool_calls if c.turn == self.turn],
            turns=[t for t in state.turns if t.turn == self.turn],
        )
