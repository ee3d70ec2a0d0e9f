"""Presence: who follows a conversation now.

Told to those who follow it and never logged. A change is not told at once but
together with those that come shortly after it, and the later the more follow: so
five hundred who come in one second cost a few frames each, not five hundred.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.frames import Participant, Presence

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.protocol.commands import ClientDescription

__all__ = ["Audiences", "participant_of"]

GROUPING_S = 0.1
GROUPING_PER_FOLLOWER_S = 0.002
NAMED = 50
NAME_CHARACTERS = 100


def participant_of(client: ClientDescription, user: str) -> Participant:
    """Return how a client of a user is shown; names are cut at 100 characters."""
    return Participant(
        client=client.id,
        user=user[:NAME_CHARACTERS],
        name=client.name[:NAME_CHARACTERS],
        kind=client.kind,
    )


class Audiences:
    """Who follows which conversation. All calls on one event loop."""

    def __init__(self) -> None:
        self._audiences: dict[str, _Audience] = {}

    def __len__(self) -> int:
        return len(self._audiences)

    def join(
        self,
        conversation: str,
        participant: Participant,
        tell: Callable[[bytes], None],
    ) -> Callable[[], None]:
        """Add one who follows; returns the function that removes it again.

        Args:
            conversation: Which conversation.
            participant: As whom; several with one client id are shown as one.
            tell: Called with each encoded ``presence`` frame, the first one within
                a moment; each stands for all before it.
        """
        audience = self._audiences.get(conversation)
        if audience is None:
            audience = self._audiences[conversation] = _Audience(conversation)
        follower = _Follower(participant, tell)
        audience.join(follower)

        def leave() -> None:
            audience.leave(follower)
            if audience.empty and self._audiences.get(conversation) is audience:
                del self._audiences[conversation]

        return leave


@dataclass(eq=False)
class _Follower:
    participant: Participant
    tell: Callable[[bytes], None]
    told: bytes | None = None


class _Audience:
    """Those who follow one conversation, in the order in which they came."""

    def __init__(self, conversation: str) -> None:
        self._conversation = conversation
        self._followers: dict[_Follower, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def empty(self) -> bool:
        return not self._followers

    def join(self, follower: _Follower) -> None:
        self._followers[follower] = None
        self._tell_soon()

    def leave(self, follower: _Follower) -> None:
        self._followers.pop(follower, None)
        if self._followers:
            self._tell_soon()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell_soon(self) -> None:
        if self._timer is None:
            delay_s = GROUPING_S + GROUPING_PER_FOLLOWER_S * len(self._followers)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        shown = {
            follower.participant.client: follower.participant
            for follower in self._followers
        }
        frame = encode(
            Presence(
                conversation=self._conversation,
                participants=list(shown.values())[:NAMED],
                count=len(shown),
            )
        )
        for follower in self._followers:
            if follower.told != frame:
                follower.told = frame
                follower.tell(frame)
