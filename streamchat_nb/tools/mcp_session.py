"""One MCP server: a task owns the session and connects again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from streamchat_nb.errors import ToolError, UsageError
from streamchat_nb.tools.error_tail import ErrorTail
from streamchat_nb.tools.mcp_connection import (
    McpConnection,
    McpFault,
    mcp_connection,
)
from streamchat_nb.tools.output import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.tools.mcp_settings import McpSettings

__all__ = ["McpServer", "McpStatus"]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
STABLE_S = 30.0
"""After how long a session counts as one that went well."""
WAIT_S = 20.0
"""How long a call waits for a server that is connecting."""
STOP_TIMEOUT_S = 5.0

_LEAST_BETWEEN_LISTS_S = 0.2
_MOST_REASON = 300


@dataclass(frozen=True, kw_only=True)
class McpStatus:
    """How an MCP server fares.

    Attributes:
        name: Its name.
        status: ``connecting``; ``ready``; ``lost``: it is tried again after a pause;
            ``stopped``.
        tools: How many tools it offers now.
        problem: Why it is not ready, in words without secrets.
    """

    name: str
    status: Literal["connecting", "ready", "lost", "stopped"]
    tools: int
    problem: str | None = None


class McpServer:
    """Keeps a session with one server. On one event loop.

    Args:
        settings: The server, as it stands in the settings.
        on_change: Called when it offers other tools than before.
    """

    def __init__(self, settings: McpSettings, *, on_change: Callable[[], None]) -> None:
        self.settings = settings
        self._on_change = on_change
        self._offers: list[dict[str, Any]] = []
        self._connection: McpConnection | None = None
        self._status: Literal["connecting", "ready", "lost", "stopped"] = "connecting"
        self._problem: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._scope: Any = None
        self._settled = asyncio.Event()
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._stopping = False
        self._errors = ErrorTail()

    @property
    def offers(self) -> list[dict[str, Any]]:
        """What it offers now, as on the wire; nothing while it is not ready."""
        return self._offers

    @property
    def status(self) -> McpStatus:
        """How it fares."""
        return McpStatus(
            name=self.settings.name,
            status=self._status,
            tools=len(self._offers),
            problem=self._problem,
        )

    # life

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._task = asyncio.get_running_loop().create_task(
            self._supervise(), name=f"mcp server {self.settings.name}"
        )

    async def settled(self) -> None:
        """Wait until the first attempt to connect has ended, either way."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Close the session, within 6 s; a started process ends. Idempotent."""
        self._stopping = True
        self._ready.set()
        if self._task is None:
            return
        self._news.set()
        if self._connection is None and self._scope is not None:
            self._scope.cancel()
        await asyncio.wait({self._task}, timeout=STOP_TIMEOUT_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)

    # calls

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[[float, float | None, str | None], None],
    ) -> dict[str, Any]:
        """Call a tool by its own name; returns its result as on the wire.

        A server that is lost is connected at once, which is waited for up to 20 s.

        Raises:
            ToolError: It is not there, refused or broke.
        """
        connection = await self._connected()
        try:
            return await connection.call(name, arguments, on_progress)
        except McpFault as fault:
            if connection.is_lost:
                raise ToolError(
                    f"The MCP server {self.settings.name} was lost while this ran; it "
                    "may have run."
                ) from None
            # To ask for its tools shows whether it lives, and what it has now.
            self._news.set()
            raise ToolError(
                f"The MCP server {self.settings.name} says: {self._said(fault)}"
            ) from None

    async def _connected(self) -> McpConnection:
        if self._connection is not None and self._connection.is_lost:
            self._ready.clear()
        self._wanted.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._ready.wait()
        if self._connection is None or self._connection.is_lost:
            why = f" ({self._problem})" if self._problem else ""
            raise ToolError(
                f"The MCP server {self.settings.name} is not there{why}; this did not "
                "run."
            )
        return self._connection

    # the task that owns the session

    async def _supervise(self) -> None:
        from anyio import CancelScope  # noqa: PLC0415 (comes with the SDK)

        pause_s = FIRST_PAUSE_S
        try:
            with CancelScope() as self._scope:
                while not self._stopping:
                    began = time.monotonic()
                    problem = await self._serve()
                    if self._stopping:
                        break
                    self._lose(problem)
                    if time.monotonic() - began > STABLE_S:
                        pause_s = FIRST_PAUSE_S
                    await self._pause(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            self._forget()
            self._status = "stopped"

    async def _serve(self) -> str:
        """Keep one session until it is lost; returns why it was."""
        self._news.clear()
        self._wanted.clear()
        self._status = "connecting"
        settings = self.settings
        try:
            settings = settings.expanded(os.environ)
            await self._keep(settings)
        except UsageError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 (the SDK's, or a group of them)
            return settings.without_secrets(self._reason(error))
        return settings.without_secrets(
            self._reason(McpFault("the connection was lost"))
        )

    async def _keep(self, settings: McpSettings) -> None:
        from anyio import fail_after, sleep  # noqa: PLC0415 (comes with the SDK)

        with fail_after(CONNECT_TIMEOUT_S) as scope:
            async with mcp_connection(
                settings, errors=self._errors, on_news=self._news.set
            ) as connection:
                offers = await connection.tools()
                scope.deadline = math.inf
                self._take(connection, offers)
                while not await self._is_over(connection):
                    self._take(connection, await connection.tools())
                    await sleep(_LEAST_BETWEEN_LISTS_S)

    async def _is_over(self, connection: McpConnection) -> bool:
        """Wait for news; say whether they are that the session is over."""
        await self._news.wait()
        self._news.clear()
        return connection.is_lost or self._stopping

    async def _pause(self, pause_s: float) -> None:
        """Wait until it is time, or until a call wants the server."""
        from anyio import move_on_after, sleep  # noqa: PLC0415

        await sleep(min(pause_s, FIRST_PAUSE_S))
        with move_on_after(pause_s - FIRST_PAUSE_S):
            await self._wanted.wait()

    def _take(self, connection: McpConnection, offers: list[dict[str, Any]]) -> None:
        is_new = connection is not self._connection
        self._connection = connection
        self._status, self._problem = "ready", None
        self._ready.set()
        if is_new:
            logger.info(
                "The MCP server %s is ready and offers %d tools",
                self.settings.name,
                len(offers),
            )
        if is_new or offers != self._offers:
            self._offers = offers
            self._on_change()
        self._settled.set()

    def _lose(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("The MCP server %s: %s", self.settings.name, problem)
        self._status, self._problem = "lost", problem
        self._forget()

    def _forget(self) -> None:
        self._connection = None
        if not self._stopping:
            self._ready.clear()
        if self._offers:
            self._offers = []
            self._on_change()
        self._settled.set()

    # words

    def _said(self, fault: McpFault) -> str:
        try:
            text = self.settings.expanded(os.environ).without_secrets(fault.message)
        except UsageError:
            text = type(fault).__name__
        return _short(text)

    def _reason(self, error: BaseException) -> str:
        error = _first_of(error)
        reason = _described(error)
        if self.settings.command and not isinstance(error, OSError):
            last_line = self._errors.last_line
            reason = f"{reason}; it said last: {last_line}" if last_line else reason
        return _short(reason)


def _first_of(error: BaseException) -> BaseException:
    """Return the first exception in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _described(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, (FileNotFoundError, PermissionError)):
        return f"{error.filename!r} cannot be started: {error.strerror}"
    response = getattr(error, "response", None)
    if response is not None:  # of an HTTP client; its text names the whole address
        return f"it answers {response.status_code} {response.reason_phrase}"
    return str(error) or type(error).__name__


def _short(text: str) -> str:
    text = clean_text(text).strip()
    return text if len(text) <= _MOST_REASON else f"{text[:_MOST_REASON]}…"
