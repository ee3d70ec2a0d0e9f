"""A Messages API over real HTTP, in a process of its own, with faults to order.

``python -m streamchat_nb.testing.fake_endpoint --port 0 --pace-s 0`` prints its URL
and serves on 127.0.0.1 until SIGTERM. It follows the rules of the offline demo, so
the same request gives the same answer there and here.

The last text of the user may order a fault:

==========================  ====================================================
``/demo …``                 as the offline demo: faults within an answer
``/fault 429 [seconds]``    an HTTP error (any status), with ``retry-after``
``/fault once 529 [s]``     the same for the first try only
``/fault hang``             no response at all
``/fault stall``            a response that begins, then silence
``/fault reset``            the connection is reset before a response
``/fault cut``              the connection ends inside the response
``/fault json``             one JSON object although a stream was asked for
``/fault bare``             a stream without event names, usage or ``message_stop``
``/fault gzip``             a compressed stream
``/fault page``             a web page in place of an answer
``/fault redirect``         a redirect to another address
==========================  ====================================================

The key ``bad-key`` is refused, and so is any model whose name starts with
``unknown``. It is served by aiohttp: install ``streamchat_nb[testing]``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from streamchat_nb.agent.offline_rules import plan_reply
from streamchat_nb.agent.offline_stream import (
    error_body,
    reply_frames,
    reply_message,
    request_digest,
)
from streamchat_nb.errors import UsageError
from streamchat_nb.testing.quirks import PLAIN
from streamchat_nb.testing.request_validation import RequestRefused, check_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

    from aiohttp.web import Request, StreamResponse

    from streamchat_nb.testing.quirks import Quirk

__all__ = ["FakeEndpoint", "main", "running_fake_endpoint"]

_BODY_BYTES = 33_554_432
_SILENCE_S = 600.0
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_MOST_REMEMBERED = 10_000
_FAULT = re.compile(r"/fault(?P<once>\s+once)?\s+(?P<what>\w+)(?:\s+(?P<wait>\S+))?\s*")
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class _HttpError(Exception):
    """An error response of the Messages API."""

    def __init__(
        self, status: int, message: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


class _Fault(NamedTuple):
    what: str
    once: bool
    wait: str | None


class FakeEndpoint:
    """The server. One instance per process or loop.

    Args:
        pace_s: Seconds for each word of an answer.
        quirk: How it departs from Anthropic's own.

    Raises:
        UsageError: aiohttp, which it serves with, is not installed.
    """

    def __init__(self, *, pace_s: float = 0.0, quirk: Quirk = PLAIN) -> None:
        _check_installed()
        self._pace_s = pace_s
        self._quirk = quirk
        self._seen: dict[str, None] = {}
        self._faults: dict[
            str, Callable[[Request, dict[str, Any]], Awaitable[StreamResponse]]
        ] = {
            "bare": self._answer_barely,
            "cut": self._cut,
            "gzip": self._answer_compressed,
            "hang": self._hang,
            "json": self._answer_json,
            "page": self._answer_page,
            "redirect": self._redirect,
            "reset": self._reset,
            "stall": self._stall,
        }

    async def serve(self, port: int, *, ready: Callable[[str], None]) -> None:
        """Serve on 127.0.0.1 until cancelled.

        Args:
            port: Where; 0 for any free port.
            ready: Receives the URL once requests are taken.
        """
        from aiohttp import web

        application = web.Application(client_max_size=_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            ready(f"http://127.0.0.1:{runner.addresses[0][1]}")
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    # --- one request -------------------------------------------------------------

    async def _handle(self, request: Request) -> StreamResponse:
        from aiohttp import web

        request_id = "req_refused"
        try:
            body = await self._checked_body(request)
            request_id = f"req_{request_digest(body)}"
            fault = _ordered_fault(body)
            if fault is not None and not (fault.once and self._was_seen(request_id)):
                return await self._serve_fault(fault, request, body)
            if not (body.get("stream") and self._quirk.streams):
                return await self._answer_json(request, body)
            frames = self._quirk.frames(_frames(body, self._pace_s))
            return await self._answer(request, body, frames)
        except ConnectionResetError:
            return web.Response()  # for nobody: who asked has gone
        except _HttpError as error:
            default = "api_error" if error.status >= 500 else "invalid_request_error"  # noqa: PLR2004
            error_type = _ERROR_TYPES.get(error.status, default)
            answer = error_body(error_type, error.message, request_id)
            return web.json_response(
                body=msgspec.json.encode(answer),
                status=error.status,
                headers={"request-id": request_id, **error.headers},
            )

    async def _checked_body(self, request: Request) -> dict[str, Any]:
        if request.path != "/v1/messages":
            raise _HttpError(404, "Not found")
        if request.method != "POST":
            raise _HttpError(405, "Method Not Allowed")
        _check_key(request)
        if not request.headers.get("anthropic-version"):
            raise _HttpError(400, "anthropic-version: header is required")
        from aiohttp import web

        try:
            body = check_request(msgspec.json.decode(await request.read()))
        except web.HTTPRequestEntityTooLarge:
            raise _HttpError(413, "The request is too large.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _HttpError(400, "The body is not valid JSON") from None
        except RequestRefused as refusal:
            raise _HttpError(400, str(refusal)) from None
        if (refused := self._quirk.refusal(request.headers, body)) is not None:
            raise _HttpError(*refused)
        if body["model"].startswith("unknown"):
            raise _HttpError(404, f"model: {body['model']}")
        return body

    def _was_seen(self, request_id: str) -> bool:
        """Return whether this request came before, and remember it."""
        was_seen = request_id in self._seen
        self._seen[request_id] = None
        if len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return was_seen

    async def _serve_fault(
        self, fault: _Fault, request: Request, body: dict[str, Any]
    ) -> StreamResponse:
        if fault.what.isdecimal():
            headers = {"retry-after": fault.wait} if fault.wait else {}
            raise _HttpError(int(fault.what), "A fault to order.", headers=headers)
        handler = self._faults.get(fault.what)
        if handler is None:
            raise _HttpError(400, f"There is no fault {fault.what}.")
        return await handler(request, body)

    # --- answers -----------------------------------------------------------------

    async def _answer(
        self,
        request: Request,
        body: dict[str, Any],
        frames: Iterator[tuple[float, bytes]],
    ) -> StreamResponse:
        response = _stream_response(body)
        await response.prepare(request)
        for delay_s, data in frames:
            await asyncio.sleep(delay_s)
            await response.write(data)
        await response.write_eof()
        return response

    async def _answer_json(
        self, _request: Request, body: dict[str, Any]
    ) -> StreamResponse:
        from aiohttp import web

        return web.json_response(
            body=msgspec.json.encode(reply_message(plan_reply(body), body)),
            headers={"request-id": f"req_{request_digest(body)}"},
        )

    async def _answer_barely(
        self, request: Request, body: dict[str, Any]
    ) -> StreamResponse:
        return await self._answer(request, body, _bare_frames(body, self._pace_s))

    async def _answer_compressed(
        self, request: Request, body: dict[str, Any]
    ) -> StreamResponse:
        from aiohttp import web

        response = _stream_response(body)
        response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        for _, data in _frames(body, 0.0):
            await response.write(data)
        await response.write_eof()
        return response

    async def _answer_page(
        self, _request: Request, _body: dict[str, Any]
    ) -> StreamResponse:
        from aiohttp import web

        return web.Response(
            text="<!doctype html><title>Welcome</title>", content_type="text/html"
        )

    # --- faults ------------------------------------------------------------------

    async def _redirect(
        self, request: Request, _body: dict[str, Any]
    ) -> StreamResponse:
        from aiohttp import web

        raise web.HTTPTemporaryRedirect(f"{request.url.origin()}/elsewhere")

    async def _hang(self, _request: Request, _body: dict[str, Any]) -> StreamResponse:
        await asyncio.sleep(_SILENCE_S)
        raise _HttpError(504, "Nobody waited so long before.")

    async def _reset(self, request: Request, _body: dict[str, Any]) -> StreamResponse:
        from aiohttp import web

        if request.transport is not None:
            sock = request.transport.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)  # close at once: RST in place of FIN
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.transport.abort()
        return web.Response()

    async def _stall(self, request: Request, body: dict[str, Any]) -> StreamResponse:
        response = await self._begin(request, body)
        await asyncio.sleep(_SILENCE_S)
        return response

    async def _cut(self, request: Request, body: dict[str, Any]) -> StreamResponse:
        response = await self._begin(request, body)
        if request.transport is not None:
            request.transport.close()
        return response

    async def _begin(self, request: Request, body: dict[str, Any]) -> StreamResponse:
        """Send the first half of an answer."""
        frames = [data for _, data in _frames(body, 0.0)]
        response = _stream_response(body)
        await response.prepare(request)
        await response.write(b"".join(frames[: len(frames) // 2]))
        return response


@contextlib.contextmanager
def running_fake_endpoint(*, pace_s: float = 0.0) -> Generator[str]:
    """Run the server in a process of its own and give its URL.

    Raises:
        UsageError: It did not start within 30 s, or aiohttp is not installed.
    """
    _check_installed()
    module = "streamchat_nb.testing.fake_endpoint"
    options = ["--port", "0", "--pace-s", str(pace_s), "--exit-with-stdin"]
    process = subprocess.Popen(  # noqa: S603 - this program, with our own arguments
        [sys.executable, "-m", module, *options],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    watchdog = threading.Timer(_START_TIMEOUT_S, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        url = process.stdout.readline().decode().strip()
        watchdog.cancel()
        if not url:
            raise UsageError("The fake endpoint did not start.")
        yield url
    finally:
        watchdog.cancel()
        with process:  # closes its stdin, which ends it
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM, Ctrl-C, or (if asked) the end of standard input."""
    parser = argparse.ArgumentParser(
        prog="python -m streamchat_nb.testing.fake_endpoint",
        description="A Messages API on 127.0.0.1 that follows fixed rules.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--pace-s", type=float, default=0.0, help="seconds for a word")
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="end when standard input does"
    )
    options = parser.parse_args(arguments)
    try:
        endpoint = FakeEndpoint(pace_s=options.pace_s)
    except UsageError as error:
        parser.error(str(error))
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_serve(endpoint, options.port, watch_input=options.exit_with_stdin))


async def _serve(endpoint: FakeEndpoint, port: int, *, watch_input: bool) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    with contextlib.suppress(NotImplementedError):  # Windows ends it without asking
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    if watch_input:

        def wait_for_end() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(task.cancel)

        threading.Thread(target=wait_for_end, daemon=True).start()
    await endpoint.serve(port, ready=lambda url: print(url, flush=True))  # noqa: T201


def _check_installed() -> None:
    if importlib.util.find_spec("aiohttp") is None:
        raise UsageError(
            "The fake endpoint needs aiohttp: pip install 'streamchat_nb[testing]'."
        )


def _check_key(request: Request) -> None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    keys = {key for key in (request.headers.get("x-api-key"), bearer) if key}
    if not keys:
        raise _HttpError(401, "x-api-key header is required")
    if "bad-key" in keys:
        raise _HttpError(401, "invalid x-api-key")


def _ordered_fault(body: dict[str, Any]) -> _Fault | None:
    content = body["messages"][-1]["content"]
    if not isinstance(content, str):
        texts = [block["text"] for block in content if block.get("type") == "text"]
        content = texts[-1] if texts else ""
    match = _FAULT.fullmatch(content.strip())
    if match is None:
        return None
    return _Fault(what=match["what"], once=bool(match["once"]), wait=match["wait"])


def _frames(body: dict[str, Any], pace_s: float) -> Iterator[tuple[float, bytes]]:
    return reply_frames(plan_reply(body), body, pace_s=pace_s)


def _bare_frames(body: dict[str, Any], pace_s: float) -> Iterator[tuple[float, bytes]]:
    for delay_s, frame in _frames(body, pace_s):
        name, _, data = frame.partition(b"\n")
        if name in {b"event: message_stop", b"event: ping"}:
            continue
        event = msgspec.json.decode(data.removeprefix(b"data: "))
        event.pop("usage", None)
        event.get("message", {}).pop("usage", None)
        yield delay_s, b"data: " + msgspec.json.encode(event) + b"\n\n"
    yield 0.0, b"data: [DONE]\n\n"


def _stream_response(body: dict[str, Any]) -> StreamResponse:
    from aiohttp import web

    return web.StreamResponse(
        headers={
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "request-id": f"req_{request_digest(body)}",
        }
    )


if __name__ == "__main__":
    main()
