"""What the browser and the kernel say to each other, beside the server.

Every message is a JSON object whose ``channel`` says which part of the widget it is
for; ``frontend/src/kernel_channel.ts`` is the other end.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KernelChannel", "KernelMessage", "KernelMessageTaker"]

logger = logging.getLogger(__name__)

KernelMessage: TypeAlias = "dict[str, Any]"
"""A message of a channel: a JSON object."""


class KernelMessageTaker(Protocol):
    """The part of the widget that a channel belongs to."""

    def take(self, message: KernelMessage) -> None:
        """Take a message from the browser.

        It runs on the thread of the kernel that takes messages, which may be another
        one for each, beside a busy cell.
        """
        ...


class KernelChannel:
    """The messages of one widget, by channel. Safe from any thread.

    Args:
        send: Sends a JSON object to every browser that shows the widget.
    """

    def __init__(self, send: Callable[[KernelMessage], None]) -> None:
        self._send = send
        self._takers: dict[str, KernelMessageTaker] = {}

    def sender(self, channel: str) -> Callable[[KernelMessage], None]:
        """Return what sends messages of ``channel`` to the browser."""

        def send(message: KernelMessage) -> None:
            self._send({**message, "channel": channel})

        return send

    def listen(self, channel: str, taker: KernelMessageTaker) -> None:
        """Let a part of the widget take the messages of ``channel``."""
        self._takers[channel] = taker

    def take(self, content: object) -> None:
        """Take a message of any channel; one that is none is dropped."""
        if not isinstance(content, dict):
            return
        message = cast("KernelMessage", content)
        taker = self._takers.get(str(message.get("channel")))
        if taker is None:
            logger.debug("A message came for no channel of the widget.")
        else:
            taker.take(message)
