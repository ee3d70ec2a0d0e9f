from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamchat_nb.transcript.text import to_text
from tests.unit.transcript.samples import (
    ADA,
    LOGS,
    Story,
    attached_story,
    everywhere,
    recorded,
    story_of_everything,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_recorded_conversation_has_no_control_characters(log: Path) -> None:
    text = to_text(recorded(log), thinking=True)
    assert all(one == "\n" or one >= " " for one in text)
    assert text.endswith("\n")


def test_everything_is_readable() -> None:
    text = to_text(story_of_everything())
    for part in (
        "Sales in spring\n===============\n\nAda:\n\nHow did sales go?\n    (the",
        '[Used preview(name="sales", rows=3) (0.4 s)]\n  month  sales\n  April  12\n',
        (
            "  sales\n  month  sales\n  -----  -----\n  April  12\n  May    15\n"
            "  (2 of 1,000 rows)\n\n  [Picture: Sales by month]"
        ),
        "Links: Report <https://reports.example/spring>\nSuggested next: “Plot it”",
        "(This answer was stopped.)",
    ):
        assert part in text


def test_escapes_do_nothing_wherever_they_stand() -> None:
    text = to_text(everywhere("\x1b[2J\u202egone\x07"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "␛[2J[1 hidden character]gone␇" in text


def test_long_conversation_is_cut_in_the_middle() -> None:
    story = Story()
    for number in range(50):
        story.ask(f"Question {number}?")
        story.answer("word " * 1_000)
    text = to_text(story.state, limit_bytes=30_000)
    assert len(text.encode()) <= 30_000
    assert "Question 0?" in text
    assert "Question 49?" in text
    assert "too long to be shown" in text


def test_approvals_say_who_allowed_and_what_waits() -> None:
    state = recorded(next(log for log in LOGS if log.stem == "approvals"))
    text = to_text(state)
    assert (
        '[Using search_contacts(query="Ada Lovelace") (allowed with changes by' in text
    )
    assert '[search_contacts(query="Alan") was not allowed (0.1 s)]' in text
    call = state.tool_calls[0]
    assert call.approval is not None
    call.approval.decision = None
    assert " waits to be allowed]" in to_text(state)
    call.approval.decision, call.approval.by = "denied", ADA
    call.duration_ms = 65_400
    assert "(refused by Ada, 1 min 5 s)]" in to_text(state)


def test_what_was_shared_and_attached_is_named() -> None:
    text = to_text(attached_story().state)
    assert "[Shared data: sales]\n  sales: 2 rows\n  month,sales\n" in text
    assert "[Image: plot.png]\n\n[Document: report.pdf]\n" in text
