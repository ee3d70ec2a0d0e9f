"""A Tornado server with the SDK, the obvious way: a message for each delta.

In its favour: ``set_nodelay``, which is easily forgotten (35 ms without it), no
compression, room for many who connect at once; and all of ``plain_chat``.
"""

from __future__ import annotations

import asyncio
import os

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler
from typing_extensions import override

from benchmarks.peers.plain_chat import PlainChat

BACKLOG = 4096


class ChatHandler(WebSocketHandler):
    """``/ws``."""

    @override
    def check_origin(self, origin: str) -> bool:
        return True

    @override
    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._chat = PlainChat(self.write_message, self.close)

    @override
    def on_message(self, message: str | bytes) -> None:
        self._chat.receive(message)

    @override
    def on_close(self) -> None:
        self._chat.leave()


async def main() -> None:
    """Serve until the process is ended."""
    server = HTTPServer(Application([("/ws", ChatHandler)]))
    server.add_sockets(
        bind_sockets(int(os.environ["PORT"]), "127.0.0.1", backlog=BACKLOG)
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
