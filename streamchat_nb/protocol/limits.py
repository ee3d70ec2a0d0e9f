"""The limits of a server: one frozen value, told to clients in ``hello``."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Limits"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on what clients may send and on what the server keeps.

    Attributes:
        frame_bytes: Largest frame from a client once it is authenticated.
        unauthenticated_frame_bytes: The same before that.
        message_bytes: Largest text of one user message, with the data in it, in UTF-8.
        artifact_bytes: Largest file attached to a message.
        event_bytes: Largest event.
        tool_output_bytes: Largest tool output kept inline in an event.
        model_tool_output_bytes: Largest tool output given to a model.
        json_depth: Deepest nesting in a frame.
        subscriptions: Conversations that one connection may follow.
        sockets_per_user: Open sockets of one principal.
        pending_sockets_per_address: Sockets of one address not yet authenticated.
        frames_per_window: Frames that one connection may send in ``window_ms``; the
            two that answer a ``tool.call`` or an ``agent.run``, and the batches of an
            agent, come on top.
        window_ms: Length of that window.
        queued_turns: Turns that may wait in one conversation.
        running_turns_per_user: Turns that may run at once for one principal.
    """

    frame_bytes: int = 262_144
    unauthenticated_frame_bytes: int = 8_192
    message_bytes: int = 65_536
    artifact_bytes: int = 10_485_760
    event_bytes: int = 262_144
    tool_output_bytes: int = 131_072
    model_tool_output_bytes: int = 32_768
    json_depth: int = 32
    subscriptions: int = 32
    sockets_per_user: int = 200
    pending_sockets_per_address: int = 128
    frames_per_window: int = 60
    window_ms: int = 10_000
    queued_turns: int = 8
    running_turns_per_user: int = 4
