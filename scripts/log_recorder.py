"""A conversation's log in the making, for ``record_logs.py``."""

from __future__ import annotations

from typing import Any

import msgspec

from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import (
    Action,
    Author,
    ErrorBody,
    TextBlock,
    ToolUseBlock,
    Usage,
)

ADA = Author(id="u-ada", name="Ada", kind="user")
AGENT = Author(id="assistant", name="Agent", kind="agent")


class Recorder:
    """A log in the making: gives ``seq``, ``prev`` and a time 40 ms after the last."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._seq = 0
        self._prev = 0
        self.add(e.ConversationCreated(title="New conversation", by=ADA))

    def add(self, event: e.Event, **extra: object) -> None:
        """Append ``event``; ``extra`` are fields of a newer peer."""
        self.add_raw({**msgspec.to_builtins(event), **extra})

    def add_raw(self, fields: dict[str, Any]) -> None:
        """Append what may be no event of this version."""
        self._seq += 1
        envelope = {
            "conversation": "c-1",
            "seq": self._seq,
            "prev": self._prev,
            "ts": 1_790_000_000_000 + 40 * self._seq,
        }
        self._prev = self._seq
        self.events.append({**fields, **envelope})

    def compact(self, rows: int) -> None:
        """Pass over ``rows`` numbers whose rows are gone."""
        self._seq += rows

    # pieces of a conversation

    def ask(
        self,
        message: str,
        text: str,
        *,
        turn: str | None = None,
        parent: str | None = None,
    ) -> None:
        """Append a user's message."""
        self.add(
            e.MessageCreated(
                message=message,
                role="user",
                author=ADA,
                client_message_id=f"w-{message}",
                content=[TextBlock(text=text)],
                turn=turn,
                parent=parent,
            )
        )

    def start_turn(self, turn: str, message: str) -> None:
        """Append the start of a turn and its first status."""
        self.add(
            e.TurnStarted(
                turn=turn, message=message, agent="assistant", model="m", offline=True
            )
        )
        self.status(turn, "thinking", "Agent is thinking…")

    def status(
        self, turn: str, phase: e.Phase, label: str, retry_in_ms: int | None = None
    ) -> None:
        """Append what a turn does now."""
        self.add(
            e.TurnStatus(turn=turn, phase=phase, label=label, retry_in_ms=retry_in_ms)
        )

    def begin(self, turn: str, message: str) -> None:
        """Append the start of an agent's message."""
        self.add(
            e.MessageCreated(
                turn=turn, message=message, role="assistant", author=AGENT, parent="m1"
            )
        )

    def stream(
        self,
        turn: str,
        message: str,
        block: str,
        *deltas: str,
        kind: e.BlockKind = "text",
    ) -> None:
        """Append the start of a block and its deltas."""
        self.add(e.BlockStarted(turn=turn, message=message, block=block, kind=kind))
        for delta in deltas:
            self.add(
                e.BlockDelta(
                    turn=turn, message=message, block=block, kind=kind, delta=delta
                )
            )

    def text(self, turn: str, message: str, block: str, *deltas: str) -> TextBlock:
        """Append a whole block of text and return it."""
        self.stream(turn, message, block, *deltas)
        content = TextBlock(text="".join(deltas))
        self.add(
            e.BlockCompleted(
                turn=turn, message=message, block=block, kind="text", content=content
            )
        )
        return content

    def use(
        self, turn: str, message: str, block: str, call: str, query: str
    ) -> ToolUseBlock:
        """Append a whole block that calls ``search_contacts`` and return it."""
        wish = {"query": query}
        encoded = msgspec.json.encode(wish).decode()
        half = len(encoded) // 2
        self.stream(
            turn, message, block, encoded[:half], encoded[half:], kind="tool_use"
        )
        content = ToolUseBlock(id=call, name="search_contacts", input=wish)
        self.add(
            e.BlockCompleted(
                turn=turn,
                message=message,
                block=block,
                kind="tool_use",
                content=content,
            )
        )
        return content

    def request(
        self, turn: str, message: str, block: str, content: ToolUseBlock
    ) -> None:
        """Append the request of a tool call."""
        self.add(
            e.ToolRequested(
                turn=turn,
                message=message,
                block=block,
                tool_call=content.id,
                name=content.name,
                label="Using search_contacts…",
                input=content.input,
            )
        )

    def tool_end(
        self,
        turn: str,
        call: str,
        output: str,
        status: e.ToolStatus = "ok",
        actions: list[Action] | None = None,
    ) -> None:
        """Append the end of a tool call."""
        self.add(
            e.ToolCompleted(
                turn=turn,
                tool_call=call,
                status=status,
                output=output,
                actions=actions,
                duration_ms=120,
            )
        )

    def finish(
        self,
        turn: str,
        status: e.TurnEndStatus = "completed",
        stop_reason: str | None = "end_turn",
        error: ErrorBody | None = None,
    ) -> None:
        """Append the end of a turn."""
        self.add(
            e.TurnFinished(
                turn=turn,
                status=status,
                stop_reason=stop_reason,
                error=error,
                usage=Usage(input_tokens=21, output_tokens=8),
            )
        )
