"""An open session with an MCP server: the one place that knows the SDK.

Its first generation (``mcp`` 1.x) and its second differ in the names of fields, of
exceptions and of what opens a session. Here both give the same: what is on the wire,
as plain values. Imported when the first server is wanted: the SDK takes a second or
more.
"""

from __future__ import annotations

import asyncio
import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from typing_extensions import override

from streamchat_nb._version import __version__
from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
    )
    from contextlib import AbstractAsyncContextManager

    from streamchat_nb.tools.error_tail import ErrorTail
    from streamchat_nb.tools.mcp_settings import McpSettings

__all__ = ["McpConnection", "McpFault", "mcp_connection"]

REQUEST_TIMEOUT_S = 30.0
LISTEN_PAUSE_S = 5.0
CLIENT_NAME = "streamchat_nb"

_CANCEL_TIMEOUT_S = 1.0
_MOST_PAGES = 50
_MOST_TOOLS = 256
_MOST_EVENT_BYTES = 16 * 1024 * 1024
_LONGEST_SILENCE_S = 600.0
_TOOLS_CHANGED = "notifications/tools/list_changed"


class McpFault(Exception):
    """The server, or the way to it, refused or broke a request.

    Args:
        message: What the server or the SDK said; not for people as it is.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Client(Protocol):
    """What both generations do, each in its way; gives models of the SDK."""

    async def page(self, cursor: str | None) -> Any: ...  # noqa: ANN401 (the SDK's)

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[..., Awaitable[None]],
    ) -> Any: ...  # noqa: ANN401 (the SDK's)

    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[object]] | None:
        """Return what tells of changed tools, where that must be asked for."""
        ...


class McpConnection:
    """A session that is open until its context ends or the server goes.

    Safe to use from any task of its loop.

    Args:
        client: The SDK's session.
        on_news: Called when the connection is lost and when the tools may have
            changed.

    Attributes:
        is_lost: The server is gone, or cannot be reached any more.
    """

    def __init__(self, client: _Client, on_news: Callable[[], None]) -> None:
        self.is_lost = False
        self._client = client
        self._on_news = on_news
        self._lost = asyncio.Event()

    async def tools(self) -> list[dict[str, Any]]:
        """Return all tools that the server offers, as on the wire; at most 256.

        Raises:
            McpFault: It did not tell them.
            TimeoutError: It did not answer within 30 s.
        """
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            for _ in range(_MOST_PAGES):
                page = await self._while_open(self._client.page(cursor))
                found.extend(page.get("tools") or [])
                cursor = page.get("nextCursor")
                if not cursor or len(found) >= _MOST_TOOLS:
                    break
        return found[:_MOST_TOOLS]

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[[float, float | None, str | None], None],
    ) -> dict[str, Any]:
        """Call a tool; returns its result as on the wire.

        Cancellation: the server is told that nobody waits any more.

        Raises:
            McpFault: The server refused, the connection was lost, or the result is
                not what the tool promised.
        """

        async def report(
            progress: float, total: float | None, message: str | None
        ) -> None:
            on_progress(progress, total, message)

        return await self._while_open(self._client.call(name, arguments, report))

    def lose(self) -> None:
        """Note that the server is gone; who waits for it is told. Idempotent."""
        self.is_lost = True
        self._lost.set()
        self._on_news()

    async def listen(self) -> None:
        """Tell of changed tools until cancelled, where they must be asked for."""
        while (changes := self._client.changes()) is not None:
            with contextlib.suppress(Exception):  # the server is asked for its tools
                async with changes as events:
                    async for _ in events:
                        self._on_news()
            self._on_news()
            await asyncio.sleep(LISTEN_PAUSE_S)

    async def _while_open(self, request: Coroutine[Any, Any, Any]) -> dict[str, Any]:
        """Return what a request gives, as plain values; not later than the end."""
        if self.is_lost:
            request.close()
            raise McpFault("the connection was lost")
        loop = asyncio.get_running_loop()
        answer = loop.create_task(_plain(request), name="mcp request")
        lost = loop.create_task(self._lost.wait(), name="mcp lost")
        try:
            await asyncio.wait({answer, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                # An answer may stand before the end, in a queue of the SDK.
                await asyncio.wait({answer}, timeout=_CANCEL_TIMEOUT_S)
            if not answer.done():
                raise McpFault("the connection was lost")
            return answer.result()
        finally:
            lost.cancel()
            if not answer.done():
                answer.cancel()  # which tells the server
                await asyncio.wait({answer}, timeout=_CANCEL_TIMEOUT_S)


@contextlib.asynccontextmanager
async def mcp_connection(
    settings: McpSettings, *, errors: ErrorTail, on_news: Callable[[], None]
) -> AsyncGenerator[McpConnection]:
    """Open a session with a server, and close it in the same task.

    No roots, no sampling and no elicitation are announced: a server that asks for one
    all the same is refused.

    Args:
        settings: The server, expanded.
        errors: Gets what a started program says on its standard error.
        on_news: As ``McpConnection`` takes it.

    Raises:
        UsageError: The package ``mcp`` is not there.
        Exception: Whatever the SDK raises, also in groups: it cannot be started or
            reached, or does not speak MCP.
    """
    sdk: Any = await asyncio.to_thread(_load_sdk)
    news: list[Callable[[], None]] = []

    async def on_message(message: object) -> None:
        # The first generation wraps what it tells, and tells of faults here, too.
        body = getattr(message, "root", message)
        if getattr(body, "method", None) == _TOOLS_CHANGED:
            on_news()

    def on_end() -> None:
        for tell in news:
            tell()

    async with contextlib.AsyncExitStack() as stack:
        streams = await _transport(sdk, settings, errors, stack)
        watched = _watched(streams, on_end)
        open_client = _second_client if hasattr(sdk, "Client") else _first_client
        client = await open_client(sdk, watched, on_message, stack)
        connection = McpConnection(client, on_news)
        news.append(connection.lose)
        listening = asyncio.get_running_loop().create_task(
            connection.listen(), name=f"mcp listen {settings.name}"
        )
        try:
            yield connection
        finally:
            listening.cancel()
            connection.lose()


def _load_sdk() -> Any:  # noqa: ANN401 (typed by neither of the two)
    try:
        for name in ("client.stdio", "client.streamable_http", "shared.exceptions"):
            import_module(f"mcp.{name}")
        return import_module("mcp")
    except ImportError as error:
        raise UsageError(
            f"MCP servers need the package mcp ({error}); install streamchat_nb[mcp]."
        ) from None


async def _plain(request: Coroutine[Any, Any, Any]) -> dict[str, Any]:
    """Return the SDK's model as what is on the wire.

    Raises:
        McpFault: For everything that the SDK raises.
    """
    try:
        return (await request).model_dump(by_alias=True, mode="json")
    except Exception as error:
        raise McpFault(str(error) or type(error).__name__) from error


# --- the two transports ----------------------------------------------------------


async def _transport(
    sdk: Any,  # noqa: ANN401
    settings: McpSettings,
    errors: ErrorTail,
    stack: contextlib.AsyncExitStack,
) -> AbstractAsyncContextManager[Any]:
    if settings.command:
        parameters = sdk.client.stdio.StdioServerParameters(
            command=settings.command,
            args=list(settings.args),
            env=dict(settings.env),
            cwd=settings.cwd,
            encoding_error_handler="replace",
        )
        file = await stack.enter_async_context(errors.opened())
        return sdk.client.stdio.stdio_client(parameters, errlog=file)
    second = hasattr(sdk, "Client")
    http: Any = import_module("httpx2" if second else "httpx")
    client = http.AsyncClient(
        headers=dict(settings.headers),
        timeout=http.Timeout(REQUEST_TIMEOUT_S, read=_LONGEST_SILENCE_S),
    )
    options: dict[str, Any] = {"http_client": client}
    if second:
        options["max_sse_event_size"] = _MOST_EVENT_BYTES
    await stack.enter_async_context(client)
    return sdk.client.streamable_http.streamable_http_client(settings.url, **options)


class _WatchedStream:
    """Passes a stream on and tells when the session has ceased to read it."""

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:  # noqa: ANN401
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)

    def __aiter__(self) -> _WatchedStream:
        return self

    async def __anext__(self) -> object:
        return await self._stream.__anext__()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> object:
        self._on_end()
        return await self._stream.__aexit__(*error)


@contextlib.asynccontextmanager
async def _watched(
    transport: AbstractAsyncContextManager[Any], on_end: Callable[[], None]
) -> AsyncGenerator[tuple[Any, Any]]:
    async with transport as streams:
        yield _WatchedStream(streams[0], on_end), streams[1]


# --- the two generations ---------------------------------------------------------


class _FirstClient(_Client):
    """``mcp`` 1.x."""

    def __init__(self, sdk: Any, session: Any) -> None:  # noqa: ANN401
        self._types: Any = sdk.types
        self._session = session

    @override
    async def page(self, cursor: str | None) -> Any:
        parameters = self._types.PaginatedRequestParams(cursor=cursor)
        return await self._session.list_tools(params=parameters)

    @override
    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[..., Awaitable[None]],
    ) -> Any:
        # It does not tell the server of a cancelled request, nor its id: the next one
        # is that of this call, since nothing else runs until it has taken it.
        request = getattr(self._session, "_request_id", None)
        try:
            return await self._session.call_tool(
                name, arguments, progress_callback=on_progress
            )
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CANCEL_TIMEOUT_S):
                    await self._tell_cancelled(request)
            raise

    @override
    def changes(self) -> None:
        return None

    async def _tell_cancelled(self, request: int | None) -> None:
        types = self._types
        parameters = types.CancelledNotificationParams(
            requestId=request, reason="nobody waits for it any more"
        )
        notification = types.CancelledNotification(params=parameters)
        await self._session.send_notification(types.ClientNotification(notification))


class _SecondClient(_Client):
    """``mcp`` 2.x."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self._client = client

    @override
    async def page(self, cursor: str | None) -> Any:
        return await self._client.list_tools(cursor=cursor)

    @override
    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[..., Awaitable[None]],
    ) -> Any:
        return await self._client.call_tool(
            name, arguments, progress_callback=on_progress
        )

    @override
    def changes(self) -> AbstractAsyncContextManager[AsyncIterator[object]] | None:
        tools = self._client.server_capabilities.tools
        is_new = self._client.session.discover_result is not None
        if not is_new or tools is None or not tools.list_changed:
            return None
        return cast(
            "AbstractAsyncContextManager[AsyncIterator[object]]",
            self._client.listen(tools_list_changed=True),
        )


async def _first_client(
    sdk: Any,  # noqa: ANN401
    streams: AbstractAsyncContextManager[tuple[Any, Any]],
    on_message: Callable[[object], Awaitable[None]],
    stack: contextlib.AsyncExitStack,
) -> _Client:
    reading, writing = await stack.enter_async_context(streams)
    session = sdk.ClientSession(
        reading,
        writing,
        message_handler=on_message,
        client_info=sdk.types.Implementation(name=CLIENT_NAME, version=__version__),
    )
    await stack.enter_async_context(session)
    await session.initialize()
    return _FirstClient(sdk, session)


async def _second_client(
    sdk: Any,  # noqa: ANN401
    streams: AbstractAsyncContextManager[tuple[Any, Any]],
    on_message: Callable[[object], Awaitable[None]],
    stack: contextlib.AsyncExitStack,
) -> _Client:
    client = sdk.Client(
        streams,
        message_handler=on_message,
        client_info=sdk.types.Implementation(name=CLIENT_NAME, version=__version__),
        cache=None,
    )
    return _SecondClient(await stack.enter_async_context(client))
