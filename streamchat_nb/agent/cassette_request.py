"""What makes two requests the same, and how to say what sets them apart. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from difflib import SequenceMatcher, unified_diff
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streamchat_nb.agent.cassette_exchange import Exchange
    from streamchat_nb.agent.cassette_secrets import Scrubber

__all__ = [
    "IGNORED",
    "MEMORY_ADDRESS",
    "TIMESTAMP",
    "UUID",
    "Canon",
    "nearest",
    "request_diff",
    "request_key",
]

IGNORED = "[ignored]"
"""What stands where an ignored pattern matched."""

MEMORY_ADDRESS = r"\b0x[0-9a-fA-F]{6,16}\b"
"""Pattern for ``ignore``: the address in a ``repr`` such as ``<Table at 0x7f…>``."""
TIMESTAMP = (
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?\b"
)
"""Pattern for ``ignore``: a date with a time, as ISO 8601 writes it."""
UUID = r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
"""Pattern for ``ignore``: a UUID."""

_LINE_CHARACTERS = 96
_MOST_LINES = 30
_MOST_COMPARED_LINES = 2_000
_MOST_COMPARED_CHARACTERS = 2_000
_CONTEXT_LINES = 1
_CALL_IDS = {"tool_use": "id", "tool_result": "tool_use_id"}
_encode = msgspec.json.Encoder(order="sorted").encode


class Canon:
    """Brings requests into a form that is the same in every run.

    Secrets and what is to be ignored are taken out, and tool calls are numbered in
    their order: their ids are the model's and mean nothing.

    Args:
        scrubber: Takes out the secrets.
        ignore: Regular expressions for what differs from run to run.

    Raises:
        UsageError: A pattern is no regular expression.
    """

    def __init__(self, scrubber: Scrubber, ignore: Iterable[str] = ()) -> None:
        self._scrubber = scrubber
        self._ignore: list[re.Pattern[str]] = []
        for pattern in ignore:
            try:
                self._ignore.append(re.compile(pattern))
            except re.error as error:
                raise UsageError(
                    f"ignore: {pattern!r} is no regular expression: {error}."
                ) from None

    def request(self, request: ModelRequest) -> ModelRequest:
        """Return a request in its canonical form. Idempotent."""
        numbers: dict[str, str] = {}
        return ModelRequest(
            messages=[
                self._plain(_numbered(self._scrubber.value(message), numbers))
                for message in request.messages
            ],
            system=self._plain(self._scrubber.text(request.system)),
            tools=[self._plain(self._scrubber.value(tool)) for tool in request.tools],
            max_tokens=request.max_tokens,
            tool_choice=request.tool_choice,
        )

    def _plain(self, value: Any) -> Any:  # noqa: ANN401 - any JSON in, the same out
        """Return a value without what is to be ignored."""
        if not self._ignore:
            return value
        if isinstance(value, str):
            for pattern in self._ignore:
                value = pattern.sub(IGNORED, value)
            return value
        if isinstance(value, list):
            return [self._plain(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {key: self._plain(item) for key, item in fields.items()}
        return value


def _numbered(message: dict[str, Any], numbers: dict[str, str]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    blocks = cast("list[dict[str, Any]]", content)
    return {**message, "content": [_with_number(block, numbers) for block in blocks]}


def _with_number(block: dict[str, Any], numbers: dict[str, str]) -> dict[str, Any]:
    name = _CALL_IDS.get(block.get("type", ""))
    if name is None:
        return block
    number = numbers.setdefault(str(block.get(name)), f"call_{len(numbers) + 1}")
    return {**block, name: number}


def request_key(request: ModelRequest) -> str:
    """Return what is equal for equal requests, and for others not."""
    return hashlib.sha256(_encode(asdict(request))).hexdigest()


def nearest(request: ModelRequest, exchanges: Iterable[Exchange]) -> Exchange | None:
    """Return the exchange whose request has the most in common with this one."""
    parts = _part_keys(request)
    asked = _last_words(request)

    def likeness(exchange: Exchange) -> tuple[int, int, float]:
        other = exchange.request
        shared = len(parts & _part_keys(other))
        apart = abs(len(other.messages) - len(request.messages))
        words = SequenceMatcher(None, asked, _last_words(other), autojunk=False)
        return shared, -apart, words.quick_ratio()

    return max(exchanges, key=likeness, default=None)


def _part_keys(request: ModelRequest) -> set[bytes]:
    return {_encode(part) for part in (*request.messages, *request.tools)}


def _last_words(request: ModelRequest) -> str:
    return _encode(request.messages[-1:]).decode()[-_MOST_COMPARED_CHARACTERS:]


def request_diff(
    recorded: ModelRequest, asked: ModelRequest, *, models: tuple[str, str]
) -> str:
    """Return what differs between two canonical requests, as a short unified diff.

    Args:
        recorded: What the cassette has.
        asked: What was asked now.
        models: The model's id in the one and in the other.
    """
    before = _lines(recorded, models[0])
    after = _lines(asked, models[1])
    start = _common(before, after)
    before, after = before[start:], after[start:]
    changes = list(
        unified_diff(
            before[:_MOST_COMPARED_LINES],
            after[:_MOST_COMPARED_LINES],
            "recorded",
            "asked",
            lineterm="",
            n=_CONTEXT_LINES,
        )
    )
    shown = [line for line in changes if not line.startswith("@@")]
    if len(shown) > _MOST_LINES:
        more = len(shown) - _MOST_LINES
        shown = [*shown[:_MOST_LINES], f"… and {more} more lines"]
    return "\n".join(shown)


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many lines are the same at the start, but for the context's."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return max(0, count - _CONTEXT_LINES)


def _lines(request: ModelRequest, model: str) -> list[str]:
    values: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "tool_choice": request.tool_choice,
        "system": request.system,
        "tools": {tool.get("name", "?"): tool for tool in request.tools},
        "messages": request.messages,
    }
    return [line for name, value in values.items() for line in _flat(name, value)]


def _flat(path: str, value: object) -> Iterator[str]:
    """Yield a value as lines that say where they belong; long ones are folded."""
    if isinstance(value, dict):
        for key, item in sorted(cast("dict[str, object]", value).items()):
            yield from _flat(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _flat(f"{path}[{index}]", item)
    elif isinstance(value, str):
        for line in value.splitlines() or [""]:
            for start in range(0, len(line) or 1, _LINE_CHARACTERS):
                yield f"{path}: {line[start : start + _LINE_CHARACTERS]}"
    else:
        yield f"{path}: {_encode(value).decode()}"
