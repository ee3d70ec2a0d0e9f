"""What a tool of an MCP server gave, as a result for a model and for people."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.protocol.content import ImageDisplay
from streamchat_nb.tools.tool import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamchat_nb.protocol.content import Display

__all__ = ["mcp_result"]

_MOST_BLOCKS = 256
_MOST_PICTURE_CHARACTERS = 150_000
_MOST_NAME = 200
_BEGINNINGS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def mcp_result(result: Mapping[str, Any]) -> ToolResult:
    """Return the result of ``tools/call``, as on the wire, as ours.

    Texts and texts of resources are what a model reads. PNG and JPEG pictures of up to
    about 110 kB are shown; of others, of sounds, files and links there are words.
    Structured content stands below the texts unless they say the same. What is
    marked as an error is one.
    """
    texts: list[str] = []
    shown: list[Display] = []
    blocks = cast("list[Any]", result.get("content") or [])
    for block in blocks[:_MOST_BLOCKS]:
        if isinstance(block, dict):
            text, display = _read(cast("dict[str, Any]", block))
            texts.append(text)
            shown.extend(display)
    if len(blocks) > _MOST_BLOCKS:
        texts.append(f"[{len(blocks) - _MOST_BLOCKS} more parts left out]")
    structured = result.get("structuredContent")
    if structured is not None and not _says(texts, structured):
        texts.append(json.dumps(structured, ensure_ascii=False))
    failed = result.get("isError") is True
    output = "\n\n".join(text for text in texts if text.strip())
    if not output:
        output = "The tool failed and said no why." if failed else "Done."
    return ToolResult(
        output=output, status="error" if failed else "ok", display=tuple(shown)
    )


def _read(block: dict[str, Any]) -> tuple[str, tuple[Display, ...]]:
    match block.get("type"):
        case "text":
            return str(block.get("text") or ""), ()
        case "image" | "audio":
            return _media(block)
        case "resource":
            return _resource(block.get("resource")), ()
        case "resource_link":
            name = _short(block.get("title") or block.get("name") or "resource")
            return f"[{name}: {_short(block.get('uri'))}]", ()
        case kind:
            return f"[a part of type {_short(kind)}, which cannot be shown]", ()


def _media(block: dict[str, Any]) -> tuple[str, tuple[Display, ...]]:
    data = str(block.get("data") or "")
    kind = _short(block.get("mimeType") or block.get("type"))
    words = f"[{kind}, about {len(data) * 3 // 4:,} bytes"
    beginning = _BEGINNINGS.get(kind)
    if beginning is None:
        return f"{words}; it cannot be shown]", ()
    if len(data) > _MOST_PICTURE_CHARACTERS:
        return f"{words}; too large to be shown]", ()
    try:
        is_picture = base64.b64decode(data, validate=True).startswith(beginning)
    except binascii.Error:
        is_picture = False
    if not is_picture:
        return f"{words}; it is broken]", ()
    picture = ImageDisplay(media_type=cast("Any", kind), data=data)
    return f"{words}; shown to the user]", (picture,)


def _resource(value: object) -> str:
    resource = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    uri = _short(resource.get("uri"))
    if isinstance(text := resource.get("text"), str):
        return f"{uri}:\n{text}"
    size = len(str(resource.get("blob") or "")) * 3 // 4
    kind = _short(resource.get("mimeType") or "a file")
    return f"[{uri}: {kind}, about {size:,} bytes]"


def _says(texts: list[str], structured: object) -> bool:
    """Say whether texts are the structured content, as servers repeat it."""
    values = [_parsed(text) for text in texts]
    # A value that is no object is wrapped in one, and a list is told item by item.
    plain: list[object] = [*values, *texts, values, texts]
    return structured in values or any(structured == {"result": v} for v in plain)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _short(value: object) -> str:
    return str(value or "")[:_MOST_NAME]
