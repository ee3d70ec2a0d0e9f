"""The requests of the last turns, kept in memory and within bounds."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

import msgspec
from typing_extensions import override

from streamchat_nb.agent.request_trace import RequestRecorder
from streamchat_nb.conversation.spans import TurnSpans
from streamchat_nb.errors import NotFound
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.trace import TracedRequest, TurnTrace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.agent.cassette_secrets import Scrubber
    from streamchat_nb.agent.request_trace import Exchange
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.trace import RequestsKept

__all__ = ["Traces", "trace_of"]

TURNS_PER_CONVERSATION = 20
TURNS = 2_000
KEPT_BYTES = 33_554_432
LARGEST_BODY_BYTES = 4_194_304
"""Compressed; of a larger one only the size is kept."""
_COMPRESSION = 1
_SHORTEST_FILE_CHARACTERS = 1_024
_PAGE_EVENTS = 500
_PAGE_BYTES = 1_048_576


class TurnRequests(RequestRecorder):
    """The requests of one turn.

    Args:
        traces: Who keeps them.

    Attributes:
        bodies: By request, what was sent, compressed; ``None`` where it was too large.
        bytes_kept: Size of all of them.
        is_forgotten: Nobody asks for it any more.
    """

    def __init__(self, traces: Traces) -> None:
        super().__init__()
        self._traces = traces
        self.bodies: dict[Exchange, bytes | None] = {}
        self.bytes_kept = 0
        self.is_forgotten = False

    @override
    def ended(self, exchange: Exchange) -> None:
        """Compress its body on another thread, and keep that."""
        self._traces.pack(self, exchange)

    async def requests(self, since_ms: int) -> list[TracedRequest]:
        """Return them without secrets, with times since a moment.

        Args:
            since_ms: That moment, milliseconds since the epoch.
        """
        exchanges = list(self.exchanges)
        bodies = [(one.content, self.bodies.get(one)) for one in exchanges]
        return await asyncio.to_thread(_shown, exchanges, bodies, since_ms)


class Traces:
    """The requests of turns: of a conversation the last 20, of all at most 32 MiB.

    The longest unused go first. Nothing of it is written anywhere: it is gone with the
    process.
    """

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[str, str], TurnRequests] = OrderedDict()
        self._turns_of: dict[str, dict[str, None]] = {}
        self._bytes = 0
        self._packing: set[asyncio.Future[bytes | None]] = set()

    def begin(self, conversation: str, turn: str) -> TurnRequests:
        """Return what notes the requests of a turn, which is about to run."""
        kept = TurnRequests(self)
        self._turns[conversation, turn] = kept
        turns = self._turns_of.setdefault(conversation, {})
        turns[turn] = None
        if len(turns) > TURNS_PER_CONVERSATION:
            self._drop((conversation, next(iter(turns))))
        self._trim()
        return kept

    def of(self, conversation: str, turn: str) -> TurnRequests | None:
        """Return the requests of a turn; ``None`` where they are not kept."""
        return self._turns.get((conversation, turn))

    def forget(self, conversation: str) -> None:
        """Drop all of a conversation."""
        for turn in tuple(self._turns_of.get(conversation, ())):
            self._drop((conversation, turn))

    def pack(self, kept: TurnRequests, exchange: Exchange) -> None:
        """Compress what was sent on another thread; it stays as it is until then."""
        loop = asyncio.get_running_loop()
        packing = loop.run_in_executor(None, _packed, exchange)
        self._packing.add(packing)

        def done(packed: asyncio.Future[bytes | None]) -> None:
            self._packing.discard(packed)
            failed = packed.cancelled() or packed.exception() is not None
            body = None if failed else packed.result()
            exchange.content = b""
            if not kept.is_forgotten:
                size = len(body or b"")
                kept.bodies[exchange] = body
                kept.bytes_kept += size
                self._bytes += size
                self._trim()

        packing.add_done_callback(done)

    def _trim(self) -> None:
        while self._bytes > KEPT_BYTES or len(self._turns) > TURNS:
            self._drop(next(iter(self._turns)))

    def _drop(self, key: tuple[str, str]) -> None:
        kept = self._turns.pop(key)
        conversation, turn = key
        turns = self._turns_of[conversation]
        del turns[turn]
        if not turns:
            del self._turns_of[conversation]
        kept.is_forgotten = True
        self._bytes -= kept.bytes_kept


async def trace_of(
    log: ConversationLog, turn: str, traces: Traces, *, now_ms: int
) -> TurnTrace:
    """Return where the time of a turn went, and what was sent for it.

    Args:
        log: The conversation's log.
        turn: Id of the turn.
        traces: Where requests are kept.
        now_ms: The time, in milliseconds since the epoch.

    Raises:
        NotFound: There is no such turn in this conversation.
        StoreError: The log could not be read.
    """
    state = log.fold.turn(turn)
    if state is None:
        raise NotFound("This conversation has no such turn.")
    spans = TurnSpans(turn)
    after = 0
    while not spans.is_over and (
        events := await log.read(
            after, limit_events=_PAGE_EVENTS, limit_bytes=_PAGE_BYTES
        )
    ):
        for event in events:
            spans.observe(decode_event(event.data))
        after = events[-1].seq
        await asyncio.sleep(0)
    kept = traces.of(log.id, turn)
    requests = [] if kept is None else await kept.requests(spans.sent_ts)
    return TurnTrace(
        conversation=log.id,
        turn=turn,
        sent_ts=spans.sent_ts,
        now_ms=max(0, now_ms - spans.sent_ts),
        status=state.status,
        agent=state.agent,
        model=state.model,
        spans=spans.spans(),
        requests=requests,
        requests_kept=_kept(kept, state.status, requests),
    )


def _kept(
    kept: TurnRequests | None, status: str, requests: list[TracedRequest]
) -> RequestsKept:
    if requests or status == "queued":
        return "kept"
    return "forgotten" if kept is None else "unseen"


# --- what is sent: made small, and made public -----------------------------------


def _packed(exchange: Exchange) -> bytes | None:
    """Return a body compressed and without its files; ``None``: it is too large."""
    exchange.look()
    content = exchange.content
    if len(content) > _SHORTEST_FILE_CHARACTERS and b'"base64"' in content:
        content = msgspec.json.encode(_without_files(_read(content)))
    packed = zlib.compress(content, _COMPRESSION)
    return packed if len(packed) <= LARGEST_BODY_BYTES else None


def _read(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _without_files(value: Any) -> Any:  # noqa: ANN401 - any JSON in, the same out
    if isinstance(value, list):
        return [_without_files(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    data = fields.get("data")
    if (
        fields.get("type") == "base64"
        and isinstance(data, str)
        and len(data) > _SHORTEST_FILE_CHARACTERS
    ):
        size = len(data) * 3 // 4 - data[-2:].count("=")
        return {**fields, "data": f"[{size} bytes, not kept]"}
    return {name: _without_files(item) for name, item in fields.items()}


def _shown(
    exchanges: list[Exchange],
    bodies: list[tuple[bytes, bytes | None]],
    since_ms: int,
) -> list[TracedRequest]:
    """Return requests as people may see them. Takes time: off the event loop."""
    from streamchat_nb.agent.cassette_secrets import (  # noqa: PLC0415 - many patterns
        Scrubber,
        environment_secrets,
    )

    from_environment = environment_secrets()
    secrets = {secret for one in exchanges for secret in one.secrets}
    scrubber = Scrubber([*from_environment, *sorted(secrets)])
    return [
        _request(exchange, content or _unpacked(packed), scrubber, since_ms)
        for exchange, (content, packed) in zip(exchanges, bodies, strict=True)
    ]


def _unpacked(packed: bytes | None) -> bytes:
    return b"" if packed is None else zlib.decompress(packed)


def _request(
    exchange: Exchange, content: bytes, scrubber: Scrubber, since_ms: int
) -> TracedRequest:
    body = scrubber.value(_without_files(_read(content))) if content else None

    def since(at_ms: int | None) -> int | None:
        return None if at_ms is None else max(0, at_ms - since_ms)

    request_id = exchange.request_id
    return TracedRequest(
        source=exchange.source,
        start_ms=max(0, exchange.started_ms - since_ms),
        method=exchange.method,
        url=scrubber.text(exchange.url),
        headers=dict(_clean(exchange.headers, scrubber)),
        body=body,
        body_bytes=exchange.content_bytes,
        response_ms=since(exchange.response_ms),
        first_ms=since(exchange.first_ms),
        end_ms=since(exchange.ended_ms),
        status=exchange.status,
        request_id=None if request_id is None else scrubber.text(request_id),
        error=exchange.error,
        is_cut=exchange.content_bytes > 0 and not content,
    )


def _clean(headers: dict[str, str], scrubber: Scrubber) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        yield scrubber.text(name), scrubber.text(value)
