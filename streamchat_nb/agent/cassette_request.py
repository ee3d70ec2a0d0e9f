"""What makes two requests the same, and how to say what sets them apart. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, unified_diff
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streamchat_nb.agent.cassette_secrets import Scrubber
    from streamchat_nb.agent.model import ModelRequest

__all__ = [
    "IGNORED",
    "MEMORY_ADDRESS",
    "TIMESTAMP",
    "UUID",
    "Canon",
    "CanonicalRequest",
    "Part",
    "nearest",
    "request_diff",
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


@dataclass(frozen=True)
class Part:
    """A piece that many requests share: a system prompt, a tool or a message.

    Attributes:
        id: Digest of the value; equal ids are equal parts.
        value: JSON. Not to be changed.
    """

    id: str
    value: Any = field(compare=False)

    @classmethod
    def of(cls, value: Any) -> Part:  # noqa: ANN401 - any JSON
        """Return the part of a value."""
        return cls(hashlib.sha256(_encode(value)).hexdigest(), value)


@dataclass(frozen=True, kw_only=True)
class CanonicalRequest:
    """A request without what differs from run to run; see ``Canon``.

    Attributes:
        messages: As in ``ModelRequest``.
        system: As in ``ModelRequest``; ``None`` for none.
        tools: As in ``ModelRequest``.
        max_tokens: As in ``ModelRequest``.
        tool_choice: As in ``ModelRequest``.
        options: Whatever else of a ``ModelRequest`` is set; ``None`` for nothing.
    """

    messages: tuple[Part, ...]
    system: Part | None
    tools: tuple[Part, ...]
    max_tokens: int
    tool_choice: Literal["auto", "none"]
    options: Part | None = None

    def parts(self) -> list[Part]:
        """Return all parts, in the order in which they are read."""
        single = [part for part in (self.system, self.options) if part is not None]
        return [*single, *self.tools, *self.messages]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON of the shape of a request."""
        fields: dict[str, Any] = {
            "max_tokens": self.max_tokens,
            "system": None if self.system is None else self.system.value,
            "messages": [part.value for part in self.messages],
            "tools": [part.value for part in self.tools],
            "tool_choice": self.tool_choice if self.tools else None,
            **(self.options.value if self.options else {}),
        }
        return {name: value for name, value in fields.items() if value}

    def with_parts(self, of: Callable[[Part], Part]) -> CanonicalRequest:
        """Return this request with others in the place of its parts."""
        return replace(
            self,
            messages=tuple(of(part) for part in self.messages),
            system=None if self.system is None else of(self.system),
            options=None if self.options is None else of(self.options),
            tools=tuple(of(part) for part in self.tools),
        )


class Canon:
    """Brings requests into a form that is the same in every run.

    Secrets and what is to be ignored are taken out, tool calls are numbered in their
    order (their ids are the model's and mean nothing), and for the bytes of pictures
    and files there stands a digest.

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

    def request(self, request: ModelRequest) -> CanonicalRequest:
        """Return a request in its canonical form."""
        numbers: dict[str, str] = {}
        options = _options(request)
        return CanonicalRequest(
            messages=tuple(
                self._part(_numbered(message, numbers)) for message in request.messages
            ),
            system=self._part(request.system) if request.system else None,
            tools=tuple(self._part(tool) for tool in request.tools),
            max_tokens=request.max_tokens,
            tool_choice=request.tool_choice,
            options=self._part(options) if options else None,
        )

    def recorded(self, requests: Iterable[CanonicalRequest]) -> list[CanonicalRequest]:
        """Return requests as this one makes them, which another one made.

        It may have known other secrets and ignored other patterns.
        """
        known: dict[str, Part] = {}

        def again(part: Part) -> Part:
            if part.id not in known:
                known[part.id] = self._part(part.value)
            return known[part.id]

        return [request.with_parts(again) for request in requests]

    def _part(self, value: Any) -> Part:  # noqa: ANN401 - any JSON
        return Part.of(self._plain(self._scrubber.value(value)))

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
    return {**message, "content": [_plain_block(block, numbers) for block in blocks]}


def _plain_block(block: dict[str, Any], numbers: dict[str, str]) -> dict[str, Any]:
    inner, source = block.get("content"), block.get("source")
    if isinstance(inner, list):
        parts = cast("list[dict[str, Any]]", inner)
        block = {**block, "content": [_plain_block(part, numbers) for part in parts]}
    if isinstance(source, dict):
        block = {**block, "source": _digested(cast("dict[str, Any]", source))}
    name = _CALL_IDS.get(block.get("type", ""))
    if name is None:
        return block
    number = numbers.setdefault(str(block.get(name)), f"call_{len(numbers) + 1}")
    return {**block, name: number}


def _digested(source: dict[str, Any]) -> dict[str, Any]:
    """Return a picture's or a file's source with a digest in the place of its bytes."""
    if source.get("type") != "base64":
        return source
    digest = hashlib.sha256(str(source.get("data")).encode()).hexdigest()
    return {**source, "data": f"sha256:{digest}"}


def nearest(
    asked: CanonicalRequest, recorded: Sequence[CanonicalRequest]
) -> int | None:
    """Return the place of the request that has the most in common with this one."""
    parts = frozenset(asked.parts())
    words = _last_words(asked)

    def likeness(place: int) -> tuple[int, int, float]:
        other = recorded[place]
        shared = len(parts.intersection(other.parts()))
        apart = abs(len(other.messages) - len(asked.messages))
        alike = SequenceMatcher(None, words, _last_words(other), autojunk=False)
        return shared, -apart, alike.quick_ratio()

    return max(range(len(recorded)), key=likeness, default=None)


def _last_words(request: CanonicalRequest) -> str:
    last = [part.value for part in request.messages[-1:]]
    return _encode(last).decode()[-_MOST_COMPARED_CHARACTERS:]


def request_diff(
    recorded: CanonicalRequest,
    asked: CanonicalRequest,
    *,
    models: tuple[str, str],
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


def _options(request: ModelRequest) -> dict[str, Any]:
    """Return what is set of the options that most requests have none of."""
    options = {
        "effort": request.effort,
        "output_schema": request.output_schema,
        "server_tools": list(request.server_tools) or None,
        "thinking": request.thinking,
    }
    return {name: value for name, value in options.items() if value is not None}


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many lines are the same at the start, but for the context's."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return max(0, count - _CONTEXT_LINES)


def _lines(request: CanonicalRequest, model: str) -> list[str]:
    values: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "tool_choice": request.tool_choice,
        "options": {} if request.options is None else request.options.value,
        "system": "" if request.system is None else request.system.value,
        "tools": {part.value.get("name", "?"): part.value for part in request.tools},
        "messages": [part.value for part in request.messages],
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
