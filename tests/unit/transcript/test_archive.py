from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.errors import InvalidInput
from streamchat_nb.transcript.archive import from_json, to_json
from tests.unit.transcript.samples import LOGS, recorded, story_of_everything

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_recorded_conversation_comes_back_whole(log: Path) -> None:
    state = recorded(log)
    assert from_json(to_json(state)) == state


def test_conversation_with_everything_comes_back_whole() -> None:
    state = story_of_everything()
    text = to_json(state)
    assert from_json(text) == state
    assert json.loads(text)["version"] == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no exported conversation"),
        ("[]", "no exported conversation"),
        ('{"format": "other", "version": 1}', "no exported conversation"),
        ("[" * 100_000, "no exported conversation"),
        ('{"format": "streamchat.transcript", "version": 2}', "version 2"),
        (
            '{"format": "streamchat.transcript", "version": 1, "state": {"seq": "x"}}',
            "damaged",
        ),
    ],
)
def test_what_is_no_conversation_is_refused(text: str, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        from_json(text)
