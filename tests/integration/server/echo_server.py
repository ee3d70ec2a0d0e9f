"""``jupyter streamchat`` whose socket says back what it hears.

The socket is the real handler with its real upgrade, sizes, pings and way of writing;
in place of our protocol, which refuses what is no frame of ours, it has an echo.
"""

from __future__ import annotations

import sys

from typing_extensions import override

from streamchat_nb.command_line import main
from streamchat_nb.server import extension
from streamchat_nb.server.connections import bound_send_buffer
from streamchat_nb.server.websocket import SocketHandler


class EchoSocket(SocketHandler):
    @override
    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        bound_send_buffer(self._outlet.stream)

    @override
    async def on_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._outlet.write(message.encode())
            await self._outlet.taken()
        else:
            await self.write_message(message, binary=True)


if __name__ == "__main__":
    extension.SocketHandler = EchoSocket
    sys.exit(main())
