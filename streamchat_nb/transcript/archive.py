"""A conversation's whole state as JSON, to be read back."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.errors import InvalidInput

__all__ = ["from_json", "to_json"]

_VERSION = 1


class _Envelope(Struct, kw_only=True):
    """What is looked at first: whether this program can read the rest."""

    format: Literal["streamchat.transcript"]
    version: int
    state: msgspec.Raw = msgspec.Raw(b"{}")


def to_json(state: ConversationState) -> str:
    """Return all of a state as JSON with a version, laid out to be read."""
    document: dict[str, Any] = {
        "format": "streamchat.transcript",
        "version": _VERSION,
        "state": state,
    }
    encoded = msgspec.json.encode(document)
    return msgspec.json.format(encoded, indent=1).decode() + "\n"


def from_json(text: str) -> ConversationState:
    """Return the state that ``to_json`` wrote.

    Raises:
        InvalidInput: The text is something else, broken, or of a newer version.
    """
    try:
        envelope = msgspec.json.decode(text.encode("utf-8", "replace"), type=_Envelope)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(
            "This is no exported conversation; give the text of a file that "
            'export("json") wrote.'
        ) from error
    if envelope.version != _VERSION:
        raise InvalidInput(
            f"This conversation was exported in version {envelope.version}, and this "
            f"program reads version {_VERSION}; read it with a newer streamchat_nb."
        )
    try:
        return msgspec.json.decode(envelope.state, type=ConversationState)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(
            "The exported conversation is damaged; export it again."
        ) from error
