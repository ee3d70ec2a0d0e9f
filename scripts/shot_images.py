"""Pictures for the docs: small, and one animated."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from playwright.sync_api import Page

__all__ = ["MOST_BYTES", "Recording", "save_picture"]

MOST_BYTES = 120_000
"""Of one picture."""
MOST_RECORDING_BYTES = 1_500_000
_COLOURS = (256, 128, 64, 32)
_LONGEST_FRAME_MS = 1_500
_LAST_FRAME_MS = 3_000
_SHORTEST_FRAME_MS = 80
_QUALITIES = (70, 50, 30)


def save_picture(content: bytes, path: Path) -> int:
    """Write a screenshot with so few colours that it is small; return its bytes.

    Raises:
        ValueError: It has more than ``MOST_BYTES`` even so.
    """
    image = Image.open(io.BytesIO(content)).convert("RGB")
    for colours in _COLOURS:
        packed = io.BytesIO()
        # Small things of a colour of their own keep it.
        few = image.quantize(
            colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(packed, "PNG", optimize=True)
        if packed.tell() <= MOST_BYTES:
            path.write_bytes(packed.getvalue())
            return packed.tell()
    raise ValueError(f"{path.name} is too large; show less in it.")


@dataclass(frozen=True)
class _Frame:
    at_ms: float
    image: Image.Image


class Recording:
    """Records what a page shows, as an animated image. A context manager.

    Args:
        page: What is recorded.
        width: Of the image, in pixels.
    """

    def __init__(self, page: Page, *, width: int) -> None:
        self._page = page
        self._width = width
        self._frames: list[_Frame] = []
        self._session: Any = page.context.new_cdp_session(page)

    def __enter__(self) -> Self:
        self._session.on("Page.screencastFrame", self._take)
        options = {"format": "png", "everyNthFrame": 1}
        self._session.send("Page.startScreencast", options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.send("Page.stopScreencast")

    def _take(self, frame: dict[str, Any]) -> None:
        self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})
        at_ms = frame["metadata"]["timestamp"] * 1_000
        image = Image.open(io.BytesIO(base64.b64decode(frame["data"]))).convert("RGB")
        height = round(image.height * self._width / image.width)
        resized = image.resize((self._width, height), Image.Resampling.LANCZOS)
        self._frames.append(_Frame(at_ms, resized))

    def _thinned(self) -> list[_Frame]:
        """The last frame of each short while, in order."""
        frames: dict[int, _Frame] = {}
        for frame in sorted(self._frames, key=lambda frame: frame.at_ms):
            frames[int(frame.at_ms / _SHORTEST_FRAME_MS)] = frame
        return list(frames.values())

    def save(self, path: Path) -> int:
        """Write the recording; return its bytes.

        Raises:
            ValueError: There is nothing to write, or it is too large.
        """
        frames = self._thinned()
        if not frames:
            raise ValueError("The page painted nothing while it was recorded.")
        times = [frame.at_ms for frame in frames]
        durations = [
            round(min(later - earlier, _LONGEST_FRAME_MS))
            for earlier, later in pairwise(times)
        ]
        for quality in _QUALITIES:
            packed = io.BytesIO()
            frames[0].image.save(
                packed,
                "WEBP",
                save_all=True,
                append_images=[frame.image for frame in frames[1:]],
                duration=[*durations, _LAST_FRAME_MS],
                loop=0,
                quality=quality,
                method=4,
            )
            if packed.tell() <= MOST_RECORDING_BYTES:
                path.write_bytes(packed.getvalue())
                return packed.tell()
        raise ValueError(f"{path.name} is too large; record less.")
