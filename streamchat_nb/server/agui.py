"""``POST streamchat/agui``: the AG-UI 1.0 endpoint.

Any client that talks AG-UI can use the server's agents through it. What it reads are
the events of a turn in the log, translated; the turn itself goes on whether or not
anybody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tornado.iostream import StreamClosedError
from typing_extensions import override

from streamchat_nb.errors import StreamchatError, Unavailable
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.frames import error_body
from streamchat_nb.server.agui_tools import Applications
from streamchat_nb.server.base import CONVERSATIONS, Runtime, allowed
from streamchat_nb.server.connections import bound_send_buffer
from streamchat_nb.server.event_outlet import ResponseStream
from streamchat_nb.server.messages import HEARTBEAT_S, StreamHandler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ag_ui.core import BaseEvent

    from streamchat_nb.server.agui_input import RunRequest
    from streamchat_nb.server.agui_run import Run

__all__ = ["AguiHandler"]

_GOING_AWAY = Unavailable(
    "The server restarts. Run again with the same runId to go on.",
    code="going_away",
    retry_after_ms=2000,
)


class AguiHandler(StreamHandler):
    """``POST streamchat/agui``."""

    @override
    def initialize(
        self, runtime: Runtime, applications: Applications | None = None
    ) -> None:
        super().initialize(runtime)
        self._applications = Applications() if applications is None else applications

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self) -> None:
        """Take a ``RunAgentInput`` and answer with the run's events, to its end.

        ``?agent=`` names who answers the thread. Refusals before the stream have a
        status and our shape of errors; whatever fails later is ``RUN_ERROR``.
        """
        request = await asyncio.to_thread(_read, self.request.body)
        from streamchat_nb.server.agui_run import begin_run  # noqa: PLC0415 (ag_ui)

        run = await begin_run(
            self.service,
            self._applications,
            self.principal,
            request,
            agent=self.get_query_argument("agent", None),
        )
        try:
            await self._stream(run)
        finally:
            run.application.leave()
            if self.gone.is_set() and not run.translation.ended:
                await self._end_unread(run, request)

    async def _stream(self, run: Run) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache, no-transform")
        self.set_header("X-Accel-Buffering", "no")
        bound_send_buffer(getattr(self.request.connection, "stream", None))
        self.runtime.connections.add_stream(self)
        error: StreamchatError | None = None
        try:
            await self._say(run.translation.start())
            await self._follow(run)
        except ConnectionError:
            self.gone.set()
        except StreamchatError as failure:
            error = failure
        except Exception:
            self.log.exception("An AG-UI run broke off")
        finally:
            # A client takes a stream without an end for a success.
            body = error_body(error or StreamchatError("The server failed."))
            with contextlib.suppress(ConnectionError):
                await self._say(run.translation.fail(body) if self._is_there else ())
            self.runtime.connections.discard(self)
            self._ended.set()
            with contextlib.suppress(StreamClosedError, RuntimeError):
                await self.finish(set_content_type="text/event-stream; charset=utf-8")

    @property
    def _is_there(self) -> bool:
        return not self.gone.is_set()

    async def _follow(self, run: Run) -> None:
        """Say what the log has, as it comes, until the run ends.

        Raises:
            ConnectionError: The client is gone, or reads nothing for 15 s.
            StreamchatError: The log cannot be read on, or the server restarts.
        """
        changed = asyncio.Event()
        unwatch = run.log.watch(changed.set)
        cursor = run.after
        try:
            while not run.translation.ended:
                changed.clear()
                events = await run.log.stream(cursor)
                for stored in events:
                    cursor = stored.seq
                    await self._say(run.translation.take(decode_event(stored.data)))
                if not events:
                    await self._wait(run, changed)
        finally:
            unwatch()

    async def _wait(self, run: Run, changed: asyncio.Event) -> None:
        if run.log.closed is not None:
            raise run.log.closed
        if self._leaving.is_set():
            raise _GOING_AWAY
        waits = {
            asyncio.ensure_future(event.wait())
            for event in (changed, self.gone, self._leaving)
        }
        try:
            done, _ = await asyncio.wait(
                waits, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
        if not done:
            await ResponseStream(self).send(b":\n\n")
        if self.gone.is_set():
            raise ConnectionResetError

    async def _say(self, events: Sequence[BaseEvent]) -> None:
        if events:
            frames = [f"data: {e.model_dump_json(by_alias=True)}\n\n" for e in events]
            await ResponseStream(self).send("".join(frames).encode())

    async def _end_unread(self, run: Run, request: RunRequest) -> None:
        """End the turn of a client that is gone, if it asked for that."""
        if not request.cancel_on_disconnect:
            return
        try:
            await self.service.cancel(self.principal, run.log.id, run.turn)
        except StreamchatError as error:
            self.log.info("A turn was not cancelled: %s", error.code)


def _read(body: bytes) -> RunRequest:
    """Read a request, on a thread: the first one imports AG-UI's types.

    Raises:
        Unavailable: They are not installed.
    """
    try:
        from streamchat_nb.server.agui_input import read_request  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ag_ui"):
            raise
        raise Unavailable(
            "AG-UI needs a package that this server does not have. Install it with "
            "pip install 'streamchat_nb[agui]' and restart the server.",
            code="agui_not_installed",
            retryable=False,
        ) from None
    return read_request(body)
