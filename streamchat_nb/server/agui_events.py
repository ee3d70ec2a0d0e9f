"""One run of AG-UI from the events of one turn: a pure translation.

A turn of ours is one or more runs there: a run ends where the turn waits for somebody
outside (a person's approval, a tool of the application), and the run that brings the
answer goes on from there. Nothing about runs is kept: where a run begins and ends is
read from the log each time, so that it can be read again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never

import msgspec
from ag_ui.core import (  # noqa: TID253 - imported late, with this module
    PROTOCOL_VERSION,
    ActivitySnapshotEvent,
    CustomEvent,
    Interrupt,
    MessagesSnapshotEvent,
    ReasoningMessage,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
    UserMessage,
)

from streamchat_nb.conversation.state import summed_usage
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import ErrorBody, TextBlock
from streamchat_nb.server.agui_messages import (
    Transcript,
    arguments_of,
    result_id,
)
from streamchat_nb.server.agui_stream import MessageStream
from streamchat_nb.server.agui_waiting import TurnCalls

if TYPE_CHECKING:
    from collections.abc import Callable

    from ag_ui.core import BaseEvent, Message

    from streamchat_nb.protocol.content import Usage
    from streamchat_nb.server.agui_waiting import CallInTurn, Waiting

__all__ = ["KnownMessages", "RunNames", "RunTranslation"]

NAMESPACE = "streamchat"
"""The key of our facts in ``metadata``, and the beginning of our names."""


@dataclass(frozen=True, kw_only=True)
class RunNames:
    """Which run this is.

    Attributes:
        thread: As the client calls it.
        run: As the client calls it.
        conversation: Id of the conversation.
        turn: Id of the turn.
    """

    thread: str
    run: str
    conversation: str
    turn: str


@dataclass(frozen=True, kw_only=True)
class KnownMessages:
    """What the client shows already.

    Attributes:
        ids: Ids of the answers and thoughts.
        results: Ids of the tool calls whose results it has.
        thoughts: Those of ``ids`` that are thoughts.
    """

    ids: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    thoughts: frozenset[str] = frozenset()


@dataclass
class RunTranslation:
    """Translates the events of a turn, from its first one on, into one run.

    ``start`` comes first, then ``take`` for each event until ``ended``. Whatever else
    happens, ``fail`` ends the run. Exactly one event ends it, and everything that was
    begun is ended before.

    Args:
        names: Which run.
        history: What was said before this turn, and the message that it answers.
        known: What the client shows.
        own: Ids of the turn's messages, as far as the log has them.
        answered: Ids of the approvals and tool calls that this run answers; it begins
            where the first of them is answered. Empty for a run that begins the turn.
        given: Those of them that are tool calls: the client has their results.
        is_open: Says whether an approval or a tool call is still to be answered.

    Attributes:
        ended: The event that ends the run was given.
    """

    names: RunNames
    history: Transcript
    known: KnownMessages = field(default_factory=KnownMessages)
    own: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    is_open: Callable[[str], bool] = lambda _: True

    def __post_init__(self) -> None:
        self.ended = False
        self._begun = not self.answered
        self._calls = TurnCalls(self.answered, self.is_open)
        self._streams: dict[str, MessageStream] = {}
        self._model = ""
        self._usage: Usage | None = None
        self._active = False
        self._in_progress: set[str] = set()

    # the ends of a run

    def start(self) -> list[BaseEvent]:
        """Return the events that begin the run."""
        facts = {"conversation": self.names.conversation, "turn": self.names.turn}
        started = RunStartedEvent(
            thread_id=self.names.thread,
            run_id=self.names.run,
            protocol_version=PROTOCOL_VERSION,
            metadata={NAMESPACE: facts},
        )
        return [started, *(self._catch_up() if self._begun else ())]

    def fail(self, error: ErrorBody) -> list[BaseEvent]:
        """Return the events that end the run as failed; none when it has ended."""
        if self.ended:
            return []
        facts = msgspec.to_builtins(error)
        facts.pop("message")
        failed = RunErrorEvent(
            message=error.message,
            code=error.code,
            usage=self._token_usage(),
            metadata={NAMESPACE: facts},
        )
        return self._ending(failed)

    def _finish(
        self,
        outcome: RunFinishedSuccessOutcome
        | RunFinishedCancelledOutcome
        | RunFinishedInterruptOutcome,
    ) -> list[BaseEvent]:
        finished = RunFinishedEvent(
            thread_id=self.names.thread,
            run_id=self.names.run,
            outcome=outcome,
            usage=self._token_usage(),
        )
        return self._ending(finished)

    def _ending(self, last: BaseEvent) -> list[BaseEvent]:
        self.ended = True
        events: list[BaseEvent] = []
        if self._begun:
            for stream in self._streams.values():
                events += stream.close()
        if self._active:
            events.append(self._activity(phase="finished", label=""))
        return [*events, last]

    def _wait_for(self, waiting: Waiting) -> list[BaseEvent]:
        if waiting.calls:
            pending = list(waiting.calls)
            return self._finish(
                RunFinishedSuccessOutcome(pending_tool_call_ids=pending)
            )
        interrupts = [_interrupt(asked) for asked in waiting.approvals]
        return self._finish(RunFinishedInterruptOutcome(interrupts=interrupts))

    # the events of the turn

    def take(self, event: e.Event | e.UnknownEvent) -> list[BaseEvent]:
        """Return what an event of the log is in this run; of other turns it is nothing.

        Events of the turn before the run begins are taken note of.
        """
        if (
            self.ended
            or event.turn != self.names.turn
            or isinstance(event, e.UnknownEvent)
        ):
            return []
        caught_up: list[BaseEvent] = []
        if not self._begun and self._begins_with(event):
            self._begun = True
            caught_up = self._catch_up()
            for stream in self._streams.values():
                caught_up += stream.reopen()
        call = self._calls.take(event)
        events = self._of_event(event) if call is None else self._of_call(event, call)
        if not self._begun:
            return []
        if isinstance(event, e.TurnFinished):
            events = [*events, *self._end_of(event)]
        elif not self._streams and (waiting := self._calls.waiting()) is not None:
            events = [*events, *self._wait_for(waiting)]
        for translated in events:
            translated.timestamp = event.ts or None
        return [*caught_up, *events]

    def _begins_with(self, event: e.Event) -> bool:
        match event:
            case e.ToolApprovalResolved():
                return event.approval in self.answered
            case e.ToolCompleted():
                call = self._calls.calls.get(event.tool_call)
                asked = call.asked.approval if call and call.asked else ""
                return bool(self.answered & {event.tool_call, asked})
            case e.TurnFinished():
                return True
            case _:
                return False

    def _end_of(self, event: e.TurnFinished) -> list[BaseEvent]:
        match event.status:
            case "completed":
                return self._finish(RunFinishedSuccessOutcome())
            case "cancelled":
                return self._finish(RunFinishedCancelledOutcome())
            case "failed":
                return self.fail(event.error or _FAILED)
            case "interrupted":
                return self.fail(_INTERRUPTED)
            case _:
                assert_never(event.status)

    def _of_event(self, event: e.Event) -> list[BaseEvent]:
        match event:
            case e.TurnQueued():
                label = "Waiting for the answer before it…"
                return [self._activity(phase="queued", label=label)]
            case e.TurnStarted():
                self._model = event.model
            case e.TurnStatus():
                wait = event.retry_in_ms
                more = {} if wait is None else {"retryInMs": wait}
                return [self._activity(phase=event.phase, label=event.label, **more)]
            case _:
                return self._of_message(event)
        return []

    def _of_message(self, event: e.Event) -> list[BaseEvent]:
        stream = self._streams.get(getattr(event, "message", ""))
        if stream is None:
            if isinstance(event, e.MessageCreated) and event.role == "assistant":
                self._streams[event.message] = MessageStream(event.message)
            return []
        match event:
            case e.BlockStarted():
                return stream.begin_block(event.kind)
            case e.BlockDelta():
                return stream.add(event.kind, event.delta)
            case e.MessageCompleted():
                return self._complete(stream, event)
            case e.MessageDiscarded():
                return self._discard(stream)
            case _:
                return []

    def _complete(
        self, stream: MessageStream, event: e.MessageCompleted
    ) -> list[BaseEvent]:
        del self._streams[stream.message]
        if self._begun:
            self._usage = summed_usage(self._usage, event.usage)
        events, fits = stream.complete(event.content)
        self.history.add_answer(event.message, event.content)
        if not fits:
            events += self._snapshots()
        citations = [
            citation
            for block in event.content
            if isinstance(block, TextBlock)
            for citation in block.citations or ()
        ]
        if citations:
            facts = {"messageId": event.message, "citations": citations}
            events.append(_custom("citations", facts))
        if event.actions:
            facts = {"messageId": event.message, "actions": _json(event.actions)}
            events.append(_custom("actions", facts))
        return events

    def _discard(self, stream: MessageStream) -> list[BaseEvent]:
        del self._streams[stream.message]
        events = stream.close()
        if stream.pieces:
            void = [p.id for p in stream.pieces if p.kind == "thinking"]
            events += self._snapshots(*void)
        return events

    # tool calls

    def _of_call(self, event: e.Event, call: CallInTurn) -> list[BaseEvent]:
        match event:
            case e.ToolRequested():
                return self._request(event)
            case e.ToolApprovalResolved():
                facts = {
                    "interruptId": event.approval,
                    "toolCallId": event.tool_call,
                    "approved": event.decision == "approved",
                    "args": call.input,
                }
                return [_custom("approval", facts)]
            case e.ToolProgress() if not call.awaits_application:
                self._in_progress.add(call.id)
                facts = {"message": event.message, "fraction": event.fraction}
                return [_progress(call, **facts)]
            case e.ToolCompleted():
                return self._result(event, call)
            case _:
                return []

    def _request(self, event: e.ToolRequested) -> list[BaseEvent]:
        self.history.add_call(event.message, event.tool_call, event.name, event.input)
        facts = {"label": event.label, "where": event.where, "risk": event.risk}
        stream = self._streams.get(event.message)
        return [
            *(() if stream is None else stream.close()),
            ToolCallStartEvent(
                tool_call_id=event.tool_call,
                tool_call_name=event.name,
                parent_message_id=event.message,
                metadata={NAMESPACE: facts},
            ),
            ToolCallArgsEvent(
                tool_call_id=event.tool_call, delta=arguments_of(event.input)
            ),
            ToolCallEndEvent(tool_call_id=event.tool_call),
        ]

    def _result(self, event: e.ToolCompleted, call: CallInTurn) -> list[BaseEvent]:
        self.history.add_result(call.id, event.output, event.status)
        events: list[BaseEvent] = []
        if call.id in self._in_progress:
            events.append(_progress(call, status=event.status))
        if call.id not in self.given:
            facts = {"status": event.status, "truncated": event.truncated}
            events.append(
                ToolCallResultEvent(
                    message_id=result_id(call.id),
                    tool_call_id=call.id,
                    content=event.output,
                    role="tool",
                    metadata={NAMESPACE: facts},
                )
            )
        if event.display or event.actions:
            facts = {
                "toolCallId": call.id,
                "display": _json(event.display or []),
                "actions": _json(event.actions or []),
            }
            events.append(_custom("tool_display", facts))
        return events

    # what the client shows

    def _catch_up(self) -> list[BaseEvent]:
        """Return the history where the client lacks some of it, or has more."""
        past = self.history.newest()
        lacks = any(not self._is_known(message) for message in past)
        shown = {message.id for message in self.history.messages}
        # Of this turn, for example: from a run of the same name that was cut off.
        later = {
            id_
            for id_ in self.known.ids - shown
            if id_.partition(".")[0] in self.own or id_ in self.own
        }
        if not (lacks or later):
            return []
        return self._snapshots(*(later & self.known.thoughts))

    def _is_known(self, message: Message) -> bool:
        match message:
            case UserMessage():
                return True
            case ToolMessage():
                return message.tool_call_id in self.known.results
            case _:
                return message.id in self.known.ids

    def _snapshots(self, *void: str) -> list[BaseEvent]:
        """Return the events that show all that was said, in its order.

        A client leaves what it knows where it is, and has ids of its own for what was
        asked: so it is cleared first. Thoughts it keeps, unless told of others.

        Args:
            void: Ids of thoughts that are to be emptied.
        """
        empty = [ReasoningMessage(id=id_, content="") for id_ in sorted(void)]
        messages = [*self.history.newest(), *empty]
        has_thoughts = any(isinstance(m, ReasoningMessage) for m in messages)
        cleared = ReasoningMessage(id=f"{self.names.turn}.cleared", content="")
        return [
            MessagesSnapshotEvent(messages=[cleared] if has_thoughts else []),
            MessagesSnapshotEvent(messages=messages),
        ]

    def _activity(self, **content: Any) -> BaseEvent:  # noqa: ANN401 - any JSON
        self._active |= self._begun
        return ActivitySnapshotEvent(
            message_id=f"{self.names.turn}.status",
            activity_type=f"{NAMESPACE}.status",
            content=content,
        )

    def _token_usage(self) -> list[TokenUsage] | None:
        used = self._usage
        if used is None:
            return None
        read, written = (
            used.cache_read_input_tokens,
            used.cache_creation_input_tokens,
        )
        counted = [n for n in (used.input_tokens, read, written) if n is not None]
        return [
            TokenUsage(
                model=self._model or None,
                input_tokens=sum(counted) if counted else None,
                output_tokens=used.output_tokens,
                cached_input_tokens=read,
                cache_write_input_tokens=written,
            )
        ]


_FAILED = ErrorBody(code="failed", message="The agent could not answer.")
_INTERRUPTED = ErrorBody(
    code="interrupted",
    message="The server stopped during this run. Send the message again.",
    retryable=True,
)


def _interrupt(asked: e.ToolApprovalRequested) -> Interrupt:
    expires = asked.expires_at
    facts = {
        "risk": asked.risk,
        "inputHash": asked.input_hash,
        "mayRemember": asked.may_remember,
    }
    return Interrupt(
        id=asked.approval,
        reason="tool_call",
        message=asked.prompt,
        tool_call_id=asked.tool_call,
        response_schema=_response_schema(may_remember=asked.may_remember),
        expires_at=None
        if expires is None
        else datetime.fromtimestamp(expires / 1000, UTC).isoformat(),
        metadata={NAMESPACE: facts},
    )


def _response_schema(*, may_remember: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "approved": {"type": "boolean"},
        "editedArgs": {
            "type": "object",
            "description": "Replaces the whole input of the tool.",
        },
        "reason": {"type": "string", "description": "Why not; the agent reads it."},
    }
    if may_remember:
        properties["remember"] = {
            "enum": ["once", "conversation"],
            "description": "Whether this tool may run from now on without asking.",
        }
    return {"type": "object", "properties": properties, "required": ["approved"]}


def _custom(name: str, value: dict[str, Any]) -> BaseEvent:
    return CustomEvent(name=f"{NAMESPACE}.{name}", value=value)


def _progress(call: CallInTurn, **facts: Any) -> BaseEvent:  # noqa: ANN401 - any JSON
    known = {name: value for name, value in facts.items() if value is not None}
    return ActivitySnapshotEvent(
        message_id=f"{call.id}.progress",
        activity_type=f"{NAMESPACE}.tool_progress",
        content={"toolCallId": call.id, "name": call.name, **known},
    )


def _json(value: object) -> Any:  # noqa: ANN401 - any JSON
    return msgspec.to_builtins(value)
