"""Where the time of a turn went, by the times of its events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.protocol.events import (
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolApprovalRequested,
    ToolApprovalResolved,
    ToolCompleted,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    TurnStatus,
)
from streamchat_nb.protocol.trace import TraceSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.trace import SpanKind

__all__ = ["TurnSpans"]

_DETAIL_CHARACTERS = 200


class TurnSpans:
    """Takes the events of one turn, in order, and gives its spans.

    Events of other turns are passed over. A step is a request to a model with its
    answer, or what an agent of another kind writes at a time.

    Args:
        turn: Id of the turn.

    Attributes:
        sent_ts: When its message was sent, milliseconds since the epoch; 0 before.
        is_over: It has ended.
    """

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._spans: dict[str, TraceSpan] = {}
        self._steps = 0
        self._step: str | None = None
        self._retries = 0
        self._retry: str | None = None
        self._free_since = 0
        self.sent_ts = 0
        self.is_over = False

    def spans(self) -> list[TraceSpan]:
        """Return them as they began, each after the one that it is a part of."""
        parts: dict[str | None, list[TraceSpan]] = {}
        for span in self._spans.values():
            parts.setdefault(span.parent, []).append(span)
        tops = _ordered(parts.get(None, ()))
        return [one for top in tops for one in (top, *_ordered(parts.get(top.id, ())))]

    def observe(self, event: Event | UnknownEvent) -> None:
        """Take the next event of the log."""
        if event.turn != self._turn or self.is_over:
            return
        if not self.sent_ts:
            self.sent_ts = event.ts
            self._put(TraceSpan(id="queue", kind="queue", name="Queue", start_ms=0))
        at = event.ts - self.sent_ts
        match event:
            case TurnStarted() | TurnStatus() | TurnFinished():
                self._observe_turn(event, at)
            case MessageCreated() | BlockStarted():
                self._observe_answer(event, at)
            case MessageCompleted() | MessageDiscarded():
                self._end_step(event, at)
            case ToolRequested() | ToolStarted() | ToolCompleted():
                self._observe_tool(event, at)
            case ToolApprovalRequested() | ToolApprovalResolved():
                self._observe_approval(event, at)
            case _:
                pass

    # the turn

    def _observe_turn(
        self, event: TurnStarted | TurnStatus | TurnFinished, at: int
    ) -> None:
        match event:
            case TurnStarted():
                self._end("queue", at, status="started")
                self._free_since = at
            case TurnStatus(phase="thinking"):
                self._end_retry(at)
                self._begin_step(at)
            case TurnStatus(phase="retrying"):
                self._begin_retry(event, at)
            case TurnStatus(phase="waiting_kernel"):
                self._wait_for_kernel(at)
            case TurnFinished():
                self._finish(event, at)
            case _:
                pass

    def _finish(self, event: TurnFinished, at: int) -> None:
        self._end_retry(at)
        error = "" if event.error is None else _line(event.error.message)
        for span in list(self._spans.values()):
            if span.end_ms is None:
                self._end(span.id, at, status=event.status, detail=error)
        self.is_over = True

    def _begin_retry(self, event: TurnStatus, at: int) -> None:
        if self._step is not None:
            self._end(self._step, at, status="failed", detail=_line(event.label))
            self._step = None
        self._end_retry(at)
        self._retries += 1
        self._retry = f"retry-{self._retries}"
        self._put(
            TraceSpan(
                id=self._retry,
                kind="retry",
                name=f"Retry {self._retries}",
                start_ms=at,
                detail=_line(event.label),
            )
        )

    def _end_retry(self, at: int) -> None:
        if self._retry is not None:
            self._end(self._retry, at, status="retried")
            self._retry = None
            self._free_since = at

    # the steps

    def _begin_step(self, at: int) -> None:
        if self._step is not None:
            return
        self._steps += 1
        self._step = f"step-{self._steps}"
        name = f"Step {self._steps}"
        self._put(TraceSpan(id=self._step, kind="step", name=name, start_ms=at))

    def _observe_answer(self, event: MessageCreated | BlockStarted, at: int) -> None:
        if isinstance(event, MessageCreated):
            if event.role == "user":
                return
            self._begin_step(self._free_since)
        span = self._spans.get(self._step or "")
        if span is not None and span.first_ms is None:
            self._change(span.id, first_ms=at, message=event.message)

    def _end_step(self, event: MessageCompleted | MessageDiscarded, at: int) -> None:
        if self._step is None:
            return
        if isinstance(event, MessageDiscarded):
            status, detail = "discarded", _line(event.reason)
        else:
            status = event.stop_reason or ("partial" if event.partial else "completed")
            detail = ""
        self._change(self._step, usage=event.usage, cost=event.cost)
        self._end(self._step, at, status=status, detail=detail)
        self._step = None
        self._free_since = at

    # the tools

    def _observe_tool(
        self, event: ToolRequested | ToolStarted | ToolCompleted, at: int
    ) -> None:
        call = event.tool_call
        match event:
            case ToolRequested():
                self._put(
                    TraceSpan(
                        id=call,
                        kind="tool",
                        name=event.name,
                        start_ms=at,
                        tool_call=call,
                        where=event.where,
                    )
                )
            case ToolStarted() if call in self._spans:
                again = event.attempt > 1
                if again:
                    self._end(f"{call}/run-{event.attempt - 1}", at, status="lost")
                name = f"Run {event.attempt}" if again else "Run"
                self._put_part(call, f"run-{event.attempt}", "run", name, at)
            case ToolCompleted() if call in self._spans:
                failed = event.status in {"error", "timeout", "unknown"}
                detail = _line(event.output) if failed else ""
                for part in self._parts(self._spans[call]):
                    self._end(part.id, at, status=event.status)
                self._end(call, at, status=event.status, detail=detail)
                self._free_since = at
            case _:
                pass

    def _observe_approval(
        self, event: ToolApprovalRequested | ToolApprovalResolved, at: int
    ) -> None:
        if event.tool_call not in self._spans:
            return
        if isinstance(event, ToolApprovalRequested):
            self._put_part(event.tool_call, "approval", "approval", "Approval", at)
        else:
            self._end(f"{event.tool_call}/approval", at, status=event.decision)

    def _wait_for_kernel(self, at: int) -> None:
        """Count what passed since a kernel was asked; it says every few seconds."""
        for span in list(self._spans.values()):
            runs = [one for one in self._parts(span) if one.kind == "run"]
            if span.where == "kernel" and span.end_ms is None and runs:
                began = runs[-1].start_ms
                self._put_part(span.id, "kernel", "kernel", "Kernel", began)
                self._change(f"{span.id}/kernel", end_ms=at, status="waited")
                self._change(runs[-1].id, start_ms=at)

    # spans

    def _parts(self, span: TraceSpan) -> list[TraceSpan]:
        return [one for one in self._spans.values() if one.parent == span.id]

    def _put_part(
        self, call: str, part: str, kind: SpanKind, name: str, at: int
    ) -> None:
        self._put(
            TraceSpan(
                id=f"{call}/{part}",
                kind=kind,
                name=name,
                start_ms=at,
                parent=call,
                tool_call=call,
            )
        )

    def _put(self, span: TraceSpan) -> None:
        self._spans.setdefault(span.id, span)

    def _end(self, id_: str, at: int, *, status: str, detail: str = "") -> None:
        span = self._spans.get(id_)
        if span is not None and span.end_ms is None:
            detail = detail or span.detail
            self._change(id_, end_ms=at, status=status, detail=detail)

    def _change(self, id_: str, **fields: object) -> None:
        self._spans[id_] = msgspec.structs.replace(self._spans[id_], **fields)


def _ordered(spans: Iterable[TraceSpan]) -> list[TraceSpan]:
    return sorted(spans, key=lambda span: span.start_ms)


def _line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:_DETAIL_CHARACTERS]
