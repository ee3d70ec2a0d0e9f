"""An AG-UI client, as far as its rules go: what it refuses, and what it shows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ag_ui.core import Event
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ag_ui.core import BaseEvent

OPENS = {
    "TEXT_MESSAGE_START": ("text", "messageId"),
    "REASONING_START": ("span", "messageId"),
    "REASONING_MESSAGE_START": ("reasoning", "messageId"),
    "TOOL_CALL_START": ("call", "toolCallId"),
}
GOES_ON = {
    "TEXT_MESSAGE_CONTENT": ("text", "messageId"),
    "REASONING_MESSAGE_CONTENT": ("reasoning", "messageId"),
    "TOOL_CALL_ARGS": ("call", "toolCallId"),
}
CLOSES = {
    "TEXT_MESSAGE_END": ("text", "messageId"),
    "REASONING_MESSAGE_END": ("reasoning", "messageId"),
    "REASONING_END": ("span", "messageId"),
    "TOOL_CALL_END": ("call", "toolCallId"),
}
ENDS = {"RUN_FINISHED", "RUN_ERROR"}
_event: TypeAdapter[BaseEvent] = TypeAdapter(Event)


class Reader:
    """Reads the events of one run, as they travel.

    Attributes:
        types: Of the events, in order.
        texts: What it shows, by the ids of messages; thoughts are among them.
        results: What tools gave, by the ids of their calls.
        activities: The last content of each activity.
        last: The event that ended the run.
    """

    def __init__(self) -> None:
        self.types: list[str] = []
        self.texts: dict[str, str] = {}
        self.results: dict[str, str] = {}
        self.calls: dict[str, str] = {}
        self.activities: dict[str, dict[str, Any]] = {}
        self.customs: list[dict[str, Any]] = []
        self.snapshots: list[list[dict[str, Any]]] = []
        self.last: dict[str, Any] = {}
        self._open: defaultdict[str, set[str]] = defaultdict(set)

    def read(self, events: Iterable[BaseEvent]) -> None:
        for event in events:
            data = event.model_dump_json(by_alias=True)
            valid = _event.validate_json(data)
            assert not valid.model_extra, valid.model_extra
            self.read_one(event.model_dump(mode="json", by_alias=True))

    def read_one(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        assert self.types or kind == "RUN_STARTED"
        assert not ENDS & set(self.types), "nothing follows the end"
        assert kind != "RUN_STARTED" or not self.types
        self.types.append(kind)
        if kind in OPENS:
            what, key = OPENS[kind]
            assert event[key] not in self._open[what]
            self._open[what].add(event[key])
        if kind in GOES_ON:
            what, key = GOES_ON[kind]
            assert event[key] in self._open[what]
        if kind in CLOSES:
            what, key = CLOSES[kind]
            self._open[what].remove(event[key])
        if kind in ENDS:
            assert not any(self._open.values()), self._open
            self.last = event
        self._show(kind, event)

    def _show(self, kind: str, event: dict[str, Any]) -> None:
        match kind:
            case "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT":
                id_ = event["messageId"]
                self.texts[id_] = self.texts.get(id_, "") + event["delta"]
            case "TOOL_CALL_ARGS":
                id_ = event["toolCallId"]
                self.calls[id_] = self.calls.get(id_, "") + event["delta"]
            case "TOOL_CALL_RESULT":
                self.results[event["toolCallId"]] = event["content"]
            case "ACTIVITY_SNAPSHOT":
                self.activities[event["messageId"]] = event["content"]
            case "CUSTOM":
                self.customs.append(event)
            case "MESSAGES_SNAPSHOT":
                self._take(event["messages"])
            case _:
                pass

    def _take(self, messages: list[dict[str, Any]]) -> None:
        """Show a snapshot: what is not in it goes, thoughts only if it has some."""
        self.snapshots.append(messages)
        said = {
            message["id"]: message["content"]
            for message in messages
            if message["role"] in ("assistant", "reasoning") and message.get("content")
        }
        has_thoughts = any(message["role"] == "reasoning" for message in messages)
        kept = {
            id_: text
            for id_, text in self.texts.items()
            if ".r" in id_ and not has_thoughts
        }
        self.texts = {**kept, **said}
