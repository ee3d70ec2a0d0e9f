"""How endpoints of the Messages API depart from Anthropic's own, one thing each. Pure.

All of it was seen at servers that people run: local ones (Ollama, llama.cpp, vLLM,
LM Studio) and gateways (LiteLLM, OpenRouter). Which server has which changes with its
versions, so each is imitated alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PLAIN", "QUIRKS", "Quirk"]

_Held = dict[int, tuple[dict[str, Any], list[str]]]
_DATA = re.compile(rb"data: (.*)\n\n\Z", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Quirk:
    """A departure; what is not given is as at Anthropic.

    Attributes:
        credential: The one header that it reads the credential from.
        refuses: A field that it answers with 400, naming it.
        images: Whether images are taken; else 500.
        streams: Whether it streams; else one JSON object whatever was asked.
        names_events: Whether events have a name besides their data.
        closing: What follows the last event.
        leaves_out: Kinds of events that do not come.
        usage: Whether tokens are counted.
        stop_reason: What it says in place of ``tool_use``; empty: nothing.
        tool_input: Whether the input of a call comes in parts, whole with the last
            part, or with the start of its block.
        tool_ids: Whether ids of calls differ, or begin anew in every message.
        index_step: By how much the numbers of blocks grow.
    """

    credential: Literal["x-api-key", "authorization"] | None = None
    refuses: str = ""
    images: bool = True
    streams: bool = True
    names_events: bool = True
    closing: bytes = b""
    leaves_out: frozenset[str] = frozenset()
    usage: bool = True
    stop_reason: str = "tool_use"
    tool_input: Literal["parts", "last", "start"] = "parts"
    tool_ids: Literal["unique", "repeated"] = "unique"
    index_step: int = 1

    def refusal(
        self, headers: Mapping[str, str], body: dict[str, Any]
    ) -> tuple[int, str] | None:
        """Return the status and the words of a refusal, if the request gets one."""
        if self.credential is not None and not headers.get(self.credential):
            return 401, "No credential was given."
        if self.refuses in body:
            return 400, f"{self.refuses}: Extra inputs are not permitted"
        if not self.images and b'"image"' in msgspec.json.encode(body["messages"]):
            return 500, "image input is not supported"
        return None

    def frames(
        self, frames: Iterator[tuple[float, bytes]]
    ) -> Iterator[tuple[float, bytes]]:
        """Yield server-sent events as this endpoint sends them."""
        held: _Held = {}
        for delay_s, frame in frames:
            match = _DATA.search(frame)
            if match is None:
                yield delay_s, frame
                continue
            event = msgspec.json.decode(match[1])
            for changed in self._changed(event, held):
                yield delay_s, self._written(changed)
        if self.closing:
            yield 0.0, self.closing

    def _changed(self, event: dict[str, Any], held: _Held) -> list[dict[str, Any]]:
        kind = event["type"]
        if kind in self.leaves_out:
            return []
        if not self.usage:
            event.pop("usage", None)
            event.get("message", {}).pop("usage", None)
        if "index" in event:
            event["index"] *= self.index_step
        if kind == "message_delta" and event["delta"].get("stop_reason") == "tool_use":
            event["delta"]["stop_reason"] = self.stop_reason or None
        block = event.get("content_block", {})
        if block.get("type") == "tool_use" and self.tool_ids == "repeated":
            block["id"] = f"call_{event['index']}"
        if self.tool_input == "parts":
            return [event]
        return self._with_input(event, held)

    def _with_input(self, event: dict[str, Any], held: _Held) -> list[dict[str, Any]]:
        """Hold the call of a tool back until its input is whole."""
        index = event.get("index", -1)
        if event.get("content_block", {}).get("type") == "tool_use":
            held[index] = (event, [])
            return []
        if index not in held:
            return [event]
        if event["type"] != "content_block_stop":
            held[index][1].append(event["delta"]["partial_json"])
            return []
        start, parts = held.pop(index)
        text = "".join(parts)
        if self.tool_input == "start":
            start["content_block"]["input"] = msgspec.json.decode(text or "{}")
            return [start, event]
        delta = {"type": "input_json_delta", "partial_json": text}
        return [
            start,
            {"type": "content_block_delta", "index": index, "delta": delta},
            event,
        ]

    def _written(self, event: dict[str, Any]) -> bytes:
        name = f"event: {event['type']}\n".encode() if self.names_events else b""
        return name + b"data: " + msgspec.json.encode(event) + b"\n\n"


_STOP = frozenset({"message_stop"})

PLAIN = Quirk()
"""As Anthropic's own."""
QUIRKS: dict[str, Quirk] = {
    "reads x-api-key only": Quirk(credential="x-api-key"),
    "reads a bearer token only": Quirk(credential="authorization"),
    "refuses caching": Quirk(refuses="cache_control"),
    "refuses tool_choice": Quirk(refuses="tool_choice"),
    "takes no images": Quirk(images=False),
    "ignores stream": Quirk(streams=False),
    "names no events": Quirk(names_events=False),
    "says DONE at the end": Quirk(closing=b"data: [DONE]\n\n"),
    "says DONE in place of message_stop": Quirk(
        leaves_out=_STOP, closing=b"data: [DONE]\n\n"
    ),
    "ends without message_stop": Quirk(leaves_out=_STOP),
    "begins without message_start": Quirk(leaves_out=frozenset({"message_start"})),
    "counts no tokens": Quirk(usage=False),
    "ends calls of tools with end_turn": Quirk(stop_reason="end_turn"),
    "ends calls of tools with stop": Quirk(stop_reason="stop"),
    "ends calls of tools with tool_calls": Quirk(stop_reason="tool_calls"),
    "ends calls of tools without a reason": Quirk(stop_reason=""),
    "gives the input of a tool in one part": Quirk(tool_input="last"),
    "gives the input of a tool with its name": Quirk(tool_input="start"),
    "repeats ids of calls": Quirk(tool_ids="repeated"),
    "leaves gaps between blocks": Quirk(index_step=2),
    "all at once": Quirk(
        credential="authorization",
        refuses="cache_control",
        images=False,
        names_events=False,
        closing=b"data: [DONE]\n\n",
        leaves_out=_STOP,
        usage=False,
        stop_reason="stop",
        tool_input="start",
        tool_ids="repeated",
        index_step=2,
    ),
}
"""By what an endpoint does."""
