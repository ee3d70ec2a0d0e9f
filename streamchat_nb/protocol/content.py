"""Content: what messages are made of, and the small values that events carry.

Blocks have a ``type`` as in Anthropic's Messages API, so that a message can be
sent to a model again without a translation table. A block this program does not
know (a provider's own tool, a new kind) travels verbatim in ``ProviderBlock``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

__all__ = [
    "Action",
    "AssistantBlock",
    "Author",
    "ContentBlock",
    "DataBlock",
    "Display",
    "DocumentBlock",
    "ErrorBody",
    "Identifier",
    "ImageBlock",
    "ImageDisplay",
    "Parent",
    "ProviderBlock",
    "TableDisplay",
    "TextBlock",
    "TextDisplay",
    "ThinkingBlock",
    "ToolUseBlock",
    "Usage",
    "UserBlock",
]

Identifier = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+\Z")
]
"""An id on the wire: 1 to 64 characters of ``[A-Za-z0-9._:-]``."""

Parent = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9._:-]*\Z")]
"""The id of the user's message that another one follows; empty: none."""


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all plain values: frozen, keyword-only, defaults left off the wire."""


class TextBlock(Value, frozen=True, kw_only=True, tag="text", tag_field="type"):
    """Markdown text. ``citations`` are the provider's, verbatim."""

    text: str
    citations: list[dict[str, Any]] | None = None


class ImageBlock(Value, frozen=True, kw_only=True, tag="image", tag_field="type"):
    """An image kept by the server under an artifact id."""

    artifact: Identifier
    media_type: str
    alt: str = ""


class DocumentBlock(Value, frozen=True, kw_only=True, tag="document", tag_field="type"):
    """A document (PDF, plain text) kept by the server under an artifact id."""

    artifact: Identifier
    media_type: str
    title: str = ""


class DataBlock(Value, frozen=True, kw_only=True, tag="data", tag_field="type"):
    """What a person shared of an object in a notebook: exactly what a model reads."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    text: str


class ThinkingBlock(Value, frozen=True, kw_only=True, tag="thinking", tag_field="type"):
    """A model's reasoning.

    ``signature`` must go back verbatim; without one the block is shown but never
    sent again.
    """

    thinking: str
    signature: str | None = None


class ToolUseBlock(Value, frozen=True, kw_only=True, tag="tool_use", tag_field="type"):
    """A model's wish to call a tool; ``id`` is also the tool call's id."""

    id: Identifier
    name: str
    input: dict[str, Any]


class ProviderBlock(Value, frozen=True, kw_only=True, tag="provider", tag_field="type"):
    """A block of a kind that only the provider understands, kept verbatim."""

    data: dict[str, Any]


UserBlock = TextBlock | ImageBlock | DocumentBlock | DataBlock
AssistantBlock = TextBlock | ThinkingBlock | ToolUseBlock | ProviderBlock
ContentBlock = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | DataBlock
    | ThinkingBlock
    | ToolUseBlock
    | ProviderBlock
)


class Action(Value, frozen=True, kw_only=True):
    """Something to click under a final answer.

    A ``link`` has an ``href`` (http, https or mailto) and opens a new tab; a
    ``button`` has a ``send``: the text that is sent as the user's next message.
    """

    kind: Literal["link", "button"]
    label: str
    href: str | None = None
    send: str | None = None


class TableDisplay(Value, frozen=True, kw_only=True, tag="table", tag_field="type"):
    """A table for people: the first rows of ``total_rows``, every cell as text."""

    columns: list[str]
    rows: list[list[str]]
    total_rows: int
    title: str = ""


class ImageDisplay(Value, frozen=True, kw_only=True, tag="image", tag_field="type"):
    """A picture for people, and for models that take them; ``data`` is base64."""

    media_type: Literal["image/png", "image/jpeg"]
    data: str
    alt: str = ""


class TextDisplay(Value, frozen=True, kw_only=True, tag="text", tag_field="type"):
    """Text for people that a model is not sent, for example what a tool printed."""

    text: str
    language: str = ""


Display = TableDisplay | ImageDisplay | TextDisplay
"""What a tool's result looks like to people, beside the text that a model reads."""


class Author(Value, frozen=True, kw_only=True):
    """Who speaks: a person at a client, an agent, or the system."""

    id: str
    name: str
    kind: Literal["user", "agent", "system"]


class Usage(Value, frozen=True, kw_only=True):
    """Tokens as the endpoint counted them; ``None`` where it did not say.

    ``input_tokens`` are those beside what was written to and read from its cache.
    ``web_search_requests`` are searches that the endpoint made.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    web_search_requests: int | None = None


class ErrorBody(Value, frozen=True, kw_only=True):
    """The one shape of an error at every boundary (see ``streamchat_nb.errors``)."""

    code: str
    message: str
    retryable: bool = False
    retry_after_ms: int | None = None
    details: dict[str, Any] | None = None
