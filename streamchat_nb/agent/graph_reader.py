"""From the stream of a LangGraph graph to the events of an answer. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.agent.answer_parts import Status, ToolNews
from streamchat_nb.agent.graph_messages import (
    calls_of,
    messages_in,
    said_in,
    stop_reason_of,
    usage_of,
)
from streamchat_nb.conversation.state import summed_usage
from streamchat_nb.protocol.content import Action
from streamchat_nb.protocol.events import (
    MessageDiscarded,
    ToolStarted,
    TurnStatus,
)
from streamchat_nb.tools.langchain import result_of_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.agent.answer_writer import AnswerWriter, MessageWriter
    from streamchat_nb.protocol.content import ToolUseBlock, Usage
    from streamchat_nb.protocol.events import ToolStatus

__all__ = ["GraphReader"]

_THINKING = TurnStatus(phase="thinking", label="Agent is thinking…")
_ON_THE_WAY = "This was a step on the way to the answer."
_MOST_LABEL_CHARACTERS = 200


@dataclass
class _Heard:
    """A message of the graph as far as it was heard."""

    said: MessageWriter
    task: str
    usage: Usage | None = None
    is_whole: bool = False
    is_answer: bool = False


@dataclass
class _Task:
    """A node at work."""

    name: str
    calls: list[str] = field(default_factory=list[str])


class GraphReader:
    """Follows one answer of a graph, over all its runs until no question is left.

    Shown is what models say in the graph and its subgraphs, but not what goes on inside
    a tool: that is news of the tool. What was said and did not get into the graph's
    messages, while something else did, is marked as a step on the way.

    Args:
        writer: Makes the events.

    Attributes:
        calls: Tool calls so far.
        steps: Whole messages of models so far.
        output_tokens: Output tokens so far, as far as they were told.
        tokens: Tokens of all kinds, likewise.
        interrupts: What the graph asks since ``resumed``, in order.
        at_boundary: No tool runs, the results of those before are kept, and the graph
            is about to go on.
    """

    def __init__(self, writer: AnswerWriter) -> None:
        self.calls = 0
        self.steps = 0
        self.output_tokens = 0
        self.tokens = 0
        self.interrupts: list[Any] = []
        self.at_boundary = False
        self._writer = writer
        self._heard: dict[str, _Heard] = {}
        self._tasks: dict[str, _Task] = {}
        self._own_ids: dict[str, str] = {}
        self._inputs: dict[str, ToolUseBlock] = {}
        self._started: set[str] = set()
        self._denied: set[str] = set()
        self._unclaimed: Usage | None = None
        self._last: _Heard | None = None
        self._structured: object = None
        self._is_thinking = True

    def feed(self, part: dict[str, Any]) -> list[AgentEvent]:
        """Return what follows from the next part of ``astream(…, version="v2")``."""
        namespace: tuple[str, ...] = tuple(part["ns"])
        self.at_boundary = False
        outer = self._calls_around(namespace)
        match part["type"]:
            case "messages":
                message, metadata = part["data"]
                return self._message(message, metadata, outer)
            case "tasks":
                return self._task(part["data"], namespace, outer)
            case "updates":
                return self._update(part["data"], outer)
            case "custom":
                return self._custom(part["data"], outer)
            case _:
                return []

    def call_like(
        self, name: str, input_: dict[str, Any], *, but: set[str]
    ) -> ToolUseBlock | None:
        """Return the first call that waits and is like this, but none of these."""
        for call in self._inputs.values():
            is_waiting = call.id in self._writer.running and call.id not in but
            if is_waiting and (call.name, call.input) == (name, input_):
                return call
        return None

    def call_named(self, tool_call: str) -> ToolUseBlock | None:
        """Return a call by its id in the graph."""
        return self._inputs.get(self._own_ids.get(tool_call, ""))

    def denied(self, tool_call: str) -> None:
        """Note that a person did not let a call run, by its own id."""
        self._denied.add(tool_call)

    def resumed(self) -> None:
        """Forget the questions: they are answered."""
        self.interrupts = []

    def say(self, text: str) -> list[AgentEvent]:
        """Return the events of words that no model said."""
        return [*self.settled(), *self._writer.begin().say(text)]

    def failed(self, error: BaseException) -> list[AgentEvent]:
        """Return the events that end all tool calls that are open."""
        kind = type(error).__name__
        events: list[AgentEvent] = []
        for call in [*self._writer.running]:
            ran = call in self._started
            events += self._writer.ended(
                call,
                status="cancelled",
                output=f"No result: the run of the graph ended with {kind}"
                + ("; it may have had effects." if ran else " before it ran."),
            )
        return events

    def end(self) -> list[AgentEvent]:
        """Return the events that end the answer."""
        events = self._on_the_way()
        last = self._last
        ends_in_text = last is not None and not last.said.content and last.said.text
        if self._structured is not None and not ends_in_text:
            events += self.say(_json_of(self._structured))
        for heard in self._heard.values():
            if heard is not last and heard.said.is_open:
                events += heard.said.end(usage=heard.usage)
        usage, self._unclaimed = self._unclaimed, None
        if last is not None and last.said.is_open and self._writer.said is last.said:
            usage = summed_usage(last.usage, usage) if last.usage else usage
        return [*events, *self._writer.end(usage=usage)]

    @property
    def said_anything(self) -> bool:
        """Whether there was a message or a call at all."""
        return bool(self._heard) or self._structured is not None

    def _calls_around(self, namespace: tuple[str, ...]) -> list[str]:
        """Return the calls within whose tool this happens, by the graph's tasks."""
        for place in namespace:
            task = self._tasks.get(place.rpartition(":")[2])
            if task is not None and task.calls:
                return task.calls
        return []

    def _message(
        self, message: BaseMessage, metadata: dict[str, Any], outer: list[str]
    ) -> list[AgentEvent]:
        if message.type == "tool":
            return [] if outer else self._tool_message(cast("ToolMessage", message))
        if message.type not in ("ai", "AIMessageChunk"):
            return []
        answer = cast("AIMessage", message)
        if outer:
            self._count(usage_of(answer))
            return []
        is_piece = message.type == "AIMessageChunk"
        place = str(metadata.get("langgraph_checkpoint_ns", ""))
        events: list[AgentEvent] = []
        heard = self._heard.get(message.id or "")
        if heard is None:
            if not is_piece and self._is_repeated(str(answer.text)):
                return []
            events += self.settled()
            heard = _Heard(said=self._writer.begin(), task=place)
            self._heard[message.id or ""] = heard
            self._last = heard
        if heard.is_whole:
            return events
        if is_piece:
            heard.usage = summed_usage(heard.usage, usage_of(answer))
        if is_piece or not heard.said.text:
            events += _said(heard.said, answer)
        if not is_piece:
            events += self._whole(heard, answer)
        return events

    def _is_repeated(self, text: str) -> bool:
        """Say whether a node gives, as its own, what a model has said before it."""
        for heard in self._heard.values():
            if text and heard.said.text == text and not heard.is_answer:
                heard.is_answer = True
                return True
        return False

    def _whole(self, heard: _Heard, message: AIMessage) -> list[AgentEvent]:
        """Return the events of a message that is whole: its calls and its end."""
        heard.is_whole = True
        self.steps += 1
        usage = usage_of(message) or heard.usage
        self._count_tokens(usage)
        usage = summed_usage(usage, self._unclaimed) if self._unclaimed else usage
        self._unclaimed = None
        heard.usage = usage
        asked = calls_of(message)
        if not asked:
            stop_reason = stop_reason_of(message)
            if heard is not self._last or stop_reason not in ("end_turn", "tool_use"):
                return heard.said.end(stop_reason, usage=usage)
            return []  # it ends with what follows, perhaps with links and buttons
        self.calls += len(asked)
        calls = [self._writer.own_call(call) for call in asked]
        for theirs, own in zip(asked, calls, strict=True):
            self._own_ids[theirs.id] = own.id
            self._inputs[own.id] = own
        return [
            *heard.said.ask(calls, usage=usage),
            *(self._writer.requested(call, said=heard.said) for call in calls),
        ]

    def settled(self) -> list[AgentEvent]:
        """Return the end of the message before, when something else is said."""
        last = self._last
        if last is None or not last.said.is_open or not last.is_whole:
            return []
        return last.said.end(usage=last.usage)

    def _tool_message(self, message: ToolMessage) -> list[AgentEvent]:
        call = self._own_ids.get(message.tool_call_id)
        if call is None or call not in self._writer.running:
            return []
        result = result_of_message(message)
        self._is_thinking = False
        status: ToolStatus = "denied" if call in self._denied else result.status
        ended = self._writer.ended(
            call,
            status=status,
            output=result.output,
            display=result.display,
            actions=result.actions,
        )
        return [*self._begun([call]), *ended] if status == "ok" else ended

    def _task(
        self, task: dict[str, Any], namespace: tuple[str, ...], outer: list[str]
    ) -> list[AgentEvent]:
        if "input" in task:
            return self._task_start(task, namespace, outer)
        events: list[AgentEvent] = []
        if not outer:
            events += self._wholes(messages_in(task.get("result")))
        known = self._tasks.pop(task["id"], None)
        if task.get("error") is not None and known is not None:
            for call in known.calls:
                events += self._writer.ended(
                    call, status="error", output=_words_of(task["error"])
                )
        if not namespace:
            self._reached(task)
        return events

    def _task_start(
        self, task: dict[str, Any], namespace: tuple[str, ...], outer: list[str]
    ) -> list[AgentEvent]:
        if outer:
            names = [call["name"] for call in _tool_calls_in(task["input"])]
            words = f"Using {', '.join(names)}…" if names else ""
            news = (self._writer.news(call, words) for call in outer if words)
            return [event for events in news for event in events]
        found = [self._own_ids.get(c["id"]) for c in _tool_calls_in(task["input"])]
        calls = [call for call in found if call in self._writer.running]
        if not calls and task["name"] == "tools":
            calls = [c for c in self._writer.running if c not in self._started]
        self._tasks[task["id"]] = _Task(name=task["name"], calls=list(calls))
        if calls:
            return self._begun(calls)
        self.at_boundary = bool(self.calls) and not (namespace or self._writer.running)
        is_new, self._is_thinking = not self._is_thinking, True
        return [_THINKING] if is_new else []

    def _begun(self, calls: list[str]) -> list[AgentEvent]:
        new = [call for call in calls if call not in self._started]
        self._started.update(new)
        if not new:
            return []
        names = list(dict.fromkeys(self._inputs[call].name for call in new))
        label = f"Using {', '.join(names)}…"[:_MOST_LABEL_CHARACTERS]
        return [
            TurnStatus(phase="using_tool", label=label),
            *(ToolStarted(tool_call=call) for call in new),
        ]

    def _update(self, update: dict[str, Any], outer: list[str]) -> list[AgentEvent]:
        known = {interrupt.id for interrupt in self.interrupts}
        for interrupt in update.get("__interrupt__", ()):
            if interrupt.id not in known:
                self.interrupts.append(interrupt)
        if outer:
            return []
        for given in update.values():
            if isinstance(given, dict):
                fields = cast("dict[str, object]", given)
                self._structured = fields.get("structured_response", self._structured)
        return self._wholes(messages_in(update))

    def _wholes(self, messages: Iterable[BaseMessage]) -> list[AgentEvent]:
        """Return the ends of messages that were heard in pieces, now that they stand.

        Those that were never heard are old, or were hidden on purpose.
        """
        events: list[AgentEvent] = []
        for message in messages:
            heard = self._heard.get(message.id or "")
            if message.type == "tool":
                events += self._tool_message(cast("ToolMessage", message))
            elif message.type == "ai" and heard is not None and not heard.is_whole:
                events += self._whole(heard, cast("AIMessage", message))
        return events

    def _reached(self, task: dict[str, Any]) -> None:
        """Mark what of a node of the graph itself got into the graph's messages."""
        reached = [m for m in messages_in(task.get("result")) if m.type == "ai"]
        ids = {message.id for message in reached}
        texts = {str(message.text) for message in reached}
        for id_, heard in self._heard.items():
            if task["id"] in heard.task and (id_ in ids or heard.said.text in texts):
                heard.is_answer = True

    def _on_the_way(self) -> list[AgentEvent]:
        """Return the marks of what was said and is no part of the answer."""
        if not any(h.is_answer and h.said.text for h in self._heard.values()):
            return []
        events: list[AgentEvent] = []
        for heard in self._heard.values():
            if heard.is_answer or not heard.said.messages:
                continue
            events += heard.said.end(usage=heard.usage)
            events += [
                MessageDiscarded(message=message, reason=_ON_THE_WAY)
                for message in heard.said.messages
            ]
        return events

    def _custom(self, value: object, outer: list[str]) -> list[AgentEvent]:
        running = [c for c in self._writer.running if c in self._started]
        match value:
            case Action():
                self._writer.offer([value])
                return []
            case Status(label=label, phase=phase):
                return [TurnStatus(phase=phase, label=label)]
            case ToolNews(id=id_, text=text, fraction=fraction):
                return self._writer.news(self._own_ids.get(id_, ""), text, fraction)
            case _:
                pass
        words, fraction, named = _news_in(value)
        if not words and fraction is None:
            return []
        call = self._own_ids.get(named, "")
        about = [call] if call else outer or running
        if len(about) == 1:
            return self._writer.news(about[0], words, fraction)
        label = words[:_MOST_LABEL_CHARACTERS]
        phase = "using_tool" if running else "thinking"
        return [TurnStatus(phase=phase, label=label)] if label else []

    def _count(self, usage: Usage | None) -> None:
        """Count what was used inside a tool; the next message tells it."""
        self._count_tokens(usage)
        if usage is not None:
            self._unclaimed = summed_usage(self._unclaimed, usage)

    def _count_tokens(self, usage: Usage | None) -> None:
        if usage is not None:
            self.output_tokens += usage.output_tokens or 0
            kinds = (
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_creation_input_tokens,
                usage.cache_read_input_tokens,
            )
            self.tokens += sum(count or 0 for count in kinds)


def _said(said: MessageWriter, message: AIMessage) -> list[AgentEvent]:
    events: list[AgentEvent] = []
    for kind, words in said_in(message):
        events += said.say(words) if kind == "text" else said.think(words)
    return events


def _tool_calls_in(value: object) -> list[dict[str, Any]]:
    """Return the tool calls that a node is started with."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if isinstance(fields.get("tool_call"), dict):
            return [fields["tool_call"]]
        return [fields] if {"name", "args", "id"} <= fields.keys() else []
    if not isinstance(value, (list, tuple)):
        return []
    items = cast("list[object]", value)
    return [call for item in items for call in _tool_calls_in(item)]


def _news_in(value: object) -> tuple[str, float | None, str]:
    """Return the words, the fraction and the call of a custom event, if it has any."""
    if isinstance(value, str):
        return value, None, ""
    if not isinstance(value, dict):
        return "", None, ""
    fields = cast("dict[str, object]", value)
    keys = ("text", "message", "status", "label", "progress")
    words = next((w for k in keys if isinstance(w := fields.get(k), str)), "")
    numbers = (fields.get("fraction"), fields.get("progress"))
    fraction = next(
        (
            float(n)
            for n in numbers
            if isinstance(n, (int, float)) and not isinstance(n, bool)
        ),
        None,
    )
    return words, fraction, str(fields.get("tool_call_id", ""))


def _words_of(error: object) -> str:
    try:
        words = str(error).strip()
    except Exception:  # noqa: BLE001 (an exception's own text may fail, too)
        words = ""
    kind = type(error).__name__ if isinstance(error, BaseException) else ""
    return ": ".join(word for word in (kind, words[:2_000]) if word) or "It failed."


def _json_of(value: Any) -> str:  # noqa: ANN401 - whatever the graph calls structured
    import msgspec  # noqa: PLC0415 - only where an answer is structured

    plain = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return msgspec.json.encode(plain, enc_hook=str).decode()
