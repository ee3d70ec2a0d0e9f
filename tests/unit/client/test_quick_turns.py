from __future__ import annotations

import asyncio
import sys

import pytest

from streamchat_nb.client.quick_turns import TURN_S, QuickTurns


def test_turns_are_short_for_a_moment_and_usual_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamchat_nb.client.quick_turns.LONGEST_S", 0.02)

    async def scenario() -> None:
        turns = QuickTurns()
        turns.ask()
        turns.ask()
        assert sys.getswitchinterval() == pytest.approx(TURN_S)
        await asyncio.sleep(0.1)
        assert sys.getswitchinterval() == pytest.approx(0.005)

    asyncio.run(scenario())


def test_turns_are_usual_once_all_who_asked_let_go() -> None:
    async def scenario() -> None:
        one, other = QuickTurns(), QuickTurns()
        one.ask()
        other.ask()
        one.end()
        one.end()
        assert sys.getswitchinterval() == pytest.approx(TURN_S)
        other.end()
        assert sys.getswitchinterval() == pytest.approx(0.005)

    asyncio.run(scenario())
