"""Pictures of tools, as far as they are what they say."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamchat_nb.protocol.content import ImageDisplay

__all__ = ["Picture", "picture_of"]

_STARTS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_MOST_CHARACTERS = 4_000_000


@dataclass(frozen=True)
class Picture:
    """A picture's bytes in base64, without blanks."""

    media_type: str
    data: str

    @property
    def data_uri(self) -> str:
        """The picture as an address that has its bytes."""
        return f"data:{self.media_type};base64,{self.data}"


def picture_of(display: ImageDisplay) -> Picture | None:
    """Return a tool's picture; ``None`` when its bytes are no such picture."""
    start = _STARTS.get(display.media_type)
    if start is None or len(display.data) > _MOST_CHARACTERS:
        return None
    try:
        data = base64.b64decode("".join(display.data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not data.startswith(start):
        return None
    return Picture(display.media_type, base64.b64encode(data).decode())
