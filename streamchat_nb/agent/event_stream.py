"""Server-sent events out of bytes, incrementally and with bounds."""

from __future__ import annotations

import re

from streamchat_nb.errors import ModelError

__all__ = ["EventSplitter"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# An event as nearly all are: its name, one line of data, a blank line.
_USUAL_EVENT = re.compile(
    rb"(?:event: ?([^\r\n]*)\r?\n)?data: ?([^\r\n]*)\r?\n\r?\n"
).match


class EventSplitter:
    """Splits a byte stream into server-sent events, however it is cut into chunks.

    Lines may end in LF, CR or CRLF. Comments, ``id`` and ``retry`` are left out,
    several ``data`` lines of one event are joined by a newline. Bytes are never
    decoded except the event's name, so a chunk may end inside a character.

    Args:
        event_bytes: Largest event and largest line; more is an error, so a peer
            that never ends a line cannot fill the memory.
    """

    def __init__(self, *, event_bytes: int = 33_554_432) -> None:
        self._event_bytes = event_bytes
        self._started = False
        self._after_carriage_return = False
        self._open_line: list[bytes] = []
        self._open_line_bytes = 0
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Take the next bytes and return the events they complete.

        Returns:
            ``(name, data)`` each; the name is empty where the event has none.

        Raises:
            ModelError: ``model_stream_malformed``, a line or an event is too large.
        """
        events: list[tuple[str, bytes]] = []
        if not self._started and chunk and not self._open_line:
            self._started = not chunk.startswith(_BYTE_ORDER_MARK[:1])
        if self.is_between_events and len(chunk) <= self._event_bytes:
            chunk = _take_usual(chunk, events)
            if not chunk:
                return events
        first, newline, rest = self._normalised(chunk).partition(b"\n")
        self._keep_open(first)
        if newline:
            lines = rest.split(b"\n")
            still_open = lines.pop()
            self._take_lines([self._close_line(), *lines], events)
            self._keep_open(still_open)
        return events

    def end(self) -> list[tuple[str, bytes]]:
        """Return what the end of the stream completes.

        A last event counts though no blank line, or no line end, follows it: whether
        its data is whole is for the decoder of that data to say.
        """
        events: list[tuple[str, bytes]] = []
        self._take_lines([self._close_line(), b""], events)
        return events

    @property
    def is_between_events(self) -> bool:
        """Whether the next byte begins an event."""
        is_within = self._open_line or self._data or self._name
        return self._started and not (is_within or self._after_carriage_return)

    def _normalised(self, chunk: bytes) -> bytes:
        """Return the chunk with LF as its only line end."""
        if self._after_carriage_return and chunk:
            self._after_carriage_return = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_carriage_return = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _keep_open(self, part: bytes) -> None:
        if part:
            self._open_line.append(part)
            self._open_line_bytes += len(part)
            if self._open_line_bytes > self._event_bytes:
                raise self._too_large()

    def _close_line(self) -> bytes:
        line = b"".join(self._open_line)
        self._open_line.clear()
        self._open_line_bytes = 0
        return line

    def _take_lines(self, lines: list[bytes], events: list[tuple[str, bytes]]) -> None:
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_bytes += len(line)
                if self._data_bytes > self._event_bytes:
                    raise self._too_large()
            elif line.startswith(b"event:"):
                self._name = line[6:].strip().decode("utf-8", "replace")
            elif not line:
                if self._data:
                    events.append((self._name, b"\n".join(self._data)))
                    self._data.clear()
                    self._data_bytes = 0
                self._name = ""

    def _too_large(self) -> ModelError:
        return ModelError(
            f"The model's endpoint sent an event of more than {self._event_bytes} "
            "bytes. Try again; if it stays so, check the endpoint.",
            code="model_stream_malformed",
            retryable=True,
        )


def _take_usual(chunk: bytes, events: list[tuple[str, bytes]]) -> bytes:
    """Take the events of the usual form that a chunk begins with; return the rest."""
    position = 0
    while usual := _USUAL_EVENT(chunk, position):
        name = usual[1] or b""
        events.append((name.strip().decode("utf-8", "replace"), usual[2]))
        position = usual.end()
    return chunk[position:]
