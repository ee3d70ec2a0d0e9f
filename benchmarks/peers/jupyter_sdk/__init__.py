"""A Jupyter server extension with the SDK, the obvious way: a message for each delta.

In its favour: what ``tornado_sdk`` has in its favour; Jupyter's identity is asked once,
when the socket opens, and no conversation has an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler
from typing_extensions import override

from benchmarks.peers.plain_chat import PlainChat

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

FORBIDDEN = 403


# Their bases disagree on check_origin and prepare; Jupyter's identity comes first.
class ChatHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """``/sdk/ws``."""

    @override
    async def get(self, *args: str, **kwargs: str) -> None:
        """Upgrade, for somebody who is logged in."""
        if self.current_user is None:
            raise HTTPError(FORBIDDEN)
        await WebSocketHandler.get(self, *args, **kwargs)

    @override
    def check_origin(self, origin: str = "") -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Leave it to Jupyter."""
        return bool(cast("Any", WebSocketMixin).check_origin(self, origin))

    @override
    def set_default_headers(self) -> None:
        """Send none: an upgrade has no body."""

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


def _jupyter_server_extension_points() -> list[dict[str, str]]:  # pyright: ignore[reportUnusedFunction]
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: ServerApp) -> None:  # pyright: ignore[reportUnusedFunction]
    app.web_app.add_handlers(".*$", [("/sdk/ws", ChatHandler)])
