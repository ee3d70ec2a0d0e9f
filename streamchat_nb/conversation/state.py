"""The fold: a conversation's state from its events, the same in every language.

``Fold.apply`` takes events in order and nothing else: no clock, no I/O. Live view,
late join, reconnect, history and crash recovery all use it. It changes the state
it owns in place and is constant-time per event, so a long answer costs the same
per token at its end as at its start; text deltas are joined only when somebody
looks (``Fold.state``).

Rules every implementation follows (``frontend/src/state.ts`` is the other one):

- An event with ``seq <= state.seq`` changes nothing; an unknown type only advances.
- An event about a message, block, tool call or turn that is not there is ignored:
  a snapshot plus a suffix of the log must give the same state as the whole log.
- ``message.completed`` replaces the blocks by the authoritative content, ``b0…``.
- A delta for a block that is complete is ignored.
- ``turns`` are in the order in which they run: ``turn.queued`` with ``ahead`` moves a
  turn that waits before all others that wait.
- ``tool.completed`` clears the progress: rows of progress may be gone from the log.
- ``progress_log`` has the last messages of the progress, no two alike in a row.
- A block of thinking knows how long it was thought; ``message.completed`` keeps that.
- A user's message without a ``parent`` that is there follows the ``tip``, and becomes
  it. A state of before there were branches is one branch.
- Another branch is shown at its newest message; so is a tip's that is taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamchat_nb.conversation.message_tree import newest_in_branch
from streamchat_nb.conversation.states import (
    ApprovalState,
    BlockState,
    ConversationState,
    MessageState,
    ToolCallState,
    TurnState,
    final_message,
    is_removed,
    summed_usage,
)
from streamchat_nb.protocol.content import (
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    ConversationCreated,
    ConversationUpdated,
    Event,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    MessageEdited,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
    TurnStatus,
    UnknownEvent,
)

if TYPE_CHECKING:
    from streamchat_nb.protocol.content import ContentBlock
    from streamchat_nb.protocol.events import BlockKind

__all__ = [
    "ApprovalState",
    "BlockState",
    "ConversationState",
    "Fold",
    "MessageState",
    "ToolCallState",
    "TurnState",
    "final_message",
    "is_removed",
    "summed_usage",
]

PROGRESS_LINES = 20
"""How many messages of a tool's progress are kept."""


class Fold:
    """Applies events to the state it owns.

    Args:
        state: Where to go on from, for example a decoded snapshot; owned from now
            on. An empty state when ``None``.
    """

    def __init__(self, state: ConversationState | None = None) -> None:
        self._state = state if state is not None else ConversationState()
        self._pending_text: dict[tuple[str, str], list[str]] = {}
        self._messages = {m.message: m for m in self._state.messages}
        self._tool_calls = {c.tool_call: c for c in self._state.tool_calls}
        self._turns = {t.turn: t for t in self._state.turns}
        self._blocks = {
            (m.message, b.block): b for m in self._state.messages for b in m.blocks
        }
        if self._state.tip is None:
            self._make_one_branch()

    @property
    def seq(self) -> int:
        """The ``seq`` of the last event applied."""
        return self._state.seq

    @property
    def state(self) -> ConversationState:
        """The state at ``seq``, with all pending text joined. Read-only by custom."""
        for key, parts in self._pending_text.items():
            block = self._blocks[key]
            block.text += "".join(parts)
        self._pending_text.clear()
        return self._state

    def message(self, message: str) -> MessageState | None:
        """Return a message by id; its streaming text may lag behind ``state``."""
        return self._messages.get(message)

    def turn(self, turn: str) -> TurnState | None:
        """Return a turn by id."""
        return self._turns.get(turn)

    def tool_call(self, tool_call: str) -> ToolCallState | None:
        """Return a tool call by id."""
        return self._tool_calls.get(tool_call)

    def apply(self, event: Event | UnknownEvent) -> None:
        """Apply one event; one that was applied before changes nothing."""
        if event.seq <= self._state.seq:
            return
        self._state.seq = event.seq
        if isinstance(event, BlockDelta):  # as nearly all are
            self._apply_delta(event)
        else:
            self._apply_other(event)

    def _apply_other(self, event: Event | UnknownEvent) -> None:
        match event:
            case BlockStarted() | BlockCompleted():
                self._apply_block(event)
            case MessageCreated() | MessageEdited():
                self._apply_user_message(event)
            case MessageCompleted() | MessageDiscarded():
                self._apply_message_end(event)
            case ToolRequested() | ToolStarted() | ToolProgress() | ToolCompleted():
                self._apply_tool(event)
            case ToolApprovalRequested() | ToolApprovalResolved():
                self._apply_approval(event)
            case TurnQueued() | TurnStarted() | TurnStatus() | TurnFinished():
                self._apply_turn(event)
            case ConversationCreated() | ConversationUpdated():
                self._apply_conversation(event)
            case UnknownEvent() | BlockDelta():
                pass
            case _:
                assert_never(event)

    def _apply_delta(self, event: BlockDelta) -> None:
        key = (event.message, event.block)
        block = self._blocks.get(key)
        if block is not None and block.content is None:
            self._pending_text.setdefault(key, []).append(event.delta)

    def _apply_block(self, event: BlockStarted | BlockCompleted) -> None:
        key = (event.message, event.block)
        match event:
            case BlockStarted():
                message = self._messages.get(event.message)
                if message is None or key in self._blocks:
                    return
                block = BlockState(block=event.block, kind=event.kind)
                if event.kind == "thinking":
                    block.started_ts = event.ts
                message.blocks.append(block)
                self._blocks[key] = block
            case BlockCompleted():
                block = self._blocks.get(key)
                if block is None:
                    return
                self._complete_block(key, block, event.content)
                block.partial = event.partial
                if block.started_ts is not None:
                    block.duration_ms = event.ts - block.started_ts

    def _complete_block(
        self, key: tuple[str, str], block: BlockState, content: ContentBlock | None
    ) -> None:
        block.content = content
        match content:
            case TextBlock(text=text) | ThinkingBlock(thinking=text):
                self._pending_text.pop(key, None)
                block.text = text
            case _:
                parts = self._pending_text.pop(key, ())
                block.text += "".join(parts)

    def _apply_user_message(self, event: MessageCreated | MessageEdited) -> None:
        match event:
            case MessageCreated():
                self._create_message(event)
            case MessageEdited():
                message = self._messages.get(event.message)
                if message is not None:
                    self._replace_blocks(message, event.content)
                    message.edited = True

    def _apply_message_end(self, event: MessageCompleted | MessageDiscarded) -> None:
        message = self._messages.get(event.message)
        if message is None:
            return
        match event:
            case MessageCompleted():
                self._replace_blocks(message, event.content)
                message.status = "partial" if event.partial else "complete"
                message.stop_reason = event.stop_reason
                message.usage = event.usage
                message.actions = event.actions or []
            case MessageDiscarded():
                message.status = "discarded"
                message.discard_reason = event.reason

    def _create_message(self, event: MessageCreated) -> None:
        if event.message in self._messages:
            return
        message = MessageState(
            message=event.message,
            role=event.role,
            author=event.author,
            ts=event.ts,
            turn=event.turn,
            client_message_id=event.client_message_id,
            parent=event.parent,
            output_schema=event.output_schema,
        )
        if event.role == "user":
            message.parent = self._parent_of(event)
            self._state.tip = event.message
        self._state.messages.append(message)
        self._messages[event.message] = message
        if event.content is not None:
            self._replace_blocks(message, event.content)
            message.status = "complete"

    def _parent_of(self, event: MessageCreated) -> str:
        known = event.parent == "" or self._is_users(event.parent)
        return (event.parent if known else self._state.tip) or ""

    def _is_users(self, message: str | None) -> bool:
        state = self._messages.get(message or "")
        return state is not None and state.role == "user"

    def _make_one_branch(self) -> None:
        """Let each message of a user follow the one before."""
        for message in self._state.messages:
            if message.role == "user":
                message.parent = self._state.tip or ""
                self._state.tip = message.message

    def _replace_blocks(
        self, message: MessageState, content: list[ContentBlock]
    ) -> None:
        old = {(block.block, block.kind): block for block in message.blocks}
        for block in message.blocks:
            key = (message.message, block.block)
            self._blocks.pop(key, None)
            self._pending_text.pop(key, None)
        message.blocks = []
        for index, item in enumerate(content):
            block = BlockState(block=f"b{index}", kind=_kind_of(item), content=item)
            before = old.get((block.block, block.kind), block)
            block.started_ts = before.started_ts
            block.duration_ms = before.duration_ms
            if isinstance(item, TextBlock):
                block.text = item.text
            elif isinstance(item, ThinkingBlock):
                block.text = item.thinking
            message.blocks.append(block)
            self._blocks[(message.message, block.block)] = block

    def _apply_tool(
        self, event: ToolRequested | ToolStarted | ToolProgress | ToolCompleted
    ) -> None:
        if isinstance(event, ToolRequested):
            self._request_tool(event)
            return
        call = self._tool_calls.get(event.tool_call)
        if call is None:
            return
        match event:
            case ToolStarted():
                call.status = "running"
                call.attempt = event.attempt
                call.started_ts = event.ts
            case ToolProgress():
                _note_progress(call, event)
            case ToolCompleted():
                call.status = event.status
                call.output = event.output
                call.truncated = event.truncated
                call.artifact = event.artifact
                call.display = event.display or []
                call.actions = event.actions or []
                call.duration_ms = event.duration_ms
                # What was on the way there is over, and may be gone from the log.
                call.progress_message = None
                call.progress_fraction = None
                call.progress_log = []

    def _request_tool(self, event: ToolRequested) -> None:
        if event.tool_call in self._tool_calls:
            return
        call = ToolCallState(
            tool_call=event.tool_call,
            message=event.message,
            block=event.block,
            name=event.name,
            label=event.label,
            input=event.input,
            where=event.where,
            turn=event.turn,
            risk=event.risk,
        )
        self._state.tool_calls.append(call)
        self._tool_calls[event.tool_call] = call

    def _apply_approval(
        self, event: ToolApprovalRequested | ToolApprovalResolved
    ) -> None:
        call = self._tool_calls.get(event.tool_call)
        if call is None:
            return
        if isinstance(event, ToolApprovalRequested):
            call.approval = ApprovalState(
                approval=event.approval,
                input_hash=event.input_hash,
                prompt=event.prompt,
                risk=event.risk,
                may_remember=event.may_remember,
                expires_at=event.expires_at,
            )
            return
        approval = call.approval
        if approval is None or approval.approval != event.approval:
            return
        approval.decision = event.decision
        approval.by = event.by
        approval.reason = event.reason
        if event.edited_input is not None:
            call.input = event.edited_input
            approval.is_edited = True

    def _apply_turn(
        self, event: TurnQueued | TurnStarted | TurnStatus | TurnFinished
    ) -> None:
        if event.turn is None:
            return
        turn = self._turns.get(event.turn)
        match event:
            case TurnQueued():
                turn = self._ensure_turn(event.turn, event.message)
                if event.ahead:
                    self._move_ahead(turn)
            case TurnStarted():
                turn = self._ensure_turn(event.turn, event.message)
                turn.status = "running"
                turn.agent = event.agent
                turn.model = event.model
                turn.offline = event.offline
                turn.started_ts = event.ts
            case TurnStatus() if turn is not None:
                turn.phase = event.phase
                turn.label = event.label
                turn.retry_in_ms = event.retry_in_ms
            case TurnFinished() if turn is not None:
                turn.status = event.status
                turn.phase = None
                turn.label = ""
                turn.retry_in_ms = None
                turn.stop_reason = event.stop_reason
                turn.error = event.error
                turn.usage = event.usage
                turn.cost = event.cost
                turn.finished_ts = event.ts
                self._sum_up(turn)
                if turn.message == self._state.tip:
                    self._show_branch(turn.message)
            case _:
                pass

    def _sum_up(self, turn: TurnState) -> None:
        """Add what a turn used to what the conversation used."""
        state = self._state
        state.usage = summed_usage(state.usage, turn.usage)
        if turn.cost is not None:
            state.cost = (state.cost or 0.0) + turn.cost
        elif turn.started_ts is not None and not turn.offline:
            state.unpriced_turns += 1

    def _move_ahead(self, turn: TurnState) -> None:
        """Put a turn that waits before all others that wait."""
        turns = self._state.turns
        if turn.status == "queued":
            turns.remove(turn)
            first = next(
                (at for at, other in enumerate(turns) if other.status == "queued"),
                len(turns),
            )
            turns.insert(first, turn)

    def _ensure_turn(self, turn: str, message: str) -> TurnState:
        state = self._turns.get(turn)
        if state is None:
            state = TurnState(turn=turn, message=message, status="queued")
            self._state.turns.append(state)
            self._turns[turn] = state
        return state

    def _apply_conversation(
        self, event: ConversationCreated | ConversationUpdated
    ) -> None:
        if isinstance(event, ConversationCreated):
            self._state.conversation = event.conversation
            self._state.created_ts = event.ts
        elif event.tip is not None and self._is_users(event.tip):
            self._show_branch(event.tip)
        if event.title is not None:
            self._state.title = event.title
        if event.settings is not None:
            self._state.settings = event.settings

    def _show_branch(self, message: str) -> None:
        state = self._state
        parents = {
            m.message: m.parent or "" for m in state.messages if m.role == "user"
        }
        removed = {turn.message for turn in state.turns if is_removed(turn)}
        state.tip = newest_in_branch(parents, removed, message) or None


def _kind_of(content: ContentBlock) -> BlockKind:
    match content:
        case ThinkingBlock():
            return "thinking"
        case ToolUseBlock():
            return "tool_use"
        case ProviderBlock():
            return "server_tool"
        case _:
            return "text"


def _note_progress(call: ToolCallState, event: ToolProgress) -> None:
    if event.message is not None:
        call.progress_message = event.message
        if call.progress_log[-1:] != [event.message]:
            kept = call.progress_log[1 - PROGRESS_LINES :]
            call.progress_log = [*kept, event.message]
    if event.fraction is not None:
        call.progress_fraction = event.fraction
