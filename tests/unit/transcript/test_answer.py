from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streamchat_nb.client.answer import answer_of
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import Author
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    Event,
    MessageCreated,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
    TurnStatus,
    UnknownEvent,
)
from streamchat_nb.transcript.answer import (
    answer_entries,
    answer_html,
    answer_mimebundle,
)
from streamchat_nb.transcript.outline import Note, Said, Speaker, ToolUse, Typed
from streamchat_nb.transcript.python_code import python_blocks

LOGS = sorted((Path(__file__).parents[2] / "fixtures" / "logs").glob("*.json"))
AGENT = Author(id="agent", name="Agent", kind="agent")


def state_of(path: Path) -> ConversationState:
    raw = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    fold = Fold()
    for event in msgspec.json.decode(raw["events"], type=list[msgspec.Raw]):
        fold.apply(decode_event(bytes(event)))
    return fold.state


def running(*more: Event | UnknownEvent) -> ConversationState:
    """A turn ``t`` that runs, and what happened in it since."""
    begun = (
        TurnQueued(turn="t", message="m"),
        TurnStarted(turn="t", message="m", agent="a"),
        TurnStatus(turn="t", phase="thinking", label="Agent is thinking…"),
    )
    fold = Fold()
    for seq, event in enumerate((*begun, *more), start=1):
        fold.apply(msgspec.structs.replace(event, seq=seq))
    return fold.state


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_answer_has_its_own_words_and_tools_and_nobody_elses(path: Path) -> None:
    state = state_of(path)
    before = msgspec.json.encode(state)
    for turn in state.turns:
        answer = answer_of(state, turn.turn)
        entries = answer_entries(state, turn.turn)
        assert not any(isinstance(entry, (Speaker, Typed)) for entry in entries)
        said = [entry.text for entry in entries if isinstance(entry, Said)]
        assert "\n\n".join(said).endswith(answer.text)
        used = [e.call.tool_call for e in entries if isinstance(e, ToolUse)]
        assert set(used) <= {call.tool_call for call in answer.tool_calls}
        bundle = answer_mimebundle(entries)
        assert list(bundle) == ["text/plain", "text/markdown", "text/html"]
        assert all(bundle.values()) == bool(entries)
    assert msgspec.json.encode(state) == before


def test_answer_in_the_making_says_what_is_being_done() -> None:
    assert answer_entries(running(), "t") == [Note(words="Agent is thinking…")]
    assert answer_entries(running(), "another") == []
    queued = Fold()
    queued.apply(TurnQueued(turn="t", message="m", seq=1))
    (note,) = answer_entries(queued.state, "t")
    assert isinstance(note, Note)
    assert note.words.startswith("Waiting for the answer before")
    written = (
        MessageCreated(turn="t", message="n", role="assistant", author=AGENT),
        TurnStatus(turn="t", phase="responding", label="Agent is responding…"),
        BlockStarted(turn="t", message="n", block="b0", kind="text"),
        BlockDelta(turn="t", message="n", block="b0", kind="text", delta="Look: "),
    )
    (said,) = answer_entries(running(*written), "t")
    assert said == Said(text="Look: ", partial=True)
    used = (
        BlockStarted(turn="t", message="n", block="b1", kind="tool_use"),
        ToolRequested(
            turn="t",
            message="n",
            block="b1",
            tool_call="c",
            name="f",
            label="",
            input={},
        ),
        TurnStatus(turn="t", phase="using_tool", label="Using f…"),
        ToolStarted(turn="t", tool_call="c"),
        ToolProgress(turn="t", tool_call="c", message="3 of 4"),
    )
    entries = answer_entries(running(*written, *used), "t")
    assert [type(entry) for entry in entries] == [Said, ToolUse, Note]
    assert entries[-1] == Note(words="Using f… 3 of 4")
    assert "Using" in answer_html(entries)
    ended = TurnFinished(turn="t", status="cancelled")
    entries = answer_entries(running(*written, ended), "t")
    assert entries[-1] == Note(words="This answer was stopped.")


def test_answer_stays_within_its_size_and_runs_nothing() -> None:
    words = "<script>alert(1)</script> ![x](https://evil.example/x.png) "
    entries = [Said(text=words * 40, partial=False) for _ in range(40)]
    bundle = answer_mimebundle(entries, limit_bytes=20_000)
    for kind, content in bundle.items():
        assert len(content.encode()) <= 20_000, kind
        assert "left out" in content
    assert "<script" not in bundle["text/html"]
    assert "<img" not in bundle["text/html"]
    assert "![" not in bundle["text/markdown"]


def test_python_of_an_answer_is_found_wherever_it_stands() -> None:
    text = (
        "Run\n\n```python\na = 1\n```\n\n1. then\n\n   ```py\n   b = {2}\n   ```\n\n"
        "```bash\nrm -r x\n```\n\n```\nplain\n```\n\n"
        "```python\nhidden = '\u200b'\n```\n\n> ```python\n> c = 3\n> ```\n"
    )
    assert python_blocks(text) == ["a = 1", "b = {2}", "c = 3"]
    assert python_blocks("no code") == []
