from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamchat_nb.agent.history import content_of, history_of, tool_result
from streamchat_nb.agent.repair import INTERRUPTED
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import (
    Author,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)

USER = Author(id="u", name="U", kind="user")
AGENT = Author(id="a", name="A", kind="agent")


class Log:
    """Writes a conversation, one whole message at a time."""

    def __init__(self) -> None:
        self._fold = Fold()

    @property
    def state(self) -> ConversationState:
        return self._fold.state

    def add(self, *events: e.Event, turn: str | None = None) -> None:
        for event in events:
            self._fold.apply(
                msgspec.structs.replace(event, seq=self._fold.seq + 1, turn=turn)
            )

    def ask(self, turn: str, text: str, *, start: bool = True) -> None:
        message = f"{turn}-user"
        self.add(
            e.MessageCreated(
                message=message,
                role="user",
                author=USER,
                content=[TextBlock(text=text)],
            ),
            turn=turn,
        )
        if start:
            self.start(turn)
        else:
            self.add(e.TurnQueued(message=message), turn=turn)

    def start(self, turn: str) -> None:
        self.add(e.TurnStarted(message=f"{turn}-user", agent="a"), turn=turn)

    def say(
        self, turn: str, message: str, *content: ContentBlock, partial: bool = False
    ) -> None:
        self.add(
            e.MessageCreated(message=message, role="assistant", author=AGENT),
            e.MessageCompleted(message=message, content=list(content), partial=partial),
            turn=turn,
        )

    def request(self, turn: str, message: str, *tool_calls: str) -> None:
        for tool_call in tool_calls:
            self.add(
                e.ToolRequested(
                    message=message,
                    block="b0",
                    tool_call=tool_call,
                    name="f",
                    label="F",
                    input={},
                ),
                turn=turn,
            )


def text(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": one} for one in texts]


def use(tool_call: str) -> ToolUseBlock:
    return ToolUseBlock(id=tool_call, name="f", input={"n": 1})


def results_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        block
        for message in history
        for block in message["content"]
        if block["type"] == "tool_result"
    ]


def test_history_of_simple_exchange() -> None:
    log = Log()
    log.ask("t1", "Hi")
    log.say("t1", "m1", TextBlock(text="Hello"))
    log.ask("t2", "More?")
    assert history_of(log.state, until_turn="t2") == [
        {"role": "user", "content": text("Hi")},
        {"role": "assistant", "content": text("Hello")},
        {"role": "user", "content": text("More?")},
    ]


def test_history_of_tools_has_results_after_the_message_in_call_order() -> None:
    log = Log()
    log.ask("t1", "Do both")
    log.say("t1", "m1", TextBlock(text="On it"), use("c1"), use("c2"))
    log.request("t1", "m1", "c1", "c2")
    log.add(
        e.ToolStarted(tool_call="c1"),
        e.ToolStarted(tool_call="c2"),
        e.ToolCompleted(tool_call="c2", status="error", output="no"),
        e.ToolCompleted(tool_call="c1", status="ok", output="yes"),
        turn="t1",
    )
    log.say("t1", "m2", TextBlock(text="Done"))
    log.ask("t2", "Thanks")
    history = history_of(log.state, until_turn="t2")
    assert history[1] == {
        "role": "assistant",
        "content": [
            *text("On it"),
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"n": 1}},
            {"type": "tool_use", "id": "c2", "name": "f", "input": {"n": 1}},
        ],
    }
    assert history[2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "yes"},
            {
                "type": "tool_result",
                "tool_use_id": "c2",
                "content": "no",
                "is_error": True,
            },
        ],
    }
    assert [message["role"] for message in history] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]


def test_history_of_calls_without_an_end_has_error_results() -> None:
    log = Log()
    log.ask("t1", "Do them")
    log.say("t1", "m1", use("c1"), use("c2"), use("c3"), partial=True)
    log.request("t1", "m1", "c2", "c3")
    log.add(e.ToolStarted(tool_call="c3"), turn="t1")
    log.ask("t2", "And?")
    history = history_of(log.state, until_turn="t2")
    assert [(r["content"], r["is_error"]) for r in results_of(history)] == [
        ("The call was interrupted before it ran.", True),
        ("The call was interrupted before it ran.", True),
        (INTERRUPTED, True),
    ]
    assert history[2]["content"][3:] == text("And?")


def test_history_of_discarded_message_leaves_it_out() -> None:
    log = Log()
    log.ask("t1", "Hi")
    log.add(
        e.MessageCreated(message="m1", role="assistant", author=AGENT),
        e.BlockStarted(message="m1", block="b0", kind="text"),
        e.BlockDelta(message="m1", block="b0", kind="text", delta="Hel"),
        e.BlockCompleted(
            message="m1", block="b0", kind="text", content=TextBlock(text="Hel")
        ),
        e.MessageDiscarded(message="m1", reason="overloaded"),
        turn="t1",
    )
    log.say("t1", "m2", TextBlock(text="Hello"))
    log.ask("t2", "More?")
    history = history_of(log.state, until_turn="t2")
    assert history[1] == {"role": "assistant", "content": text("Hello")}


def test_history_of_partial_message_keeps_its_text() -> None:
    log = Log()
    log.ask("t1", "Hi")
    log.say(
        "t1",
        "m1",
        ThinkingBlock(thinking="unsigned"),
        TextBlock(text="Half an ans"),
        TextBlock(text=" "),
        partial=True,
    )
    log.ask("t2", "Go on")
    history = history_of(log.state, until_turn="t2")
    assert history[1]["content"] == text("Half an ans")


def test_history_of_queued_messages_is_in_the_order_of_turns() -> None:
    log = Log()
    log.ask("t1", "one")
    log.ask("t2", "two", start=False)
    log.ask("t3", "three", start=False)
    log.say("t1", "m1", TextBlock(text="1"))
    log.start("t2")
    history = history_of(log.state, until_turn="t2")
    assert [message["content"][0]["text"] for message in history] == ["one", "1", "two"]


def test_history_of_a_turn_that_went_first_ends_with_its_question() -> None:
    log = Log()
    log.ask("t1", "one")
    log.say("t1", "m1", TextBlock(text="1"))
    log.ask("t2", "two", start=False)
    log.ask("t3", "three")
    log.say("t3", "m3", TextBlock(text="3"))
    log.start("t2")
    texts = [m["content"][0]["text"] for m in history_of(log.state, until_turn="t2")]
    assert texts == ["one", "1", "three", "3", "two"]


def test_history_of_turn_cancelled_in_the_queue_leaves_it_out() -> None:
    log = Log()
    log.ask("t1", "one")
    log.ask("t2", "two", start=False)
    log.add(e.TurnFinished(status="cancelled"), turn="t2")
    log.say("t1", "m1", TextBlock(text="1"))
    log.ask("t3", "three")
    texts = [m["content"][0]["text"] for m in history_of(log.state, until_turn="t3")]
    assert texts == ["one", "1", "three"]


def test_history_of_failed_turn_merges_the_questions() -> None:
    log = Log()
    log.ask("t1", "one")
    log.ask("t2", "two")
    assert history_of(log.state, until_turn="t2") == [
        {"role": "user", "content": text("one", "two")}
    ]


def test_history_of_messages_outside_turns_keeps_them() -> None:
    log = Log()
    log.add(
        e.MessageCreated(
            message="m0", role="user", author=USER, content=[TextBlock(text="alone")]
        )
    )
    assert history_of(log.state) == [{"role": "user", "content": text("alone")}]


def test_history_of_nothing_is_empty() -> None:
    assert history_of(ConversationState()) == []


def test_history_cuts_long_tool_outputs_in_the_middle() -> None:
    log = Log()
    log.ask("t1", "Do it")
    log.say("t1", "m1", use("c1"))
    log.request("t1", "m1", "c1")
    log.add(
        e.ToolCompleted(tool_call="c1", status="ok", output="a" * 900 + "z" * 100),
        turn="t1",
    )
    (result,) = results_of(history_of(log.state, model_tool_output_bytes=100))
    assert result["content"].startswith("a" * 75 + "\n[… 900 characters left out …]")
    assert result["content"].endswith("z" * 25)


def test_history_of_call_without_output_is_not_empty() -> None:
    log = Log()
    log.ask("t1", "Do it")
    log.say("t1", "m1", use("c1"))
    log.request("t1", "m1", "c1")
    log.add(e.ToolCompleted(tool_call="c1", status="ok", output=""), turn="t1")
    (result,) = results_of(history_of(log.state))
    assert result["content"] == INTERRUPTED


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (TextBlock(text="hi"), [{"type": "text", "text": "hi"}]),
        (TextBlock(text=" \n"), []),
        (
            TextBlock(text="hi", citations=[{"type": "page", "n": 1}]),
            [{"type": "text", "text": "hi", "citations": [{"type": "page", "n": 1}]}],
        ),
        (ThinkingBlock(thinking="hm"), []),
        (
            ThinkingBlock(thinking="", signature="s"),
            [{"type": "thinking", "thinking": "", "signature": "s"}],
        ),
        (
            ProviderBlock(data={"type": "redacted_thinking", "data": "x"}),
            [{"type": "redacted_thinking", "data": "x"}],
        ),
        (
            ImageBlock(artifact="a1", media_type="image/png", alt="a cat"),
            [{"type": "text", "text": "[The user attached the image 'a cat' here.]"}],
        ),
        (
            DocumentBlock(artifact="a1", media_type="application/pdf"),
            [{"type": "text", "text": "[The user attached the document here.]"}],
        ),
    ],
)
def test_content_of(block: ContentBlock, expected: list[dict[str, Any]]) -> None:
    assert content_of([block]) == expected


def test_tool_result_is_an_error_unless_ok() -> None:
    fine = tool_result("c1", status="ok", output="x", limit_bytes=10)
    assert fine == {"type": "tool_result", "tool_use_id": "c1", "content": "x"}
    for status in ("error", "denied", "cancelled", "timeout", "unknown"):
        result = tool_result("c1", status=status, output="x", limit_bytes=10)
        assert result["is_error"] is True


@pytest.mark.parametrize(
    ("then", "is_same"),
    [(("a", "m"), True), (("b", "m"), False), (("a", "n"), False)],
    ids=["same", "another agent", "another model"],
)
def test_history_of_another_speaker_is_words_and_calls(
    then: tuple[str, str], is_same: bool
) -> None:
    def start(log: Log, turn: str, speaker: tuple[str, str]) -> None:
        agent, model = speaker
        log.add(
            e.TurnStarted(message=f"{turn}-user", agent=agent, model=model), turn=turn
        )

    log = Log()
    log.ask("t1", "search", start=False)
    start(log, "t1", ("a", "m"))
    cited = [{"type": "web_search_result_location", "url": "https://example.org"}]
    search: dict[str, Any] = {
        "type": "server_tool_use",
        "id": "s1",
        "name": "web_search",
        "input": {},
    }
    found: dict[str, Any] = {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": [],
    }
    log.say(
        "t1",
        "m1",
        ThinkingBlock(thinking="hm", signature="s"),
        ProviderBlock(data=search),
        ProviderBlock(data=found),
        TextBlock(text="found", citations=cited),
        use("c1"),
    )
    log.ask("t2", "and you?", start=False)
    start(log, "t2", then)
    history = history_of(log.state, until_turn="t2")
    kinds = [block["type"] for block in history[1]["content"]]
    marks = ["thinking", "server_tool_use", "web_search_tool_result"]
    assert kinds == [*(marks if is_same else []), "text", "tool_use"]
    said = next(block for block in history[1]["content"] if block["type"] == "text")
    assert ("citations" in said) is is_same
    # Its call has its result all the same, and the question is last.
    assert [block["type"] for block in history[2]["content"]] == ["tool_result", "text"]
    # The whole conversation, for nobody in particular, keeps everything.
    whole = history_of(log.state)
    assert [block["type"] for block in whole[1]["content"]][:3] == marks
