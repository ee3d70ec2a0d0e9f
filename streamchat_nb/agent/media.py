"""Images and files in what a model is sent, and their words where it takes none.

Blocks have the shape of Anthropic's Messages API. All functions are pure.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.conversation.artifacts import PDF
from streamchat_nb.protocol.content import ImageDisplay
from streamchat_nb.tools.output import cut_middle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.conversation.artifacts import Artifact
    from streamchat_nb.protocol.content import Display

__all__ = ["file_block", "is_picture", "pictures_of", "tagged", "without_media"]

MOST_FILE_TEXT_BYTES = 262_144
_MEDIA = {"image": "an image", "document": "a PDF"}


def file_block(artifact: Artifact) -> dict[str, Any]:
    """Return the block of an attached file: an image, a PDF, or text with its name."""
    if artifact.media_type.startswith("image/"):
        data = base64.b64encode(artifact.data).decode()
        return {"type": "image", "source": _source(artifact.media_type, data)}
    if artifact.media_type == PDF:
        data = base64.b64encode(artifact.data).decode()
        return {
            "type": "document",
            "source": _source(artifact.media_type, data),
            "title": artifact.name,
        }
    text, _ = cut_middle(artifact.data.decode("utf-8", "replace"), MOST_FILE_TEXT_BYTES)
    return {"type": "text", "text": tagged("file", artifact.name, text)}


def tagged(kind: str, name: str, text: str) -> str:
    """Return a text that is not the user's own words, between marks with its name."""
    return f"<{kind} name={_quoted(name)}>\n{text}\n</{kind}>"


def pictures_of(displays: Iterable[Display]) -> list[dict[str, Any]]:
    """Return the pictures among what a tool showed, for a tool's result."""
    return [
        {"type": "image", "source": _source(display.media_type, display.data)}
        for display in displays
        if isinstance(display, ImageDisplay)
    ]


def is_picture(block: dict[str, Any]) -> bool:
    """Say whether a block holds an image or a document as bytes."""
    return block.get("type") in _MEDIA and isinstance(block.get("source"), dict)


def without_media(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages with words in the place of images and documents.

    What has none stays the same object.
    """
    # For all of a history, before each request: no call that can be spared.
    for message in messages:
        blocks: list[dict[str, Any]] | str | None = message.get("content")
        if type(blocks) is list:
            for block in blocks:
                if block.get("type") != "text":
                    return [_message_without(message) for message in messages]
    return messages


def _message_without(message: dict[str, Any]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] | str | None = message.get("content")
    if not isinstance(blocks, list) or not any(_has_media(block) for block in blocks):
        return message
    return {**message, "content": [_block_without(block) for block in blocks]}


def _has_media(block: dict[str, Any]) -> bool:
    inner = block.get("content")
    parts = cast("list[dict[str, Any]]", inner) if isinstance(inner, list) else []
    return is_picture(block) or any(is_picture(part) for part in parts)


def _block_without(block: dict[str, Any]) -> dict[str, Any]:
    if is_picture(block):
        title = f" {block['title']!r}" if block.get("title") else ""
        kind = _MEDIA[block["type"]]
        note = f"[There is {kind}{title} here, which this model cannot see.]"
        return {"type": "text", "text": note}
    if not _has_media(block):
        return block
    parts = cast("list[dict[str, Any]]", block["content"])
    return {**block, "content": [_block_without(part) for part in parts]}


def _source(media_type: str, data: str) -> dict[str, str]:
    return {"type": "base64", "media_type": media_type, "data": data}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "'").replace("\n", " ") + '"'
