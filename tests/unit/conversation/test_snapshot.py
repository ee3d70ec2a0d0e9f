from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from streamchat_nb.conversation.snapshot import PART_BYTES, encode_parts, join_parts
from streamchat_nb.conversation.state import (
    BlockState,
    ConversationState,
    MessageState,
    ToolCallState,
    TurnState,
)
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import (
    Author,
    ContentBlock,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)

AUTHOR = Author(id="a", name="A", kind="agent")


def block(name: str, content: ContentBlock | None, text: str = "") -> BlockState:
    kind = "thinking" if isinstance(content, ThinkingBlock) else "text"
    return BlockState(block=name, kind=kind, text=text, content=content)


def message(name: str, *blocks: BlockState, **fields: object) -> MessageState:
    made = MessageState(
        message=name, role="assistant", author=AUTHOR, ts=1, blocks=list(blocks)
    )
    return msgspec.structs.replace(made, **fields)


def text_block(name: str, text: str) -> BlockState:
    return block(name, TextBlock(text=text), text)


def parts_of(state: ConversationState) -> list[bytes]:
    """Encode a state, check that its parts give it back, return them."""
    snapshot = encode_parts(state)
    assert snapshot.seq == state.seq
    decoded = [
        msgspec.json.decode(part, type=ConversationState) for part in snapshot.parts
    ]
    assert {(part.seq, part.conversation) for part in decoded} == {(state.seq, "c")}
    assert encode(join_parts(decoded)) == encode(state)
    return snapshot.parts


def state_of(*messages: MessageState, **fields: object) -> ConversationState:
    made = ConversationState(
        conversation="c", seq=9, title="T", settings={"a": 1}, messages=list(messages)
    )
    return msgspec.structs.replace(made, **fields)


def test_small_state_is_one_part() -> None:
    assert parts_of(state_of()) == [encode(state_of())]
    small = state_of(message("m", text_block("b0", "x"), text_block("b1", "y")))
    assert parts_of(small) == [encode(small)]


@pytest.mark.parametrize("character", ["x", "\x01", '"', "é", "\u2028", "🐍"])
def test_text_of_five_million_characters_is_cut(character: str) -> None:
    text = character * 5_000_000
    cited = TextBlock(text=text, citations=[{"n": 1}])
    signed = ThinkingBlock(thinking=text[:200_000], signature="s" * 500)
    long = message(
        "m",
        block("b0", signed, signed.thinking),
        msgspec.structs.replace(block("b1", cited, text), partial=True),
        block("b2", ToolUseBlock(id="t", name="n", input={"x": 1})),
        status="partial",
        usage=Usage(input_tokens=3),
    )
    parts = parts_of(state_of(message("before"), long, message("after")))
    assert len(parts) > 30
    assert max(map(len, parts)) < PART_BYTES + 2_000


def test_text_that_still_streams_is_cut() -> None:
    parts = parts_of(state_of(message("m", block("b0", None, "é" * 1_000_000))))
    assert max(map(len, parts)) < PART_BYTES + 2_000


def test_messages_calls_and_turns_go_over_parts() -> None:
    call = ToolCallState(
        tool_call="c", message="m", block="b", name="n", label="l", input={}
    )
    state = state_of(
        *(message(f"m{n}", text_block("b0", "x" * 40_000)) for n in range(12)),
        tool_calls=[
            msgspec.structs.replace(call, tool_call=f"c{n}", output="o" * 50_000)
            for n in range(12)
        ],
        turns=[
            TurnState(turn=f"t{n}", message="m0", status="completed", label="l" * 900)
            for n in range(300)
        ],
    )
    parts = parts_of(state)
    total = sum(map(len, parts))
    assert max(map(len, parts)) < PART_BYTES + 2_000
    assert len(parts) < 2 * total / PART_BYTES


def test_what_cannot_be_cut_has_a_part_for_itself() -> None:
    large = ProviderBlock(data={"x": "y" * 500_000})
    state = state_of(
        message("m0", text_block("b0", "x" * 50_000)),
        message("m1", text_block("b0", "x"), block("b1", large), text_block("b2", "y")),
    )
    sizes = [len(part) for part in parts_of(state)]
    assert max(sizes) < 500_000 + 2_000
    assert sum(size > PART_BYTES + 2_000 for size in sizes) == 1


def test_recorded_pieces_become_whole() -> None:
    # The parts that the other implementation is tested with.
    path = Path(__file__).parents[2] / "fixtures/snapshots/pieces.json"
    recorded = msgspec.json.decode(path.read_bytes())
    parts = msgspec.convert(recorded["parts"], type=list[ConversationState])
    state = msgspec.convert(recorded["state"], type=ConversationState)
    assert encode(join_parts(parts)) == encode(state)


def test_any_state_comes_back() -> None:
    dice = random.Random(5)  # noqa: S311 - the same on each run
    for _ in range(60):
        messages: list[MessageState] = []
        for number in range(dice.randrange(6)):
            texts = [
                dice.choice("ab\n\x00é🐍") * dice.choice((0, 5, 9_999, 10_001, 60_000))
                for _ in range(dice.randrange(5))
            ]
            blocks = [text_block(f"b{n}", text) for n, text in enumerate(texts)]
            messages.append(message(f"m{number}", *blocks))
        parts = parts_of(state_of(*messages))
        assert max(map(len, parts)) < PART_BYTES + 2_000
