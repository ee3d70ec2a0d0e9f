from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from streamchat_nb.transcript.outline import Note, Said
from streamchat_nb.widget.live_output import LiveOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Note(words="Shared @df: 12 characters.")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def shown() -> Iterator[list[dict[str, Any]]]:
    """What a notebook is sent, in order."""
    shell = InteractiveShell.instance()
    publisher: Any = CapturingDisplayPublisher()
    before, shell.display_pub = shell.display_pub, publisher
    try:
        yield publisher.outputs
    finally:
        shell.display_pub = before
        InteractiveShell.clear_instance()


def sent_bytes(shown: list[dict[str, Any]]) -> int:
    return sum(len(text.encode()) for one in shown for text in one["data"].values())


def stream(tokens: int, *, tokens_per_s: float) -> list[float]:
    """Write an answer of so many tokens; returns the times at which it was shown."""
    clock, times, text = Clock(), list[float](), ""
    output = LiveOutput([], clock=clock)
    for number in range(tokens):
        clock.now_s += 1 / tokens_per_s
        token = "wo " if number % 60 else "end.\n\n"
        text += token
        output.grow(len(token))
        if output.is_due:
            output.show([Said(text=text, partial=True)])
            times.append(clock.now_s)
    output.finish([Said(text=text, partial=False)])
    return times


@pytest.mark.parametrize("tokens_per_s", [15, 60, 2_000])
def test_what_is_sent_stays_in_proportion_however_fast_it_comes(
    shown: list[dict[str, Any]], tokens_per_s: float
) -> None:
    per_token: list[float] = []
    for tokens in (500, 2_500):
        shown.clear()
        times = stream(tokens, tokens_per_s=tokens_per_s)
        per_token.append(sent_bytes(shown) / tokens)
        if tokens == 500:
            waits = [b - a for a, b in zip([0.0, *times], times, strict=False)]
            assert max(waits) < 2.5  # and it is not shown too seldom
    # For each token a share of what a slow one takes to come, and a growing answer.
    assert per_token[1] < 200 + 1.5 * 8_192 / tokens_per_s


def test_nothing_of_what_was_shown_meanwhile_is_left(
    shown: list[dict[str, Any]],
) -> None:
    for before in ([], [SHARED]):
        shown.clear()
        clock = Clock()
        output = LiveOutput(before, clock=clock)
        first = shown[0]["data"]
        assert ("Shared @df" in first["text/plain"]) == bool(before)
        output.grow(5)
        assert not output.is_due
        clock.now_s = 0.6
        assert output.is_due
        output.show([Said(text="Hello", partial=True)])
        assert not output.is_due
        output.finish([Said(text="Hello.", partial=False)])
        display, update, last, end = shown
        assert "Hello" in update["data"]["text/html"]
        assert last["data"]["text/plain"] == "Hello."
        assert end["data"] == first
        assert end["transient"] == update["transient"] == display["transient"]
        assert last["transient"] != end["transient"]
        assert [one["update"] for one in shown] == [False, True, False, True]
