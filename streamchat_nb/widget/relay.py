"""The kernel as the way to the server, for browsers that cannot reach it themselves.

A browser asks for a socket over the widget's messages; the kernel opens one of its own,
proves who it is, and passes the frames of both sides on as they are. The messages of
the channel ``relay``, from the browser:

- ``open``, ``frame`` (``data``), ``taken`` (``n``) and ``close``, each with ``relay``,
  the id that the browser gave its socket;
- ``request`` (``method``, ``path``, ``parts``), ``part`` (``data`` in base64) and
  ``drop``, each with ``request``, an id likewise.

And to it, each numbered by ``n`` from 1 so that a lost one is noticed:

- ``frames``; ``alive`` (``heard``: how many frames of the browser have arrived);
  ``closed`` (``code``, ``reason``) or ``failed`` (``status``, ``problem``) as the last;
- ``answer`` (``status``, ``media_type``, ``parts``) and its ``part``.

All browsers that show the widget get all messages; each takes those with its ids.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING

from streamchat_nb.client.loop_thread import LoopThread
from streamchat_nb.client.main_thread import notebook_loop
from streamchat_nb.widget.relayed_request import RelayedRequests
from streamchat_nb.widget.relayed_socket import RelayedSocket

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["Relay"]

logger = logging.getLogger(__name__)

MOST_SOCKETS = 8
FREE_WITHIN_S = 12.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

_threads: dict[int, LoopThread] = {}
_threads_lock = threading.Lock()


class Relay:
    """What the kernel passes on for the browsers of one widget; takes ``relay``.

    It lives on a thread of its own: a busy cell holds up what comes from the browser
    where its messages wait for the cell, and never what goes to it.

    Args:
        send: Sends a message of the channel to all browsers; from any thread.
        find_server: Finds the server; may block and raise ``StreamchatError``.
        main_loop: The loop of the thread that takes the browser's messages, to know
            whether silence means anything; ``None``: it always does.
    """

    def __init__(
        self,
        send: Callable[[KernelMessage], None],
        find_server: Callable[[], ServerAddress],
        main_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._send = send
        self._find_server = find_server
        self._main_loop = main_loop or notebook_loop()
        self._sockets: dict[str, RelayedSocket] = {}
        self._requests = RelayedRequests(self._tell, find_server)
        self._free_at = 0.0
        self._is_marking = False

    def take(self, message: KernelMessage) -> None:
        """Take a message from the browser; from any thread. Never raises."""
        _thread().post(lambda: self._take(message))

    def close(self) -> None:
        """End all that is passed on; from any thread."""
        _thread().post(self._close)

    # on the relay's thread

    def _take(self, message: KernelMessage) -> None:
        try:
            if "request" in message:
                self._requests.take(message)
            else:
                self._take_for_socket(message)
        except (KeyError, TypeError, ValueError):
            logger.debug("A message of the relay was not understood and dropped.")

    def _take_for_socket(self, message: KernelMessage) -> None:
        id_ = message["relay"]
        if not isinstance(id_, str) or _ID.fullmatch(id_) is None:
            return
        socket = self._sockets.get(id_)
        if socket is None:
            if message["type"] == "open":
                self._open(id_)
            elif message["type"] == "frame":
                # The browser does not know yet that its socket has ended.
                gone = {"code": 1006, "reason": ""}
                self._tell({"type": "closed", "relay": id_, "n": 0, **gone})
            return
        match message["type"]:
            case "frame":
                socket.take_frame(str(message["data"]))
            case "taken":
                socket.taken(int(message["n"]))
            case "close":
                socket.close()
            case _:
                pass

    def _open(self, id_: str) -> None:
        if len(self._sockets) >= MOST_SOCKETS:
            oldest = max(self._sockets.values(), key=lambda one: one.unheard_beats)
            oldest.end(4429, "too many browsers show this chat through the kernel")
        self._sockets[id_] = RelayedSocket(
            id_,
            send=self._tell,
            find_server=self._find_server,
            is_heard=self._is_main_thread_free,
            seated=self._replace_others_of,
            ended=self._forget,
        )

    def _replace_others_of(self, seat: RelayedSocket) -> None:
        """End what a browser left behind when it was reloaded: its id says so."""
        for socket in tuple(self._sockets.values()):
            if socket is not seat and socket.client == seat.client:
                socket.close()

    def _forget(self, socket: RelayedSocket) -> None:
        if self._sockets.get(socket.id) is socket:
            del self._sockets[socket.id]

    def _is_main_thread_free(self) -> bool:
        """Whether messages of the browser are taken now; asked every few seconds."""
        loop = self._main_loop
        if loop is None or loop.is_closed():
            return True
        if not self._is_marking:
            self._is_marking = True
            loop.call_soon_threadsafe(self._mark)
        return time.monotonic() - self._free_at < FREE_WITHIN_S

    def _mark(self) -> None:
        self._free_at = time.monotonic()
        self._is_marking = False

    def _tell(self, message: KernelMessage) -> None:
        try:
            self._send(message)
        except Exception as error:  # noqa: BLE001 - whatever a front end's channel does
            logger.debug("The browser cannot be told: %s.", type(error).__name__)

    def _close(self) -> None:
        for socket in tuple(self._sockets.values()):
            socket.end(1001, "the chat was closed in the kernel")
        self._requests.close()


def _thread() -> LoopThread:
    """Return the thread of all relays of this process."""
    with _threads_lock:
        known = _threads.get(os.getpid())
        if known is None or not known.is_alive:
            known = _threads[os.getpid()] = LoopThread()
        return known
