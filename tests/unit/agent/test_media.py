from __future__ import annotations

import base64
from typing import Any

from streamchat_nb.agent.history import history_of
from streamchat_nb.agent.media import without_media
from streamchat_nb.agent.repair import trim
from streamchat_nb.conversation.artifacts import Artifact
from streamchat_nb.conversation.state import (
    BlockState,
    ConversationState,
    MessageState,
    ToolCallState,
    TurnState,
)
from streamchat_nb.protocol.content import (
    Author,
    ContentBlock,
    DataBlock,
    DocumentBlock,
    ImageBlock,
    ImageDisplay,
    TextBlock,
    ToolUseBlock,
)

ADA = Author(id="ada", name="Ada", kind="user")
PNG = Artifact.of("plot.png", b"\x89PNG\r\n\x1a\nbytes")
PDF = Artifact.of("paper.pdf", b"%PDF-1.7 bytes")
CSV = Artifact.of('a "b".csv', b"a,b\n1,2")


def message(id_: str, role: Any, *blocks: ContentBlock) -> MessageState:
    return MessageState(
        message=id_,
        role=role,
        author=ADA,
        ts=1,
        status="complete",
        turn="t1",
        blocks=[
            BlockState(block=f"b{n}", kind="text", content=block)
            for n, block in enumerate(blocks)
        ],
    )


def state(*messages: MessageState, calls: list[ToolCallState] | None = None) -> Any:
    turn = TurnState(turn="t1", message="m1", status="running", started_ts=1)
    return ConversationState(
        messages=list(messages), turns=[turn], tool_calls=calls or []
    )


ASKED = message(
    "m1",
    "user",
    TextBlock(text="What is in these?"),
    DataBlock(name="df", text="df: 2 rows\n1"),
    ImageBlock(artifact=PNG.id, media_type=PNG.media_type, alt="plot"),
    DocumentBlock(artifact=PDF.id, media_type=PDF.media_type, title="paper.pdf"),
    DocumentBlock(artifact=CSV.id, media_type=CSV.media_type, title=CSV.name),
)


def test_files_and_data_go_to_the_model() -> None:
    files = {artifact.id: artifact for artifact in (PNG, PDF, CSV)}
    (asked,) = history_of(state(ASKED), artifacts=files)
    text, data, image, pdf, csv = asked["content"]
    assert text["text"] == "What is in these?"
    assert data["text"] == '<data name="df">\ndf: 2 rows\n1\n</data>'
    assert base64.b64decode(image["source"]["data"]) == PNG.data
    assert (image["type"], image["source"]["media_type"]) == ("image", "image/png")
    assert (pdf["type"], pdf["title"]) == ("document", "paper.pdf")
    assert base64.b64decode(pdf["source"]["data"]) == PDF.data
    assert csv["text"] == "<file name=\"a 'b'.csv\">\na,b\n1,2\n</file>"


def test_missing_files_are_named() -> None:
    (asked,) = history_of(state(ASKED))
    texts = [block["text"] for block in asked["content"]]
    assert texts[2:] == [
        "[The user attached the image 'plot' here.]",
        "[The user attached the document 'paper.pdf' here.]",
        "[The user attached the document 'a \"b\".csv' here.]",
    ]


def test_pictures_of_tools_follow_their_text_and_words_stand_for_them() -> None:
    call = ToolCallState(
        tool_call="k1",
        message="m2",
        block="b0",
        name="plot",
        label="Using plot…",
        input={},
        status="ok",
        output="A figure",
        display=[ImageDisplay(media_type="image/png", data="QUJD", alt="a line")],
    )
    history = history_of(
        state(
            message("m1", "user", TextBlock(text="Plot it")),
            message("m2", "assistant", ToolUseBlock(id="k1", name="plot", input={})),
            calls=[call],
        )
    )
    (result,) = history[2]["content"]
    text, picture = result["content"]
    assert text == {"type": "text", "text": "A figure"}
    assert picture["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": "QUJD",
    }
    plain = without_media(history)
    assert plain[0] is history[0]
    (worded,) = plain[2]["content"]
    assert "cannot see" in worded["content"][1]["text"]
    assert "QUJD" not in str(plain)
    assert "QUJD" in str(history)


def test_large_pictures_do_not_push_out_the_conversation() -> None:
    huge = Artifact.of("big.png", b"\x89PNG\r\n\x1a\n" + b"x" * 3_000_000)
    block = ImageBlock(artifact=huge.id, media_type=huge.media_type)
    history = history_of(
        state(message("m1", "user", TextBlock(text="See"), block)),
        artifacts={huge.id: huge},
    )
    assert trim(history, budget_bytes=20_000) is history
