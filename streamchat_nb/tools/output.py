"""What a tool gave, as text: encoded, never empty, cut to a size."""

from __future__ import annotations

import msgspec

__all__ = ["clean_text", "cut_middle", "encode_words", "is_blank"]


def encode_words(value: str | None) -> str:
    """Return what a tool said as text for a model; never empty.

    Text stays as it is, ``None`` is "Done.".
    """
    if value is None:
        return "Done."
    return "(empty text)" if is_blank(value) else clean_text(value)


def is_blank(text: str) -> bool:
    """Say whether there is nothing to see, without looking at all of a huge text."""
    return not text or text.isspace()


def clean_text(text: str) -> str:
    """Return ``text`` with lone surrogates, which UTF-8 cannot carry, replaced."""
    return text.encode("utf-8", "replace").decode()


def cut_middle(text: str, limit_bytes: int) -> tuple[str, bool]:
    """Cut ``text`` to what fits, keeping its head and its tail.

    Args:
        text: Any text; lone surrogates are replaced.
        limit_bytes: Largest size as a JSON string without its quotes, UTF-8; the
            marker that replaces the middle comes on top.

    Returns:
        The text, and whether something was left out.
    """
    # No character is smaller than a byte: of a huge text only the ends are looked at.
    if len(text) <= limit_bytes:
        text = clean_text(text)
        if _json_bytes(text) <= limit_bytes:
            return text, False
    head = _longest(clean_text(text[:limit_bytes]), limit_bytes * 3 // 4)
    rest = clean_text(text[max(len(head), len(text) - limit_bytes) :])
    tail = _longest(rest[::-1], limit_bytes - limit_bytes * 3 // 4)[::-1]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left_out:,} characters left out …]\n{tail}", True


def _longest(text: str, limit_bytes: int) -> str:
    """Return the longest start of ``text`` within ``limit_bytes`` of JSON."""
    low, high = 0, min(len(text), limit_bytes)
    while low < high:
        middle = (low + high + 1) // 2
        # What is sure already is not measured again: the cost is linear.
        size = _json_bytes(text[low:middle])
        if size <= limit_bytes:
            low = middle
            limit_bytes -= size
        else:
            high = middle - 1
    return text[:low]


def _json_bytes(text: str) -> int:
    return len(msgspec.json.encode(text)) - 2
