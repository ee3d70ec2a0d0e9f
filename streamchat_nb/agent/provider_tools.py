"""Tools that the endpoint runs itself, told as tool calls. Pure.

The endpoint's blocks travel verbatim, so that they can go back to it. Beside them a
screen is told what happens in the same events as for any tool: asked for, running,
ended, with what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.protocol.content import Action, ProviderBlock
from streamchat_nb.protocol.events import (
    ToolCompleted,
    ToolRequested,
    ToolStarted,
    TurnStatus,
)
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.tools.output import clean_text, cut_middle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.protocol.events import BlockCompleted

__all__ = ["ProviderTools"]

_Fields = dict[str, Any]
_MOST_SHOWN = 60
_DOING = {
    "web_search": "Searching the web…",
    "web_fetch": "Reading a web page…",
    "code_execution": "Running code…",
    "bash_code_execution": "Running code…",
    "text_editor_code_execution": "Working on a file…",
}
_NO_OUTPUT = "Done; there is no output."


class ProviderTools:
    """Follows the endpoint's own tool calls through the messages of one turn.

    Args:
        output_limit_bytes: Largest output in an event.
    """

    def __init__(self, *, output_limit_bytes: int) -> None:
        self._output_limit_bytes = output_limit_bytes
        self._open: dict[str, str] = {}

    def feed(self, event: BlockCompleted) -> list[AgentEvent]:
        """Return what follows from a block that is whole; mostly nothing."""
        if not isinstance(event.content, ProviderBlock):
            return []
        data = event.content.data
        kind = str(data.get("type", ""))
        if kind == "server_tool_use":
            return self._requested(event, data)
        call = str(data.get("tool_use_id", ""))
        if call in self._open and kind.endswith("_tool_result"):
            del self._open[call]
            return [self._completed(call, data)]
        return []

    def discard(self, message: str) -> list[AgentEvent]:
        """Return the ends of the calls of a message that is void."""
        lost = [call for call, of in self._open.items() if of == message]
        for call in lost:
            del self._open[call]
        return [
            ToolCompleted(
                tool_call=call,
                status="cancelled",
                output="No result: the answer was cut off and is asked for again.",
            )
            for call in lost
        ]

    def _requested(self, event: BlockCompleted, data: _Fields) -> list[AgentEvent]:
        call = str(data.get("id", ""))
        name = str(data.get("name", ""))
        if not call or not name or call in self._open:
            return []
        self._open[call] = event.message
        input_ = _fields(data.get("input"))
        label = _label(name, input_)
        return [
            ToolRequested(
                message=event.message,
                block=event.block,
                tool_call=call,
                name=name,
                label=label,
                input=input_,
                where="provider",
                risk="exec" if "code_execution" in name else "read",
            ),
            ToolStarted(tool_call=call, executor="provider"),
            TurnStatus(phase="using_tool", label=label),
        ]

    def _completed(self, call: str, data: _Fields) -> ToolCompleted:
        found = _Found(data.get("content"))
        output, truncated = cut_middle(
            clean_text(found.output()) or _NO_OUTPUT, self._output_limit_bytes
        )
        return ToolCompleted(
            tool_call=call,
            status="error" if found.error else "ok",
            output=output,
            truncated=truncated,
            actions=usable_actions(found.links()) or None,
        )


class _Found:
    """What a result block says, whatever its kind."""

    def __init__(self, content: object) -> None:
        self._whole = _fields(content)
        items = cast("list[object]", content) if isinstance(content, list) else []
        self._items = [_fields(item) for item in items]
        self.error = str(self._whole.get("error_code", ""))

    def output(self) -> str:
        if self.error:
            return f"The endpoint could not do it: {self.error.replace('_', ' ')}."
        lines = [f"{title}\n{url}" for title, url in self._pages()]
        lines += self._printed()
        return "\n\n".join(lines)

    def _printed(self) -> list[str]:
        """Return what code wrote, and what files say."""
        texts = [self._whole.get(key) for key in ("stdout", "stderr", "content")]
        return_code = self._whole.get("return_code")
        if isinstance(return_code, int) and return_code:
            texts.append(f"Ended with code {return_code}.")
        document = _fields(self._whole.get("content"))
        texts.append(_fields(document.get("source")).get("data"))
        return [text for text in texts if isinstance(text, str) and text.strip()]

    def links(self) -> list[Action]:
        return [
            Action(kind="link", label=_shortened(title), href=url)
            for title, url in self._pages()
        ]

    def _pages(self) -> Iterable[tuple[str, str]]:
        document = _fields(self._whole.get("content"))
        for item in [*self._items, {**document, **self._whole}]:
            url = item.get("url")
            if isinstance(url, str) and url:
                title = item.get("title")
                yield (title if isinstance(title, str) and title else url), url


def _label(name: str, input_: _Fields) -> str:
    query = input_.get("query")
    if name == "web_search" and isinstance(query, str) and query.strip():
        return f"Searching the web for “{_shortened(query)}”…"
    return _DOING.get(name, f"Using {name}…")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"


def _fields(value: object) -> _Fields:
    return cast("_Fields", value) if isinstance(value, dict) else {}
