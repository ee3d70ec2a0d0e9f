"""What is sent to models for a turn, noted where it goes out.

A turn's task has a ``RequestRecorder``; who sends a request opens an ``Exchange``,
which notes what goes out and when what came. Where there is no recorder (a model
used by itself) nothing is noted. Nothing here is done for each part of an answer.
"""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

from streamchat_nb.agent.model_errors import response_request_id
from streamchat_nb.errors import StreamchatError
from streamchat_nb.protocol.frames import error_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    import httpx2

    from streamchat_nb.protocol.content import ErrorBody
    from streamchat_nb.protocol.trace import RequestSource

__all__ = [
    "HIDDEN",
    "Exchange",
    "RequestRecorder",
    "note_content",
    "note_request",
    "recorded_by",
]

HIDDEN = "[hidden]"
"""What stands for the value of a header or a query that may be secret."""

MOST_REQUESTS = 200
"""Requests noted of one turn; those after them are not."""
_SHOWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
)
_LENGTH = "content-length"
_SHOWN_PREFIX = "x-stainless-"
_SHOWN_QUERY = frozenset({"api-version", "beta", "limit"})
_LEAST_SECRET_CHARACTERS = 16

_recorder: ContextVar[RequestRecorder | None] = ContextVar("_recorder", default=None)
_exchange: ContextVar[Exchange | None] = ContextVar("_exchange", default=None)


class RequestRecorder:
    """Takes the requests of one turn; for subclasses that keep them.

    Attributes:
        exchanges: In the order in which they began.
    """

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def begun(self, exchange: Exchange) -> None:
        """Take note of a request that goes out."""
        if len(self.exchanges) < MOST_REQUESTS:
            self.exchanges.append(exchange)

    def ended(self, exchange: Exchange) -> None:
        """Take note that nothing more comes of a request."""


def recorded_by(recorder: RequestRecorder | None) -> None:
    """Let the requests of this task, and of those it starts, be noted."""
    _recorder.set(recorder)


async def note_request(request: httpx2.Request) -> None:
    """Note an HTTP request that is about to go out, for the exchange of this task."""
    exchange = _exchange.get()
    if exchange is not None:
        exchange.went_out(request)


def note_content(request: httpx2.Request, content: bytes) -> None:
    """Note an HTTP request as ``note_request`` does, but with another body."""
    exchange = _exchange.get()
    if exchange is not None:
        exchange.went_out(request, content)


class Exchange:
    """One request to a model and what came; a context manager that notes its end.

    Args:
        source: Who answers.
        secrets: Credentials in use; they are taken out of what is shown.

    Attributes:
        source: Who answers.
        secrets: Credentials in use.
        method: Of HTTP.
        content: The body as it went out; whoever keeps it otherwise empties it.
        content_bytes: Its size.
        status: Of the response.
        request_id: The endpoint's id of it.
        error: Why there is no whole answer.
        started_ms: When it went out, milliseconds since the epoch, as are those below.
        response_ms: When the head of a response came.
        first_ms: When the first of the answer came.
        ended_ms: When it was over.
    """

    def __init__(
        self, source: RequestSource = "endpoint", *, secrets: Iterable[str] = ()
    ) -> None:
        self.source: RequestSource = source
        self.secrets = tuple(secrets)
        self.method = ""
        self.content = b""
        self.content_bytes = 0
        self.status: int | None = None
        self.request_id: str | None = None
        self.error: ErrorBody | None = None
        self.started_ms = _now_ms()
        self.response_ms: int | None = None
        self.first_ms: int | None = None
        self.ended_ms: int | None = None
        self._recorder = _recorder.get()
        self._is_known = False
        self._request: httpx2.Request | None = None
        self._url = ""
        self._headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.end(error)
        return False

    @property
    def url(self) -> str:
        """Where to; see ``TracedRequest``."""
        self.look()
        return self._url

    @property
    def headers(self) -> dict[str, str]:
        """By name; see ``TracedRequest``."""
        self.look()
        return self._headers

    def listen(self) -> _Listening:
        """Return a context in which ``note_request`` notes the request of this."""
        return _Listening(self)

    def went_out(self, request: httpx2.Request, content: bytes | None = None) -> None:
        """Note what goes out; only the first of an exchange counts.

        Args:
            request: Of HTTP.
            content: Its body; ``None`` for its own.
        """
        if self._is_known or self._recorder is None:
            return
        self.method = request.method
        self._request = request
        if content is not None:
            self.content = content
        else:
            # A body that is a stream has not been read, and is left alone.
            with contextlib.suppress(RuntimeError):
                self.content = request.content
        self._begin()

    def asked(self, body: Callable[[], object]) -> None:
        """Note what was asked, as JSON, where no request goes out."""
        if not self._is_known and self._recorder is not None:
            self.content = msgspec.json.encode(body())
            self._begin()

    def answered(self, response: httpx2.Response) -> None:
        """Note the head of a response; of one to an unseen request, that too."""
        self.went_out(response.request)
        self.status = response.status_code
        self.request_id = response_request_id(response.headers)
        self.response_ms = _now_ms()

    def began(self) -> None:
        """Note that the first of the answer came."""
        self.first_ms = _now_ms()

    def end(self, error: BaseException | None = None) -> None:
        """Note the end; only the first counts."""
        if self.ended_ms is not None:
            return
        self.ended_ms = _now_ms()
        if isinstance(error, StreamchatError):
            self.error = error_body(error)
        if self._recorder is not None and self._is_known:
            self._recorder.ended(self)

    def look(self) -> None:
        """See where the request went, and let go of it. Takes time: on any thread."""
        request = self._request
        if request is not None:
            self._url = _public_url(str(request.url))
            self._headers = _public_headers(request.headers.multi_items())
            if _LENGTH in self._headers:
                self._headers[_LENGTH] = str(self.content_bytes)
            self._request = None

    def _begin(self) -> None:
        self.content_bytes = len(self.content)
        self._is_known = True
        if self._recorder is not None:
            self._recorder.begun(self)


class _Listening:
    """While it is entered, requests of this task belong to an exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._token = _exchange.set(self._exchange)

    def __exit__(self, *_: object) -> None:
        _exchange.reset(self._token)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _public_headers(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for written, value in items:
        name = written.lower()
        is_shown = name in _SHOWN_HEADERS or name.startswith(_SHOWN_PREFIX)
        shown[name] = value if is_shown else HIDDEN
    return shown


def _public_url(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = "/".join(map(_public_segment, parts.path.split("/")))
    query = "&".join(
        f"{name}={value if name in _SHOWN_QUERY else HIDDEN}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return f"{parts.scheme}://{host}{path}{'?' if query else ''}{query}"


def _public_segment(segment: str) -> str:
    """Hide what looks like a key: some endpoints take theirs within the path."""
    is_long = len(segment) >= _LEAST_SECRET_CHARACTERS
    return HIDDEN if is_long and any(c.isdigit() for c in segment) else segment
