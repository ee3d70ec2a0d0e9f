"""One HTTP/1.1 response out of bytes, however they are cut. No I/O."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from httpx2 import RemoteProtocolError

__all__ = ["HttpResponse", "ResponseHead"]

_MOST_HEAD_BYTES = 65_536
"""Largest head, and most bytes of trailers."""
_MOST_SIZE_LINE_BYTES = 1_024
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: ([^\r\n\x00]*))?")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r?\n").match
_DIGITS = re.compile(rb"[0-9]{1,18}")
_INFORMATIONAL = range(100, 200)
_WITHOUT_BODY = frozenset({204, 304})
_SWITCHING_PROTOCOLS = 101


class ResponseHead(NamedTuple):
    """What comes before the body: names and values of headers as they were sent.

    ``fields`` has the values by name in lower case, those of one name joined by commas.
    """

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    http_version: bytes
    fields: dict[bytes, bytes]


class _Part(Enum):
    HEAD = auto()
    BODY_OF_LENGTH = auto()
    BODY_TO_THE_END = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    NOTHING = auto()


class HttpResponse:
    """Reads one response, as a server sends it for a request.

    Responses of status 1xx before it are passed over.

    Args:
        method: Of the request.

    Attributes:
        head: Once it is there.
        has_begun: A byte of it has come.
        complete: The response is whole.
        keeps_connection: Once it is whole: another request may follow.
    """

    def __init__(self, method: str) -> None:
        self.head: ResponseHead | None = None
        self.has_begun = False
        self.complete = False
        self.keeps_connection = False
        self._method = method
        self._next = _Part.HEAD
        self._open = b""
        self._left = 0
        self._trailer_bytes = 0
        self._says_keep = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those of the body among them.

        Raises:
            RemoteProtocolError: This is no response, or a size is over its bound.
        """
        if self._next is _Part.CHUNK_SIZE and not self._open:
            start = data.find(b"\r\n") + 2
            size = len(data) - start - 2
            if size > 0 and data.startswith(b"%x\r\n" % size) and data[-2:] == b"\r\n":
                return data[start:-2]  # one whole chunk, as a part of a stream is
        body: list[bytes] = []
        while data and not self.complete:
            match self._next:
                case _Part.CHUNK_SIZE:
                    data = self._take_chunks(data, body)
                case _Part.HEAD:
                    data = self._take_head(data)
                case _Part.CHUNK_END | _Part.TRAILERS:
                    data = self._take_line(data)
                case _:
                    data = self._take_body(data, body)
        if data:  # of no request
            self.keeps_connection = False
        return body[0] if len(body) == 1 else b"".join(body)

    def end(self) -> None:
        """Take the end of the connection.

        Raises:
            RemoteProtocolError: The response is not whole.
        """
        if self._next is _Part.BODY_TO_THE_END:
            self.complete = True
        self.keeps_connection = False
        if not self.complete:
            raise RemoteProtocolError("The server closed the connection too early.")

    # --- the head ----------------------------------------------------------------

    def _take_head(self, data: bytes) -> bytes:
        """Take what belongs to the head; return what comes after it."""
        self.has_begun = True
        data = self._open + data
        end = _HEAD_END.search(data)
        if end is None:
            self._keep_open(data, _MOST_HEAD_BYTES)
            return b""
        self._open = b""
        head = _head_of(data[: end.start()])
        if head.status == _SWITCHING_PROTOCOLS:
            raise RemoteProtocolError("The server changes the protocol, unasked.")
        if head.status not in _INFORMATIONAL:
            self.head = head
            self._begin_body(head)
        return data[end.end() :]

    def _begin_body(self, head: ResponseHead) -> None:
        connection = _tokens(head, b"connection")
        self._says_keep = b"close" not in connection and (
            head.http_version == b"HTTP/1.1" or b"keep-alive" in connection
        )
        codings = _tokens(head, b"transfer-encoding")
        lengths = set(_tokens(head, b"content-length"))
        if self._method == "HEAD" or head.status in _WITHOUT_BODY:
            self._finish()
        elif codings:
            if codings != [b"chunked"]:
                raise RemoteProtocolError("The server sends an unknown encoding.")
            self._next = _Part.CHUNK_SIZE
        elif lengths:
            length = lengths.pop()
            if lengths or not _DIGITS.fullmatch(length):
                raise RemoteProtocolError("The server sends no usable length.")
            self._left = int(length)
            self._next = _Part.BODY_OF_LENGTH
            if not self._left:
                self._finish()
        else:
            self._next = _Part.BODY_TO_THE_END

    def _finish(self) -> None:
        self._next = _Part.NOTHING
        self.complete = True
        self.keeps_connection = self._says_keep

    # --- the body ----------------------------------------------------------------

    def _take_body(self, data: bytes, body: list[bytes]) -> bytes:
        """Take a part of the body, or of a chunk of it; return what comes after."""
        if self._next is _Part.BODY_TO_THE_END:
            body.append(data)
            return b""
        part = data[: self._left]
        body.append(part)
        self._left -= len(part)
        if not self._left:
            if self._next is _Part.CHUNK:
                self._next = _Part.CHUNK_END
            else:
                self._finish()
        return data[len(part) :]

    def _take_chunks(self, data: bytes, body: list[bytes]) -> bytes:
        """Take whole chunks, and the size of one that is not whole."""
        if self._open:
            data, self._open = self._open + data, b""
        position = 0
        while size_line := _SIZE_LINE(data, position):
            start = size_line.end()
            end = start + int(size_line[1], 16)
            if start == end:
                self._next = _Part.TRAILERS
                return data[start:]
            if data[end : end + 2] != b"\r\n":
                self._next = _Part.CHUNK
                self._left = end - start
                return data[start:]
            body.append(data[start:end])
            position = end + 2
        rest = data[position:]
        if b"\n" in rest:
            raise RemoteProtocolError("The server sends a chunk without a size.")
        self._keep_open(rest, _MOST_SIZE_LINE_BYTES)
        return b""

    def _take_line(self, data: bytes) -> bytes:
        """Take the line end after a chunk, or a line of the trailers."""
        data = self._open + data
        line, newline, rest = data.partition(b"\n")
        if not newline:
            self._keep_open(data, _MOST_HEAD_BYTES)
            return b""
        self._open = b""
        is_empty = line.rstrip(b"\r") == b""
        if self._next is _Part.CHUNK_END:
            if not is_empty:
                raise RemoteProtocolError("The server sends a chunk of another size.")
            self._next = _Part.CHUNK_SIZE
        elif is_empty:
            self._finish()
        else:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MOST_HEAD_BYTES:
                raise RemoteProtocolError("The server sends too many trailers.")
        return rest

    def _keep_open(self, data: bytes, most_bytes: int) -> None:
        if len(data) > most_bytes:
            raise RemoteProtocolError("The server sends a line without an end.")
        self._open = data


def _head_of(data: bytes) -> ResponseHead:
    first, *lines = data.split(b"\n")
    status_line = _STATUS_LINE.fullmatch(first.rstrip(b"\r"))
    if status_line is None:
        raise RemoteProtocolError("The server does not speak HTTP/1.1.")
    headers: list[tuple[bytes, bytes]] = []
    fields: dict[bytes, bytes] = {}
    for line in lines:
        header = _HEADER_LINE.fullmatch(line.rstrip(b"\r"))
        if header is None:
            raise RemoteProtocolError("The server sends a header that cannot be read.")
        name, value = header[1], header[2].rstrip(b" \t")
        headers.append((name, value))
        name = name.lower()
        fields[name] = b"%s, %s" % (fields[name], value) if name in fields else value
    return ResponseHead(
        status=int(status_line[2]),
        reason=status_line[3] or b"",
        headers=headers,
        http_version=b"HTTP/" + status_line[1],
        fields=fields,
    )


def _tokens(head: ResponseHead, name: bytes) -> list[bytes]:
    """Return the parts of a header's values, in lower case."""
    value = head.fields.get(name)
    if value is None:
        return []
    return [token.strip() for token in value.lower().split(b",")]
