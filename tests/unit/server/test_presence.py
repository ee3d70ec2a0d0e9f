from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.commands import ClientDescription
from streamchat_nb.protocol.frames import Participant, Presence
from streamchat_nb.server import presence
from streamchat_nb.server.presence import Audiences, participant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

GROUPING_S = 0.01


@pytest.fixture(autouse=True)
def short_grouping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "GROUPING_S", GROUPING_S)


class Follower:
    """One socket of a client, and all it was told."""

    def __init__(self, audiences: Audiences, client: str, name: str = "") -> None:
        self.told: list[Presence] = []
        participant = Participant(client=client, user="Ada", name=name, kind="page")
        self.leave = audiences.join("c", participant, self._tell)

    def _tell(self, frame: bytes) -> None:
        decoded = decode_frame(frame)
        assert isinstance(decoded, Presence)
        self.told.append(decoded)

    @property
    def sees(self) -> list[str]:
        return [participant.client for participant in self.told[-1].participants]


def play(scenario: Callable[[Audiences], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await scenario(Audiences())

    asyncio.run(main())


async def grouped(followers: int = 0) -> None:
    """Wait until a change is told that was made before."""
    delay_s = GROUPING_S + followers * presence.GROUPING_PER_FOLLOWER_S
    await asyncio.sleep(delay_s + GROUPING_S)


def test_followers_are_told_who_comes_and_who_leaves() -> None:
    async def scenario(audiences: Audiences) -> None:
        ada = Follower(audiences, "ada")
        await grouped(1)
        assert ada.sees == ["ada"]
        bob = Follower(audiences, "bob")
        await grouped(2)
        assert ada.sees == bob.sees == ["ada", "bob"]
        ada.leave()
        await grouped(2)
        assert bob.sees == ["bob"]
        assert len(ada.told) == 2

    play(scenario)


def test_client_with_many_sockets_is_one_participant() -> None:
    async def scenario(audiences: Audiences) -> None:
        first, second = Follower(audiences, "tab"), Follower(audiences, "tab")
        await grouped(2)
        assert first.told[-1].count == 1
        second.leave()
        await grouped(2)
        assert (first.sees, len(first.told)) == (["tab"], 1)

    play(scenario)


def test_second_socket_is_told_though_nothing_changed() -> None:
    async def scenario(audiences: Audiences) -> None:
        first = Follower(audiences, "tab")
        await grouped(1)
        second = Follower(audiences, "tab")
        await grouped(2)
        assert (len(first.told), second.sees) == (1, ["tab"])

    play(scenario)


def test_quick_return_is_not_told() -> None:
    async def scenario(audiences: Audiences) -> None:
        watching = Follower(audiences, "ada")
        tab = Follower(audiences, "tab")
        await grouped(2)
        tab.leave()
        Follower(audiences, "tab")
        await grouped(2)
        assert len(watching.told) == 1

    play(scenario)


def test_five_hundred_who_come_at_once_cost_a_few_frames_each() -> None:
    async def scenario(audiences: Audiences) -> None:
        followers: list[Follower] = []
        for number in range(500):
            followers.append(Follower(audiences, f"c{number}"))
            if number % 10 == 0:
                await asyncio.sleep(0.001)
        await grouped(500)
        last = followers[0].told[-1]
        assert (last.count, len(last.participants)) == (500, 50)
        assert all(follower.told[-1] == last for follower in followers)
        assert sum(len(follower.told) for follower in followers) <= 500 * 5

    play(scenario)


def test_audience_that_is_empty_is_forgotten() -> None:
    async def scenario(audiences: Audiences) -> None:
        followers = [Follower(audiences, "ada"), Follower(audiences, "bob")]
        for follower in followers:
            follower.leave()
            follower.leave()
        assert len(audiences) == 0
        await grouped(2)
        assert [follower.told for follower in followers] == [[], []]

    play(scenario)


def test_long_names_are_cut() -> None:
    client = ClientDescription(id="tab", name="n" * 5_000, kind="widget")
    shown = participant_of(client, "u" * 5_000)
    assert (len(shown.name), len(shown.user)) == (100, 100)
    assert (shown.client, shown.kind) == ("tab", "widget")
