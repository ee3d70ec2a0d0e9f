"""Recorded responses of the Messages API, read from the corpora beside the checkout."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPORA = Path(
    os.environ.get("STREAMCHAT_CORPORA")
    or Path(__file__).parents[4] / "shared" / "corpora"
)
_BEGINNING_OF_BLOCK = re.compile(rb'"type":\s*"content_block_start"')
_STOP = re.compile(rb'(?m)^data:.*"message_delta".*"stop_reason":\s*"')


def recorded() -> Iterator[tuple[str, bytes]]:
    """Yield each recorded response with a name."""
    for path in sorted(CORPORA.glob("sse/*/*_response.txt")):
        yield path.name, path.read_bytes()
    for path in sorted(CORPORA.glob("sse/*/*.chunks.txt")):
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
        for number, part in enumerate(one_message_each(lines)):
            stream = b"".join(b"data: " + line + b"\n\n" for line in part)
            yield f"{path.name}#{number}", stream


def one_message_each(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Cut a recording of several responses after each ``message_stop``."""
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if json.loads(line).get("type") == "message_stop":
            yield part
            part = []
    if part:
        yield part


RECORDED = dict(recorded())
each_recording = pytest.mark.parametrize("name", sorted(RECORDED) or ["none"])


def recording(name: str) -> bytes:
    if name not in RECORDED:
        pytest.skip(f"no recorded streams in {CORPORA}; set STREAMCHAT_CORPORA")
    return RECORDED[name]


def end_of_message(stream: bytes) -> int:
    """Return how many bytes make the message whole."""
    return stream.index(b"}", stream.rindex(b'"message_stop"')) + 1


def end_of_silence(stream: bytes) -> int:
    """Return where the first block has begun: whatever follows belongs to it."""
    first = _BEGINNING_OF_BLOCK.search(stream)
    return len(stream) if first is None else stream.index(b"\n", first.end()) + 1


def end_of_content(stream: bytes) -> int:
    """Return where the event begins that gives the stop reason, or ends the message."""
    found = _STOP.search(stream)
    return end_of_message(stream) if found is None else found.start()


def event_boundaries(stream: bytes) -> list[int]:
    """Return the lengths that end between two events of a stream."""
    return [match.end() for match in re.finditer(rb"\n\n", stream)]
