"""Conversations to write down, made by the fold from events, and recorded ones."""

from __future__ import annotations

import base64
import json
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol.content import (
    Action,
    Author,
    DataBlock,
    DocumentBlock,
    ImageBlock,
    ImageDisplay,
    TableDisplay,
    TextBlock,
    TextDisplay,
    ToolUseBlock,
)
from streamchat_nb.protocol.events import (
    ConversationCreated,
    MessageCompleted,
    MessageCreated,
    ToolCompleted,
    ToolRequested,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)

if TYPE_CHECKING:
    from streamchat_nb.protocol.content import ContentBlock, Display
    from streamchat_nb.protocol.events import Event

LOGS = sorted((Path(__file__).parents[2] / "fixtures" / "logs").glob("*.json"))
CORPORA = Path(
    os.environ.get("STREAMCHAT_CORPORA")
    or Path(__file__).parents[4] / "shared" / "corpora"
)
ADA = Author(id="u-ada", name="Ada", kind="user")
AGENT = Author(id="assistant", name="Agent", kind="agent")


def recorded(path: Path) -> ConversationState:
    return msgspec.convert(json.loads(path.read_text())["state"], ConversationState)


def corpus(name: str) -> str:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"no {name} in {CORPORA}; set STREAMCHAT_CORPORA")
    return path.read_text(encoding="utf-8")


def png(width: int = 8, height: int = 8) -> str:
    """A real picture, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return (
            struct.pack(">I", len(data))
            + checked
            + struct.pack(">I", zlib.crc32(checked))
        )

    rows = b"".join(
        b"\0" + b"".join(bytes((30, 90, 20 * y % 255)) for _ in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


class Story:
    """A conversation in the making."""

    def __init__(self, title: str = "A story") -> None:
        self._fold = Fold()
        self._seq = 0
        self._add(ConversationCreated(conversation="c-1", title=title))

    @property
    def state(self) -> ConversationState:
        return self._fold.state

    def ask(self, text: str, *attached: ContentBlock, waits: bool = False) -> None:
        number = sum(one.role == "user" for one in self.state.messages) + 1
        message, turn = f"q{number}", f"t{number}"
        content: list[ContentBlock] = [TextBlock(text=text), *attached]
        self._add(
            MessageCreated(
                message=message, role="user", author=ADA, turn=turn, content=content
            )
        )
        if waits:
            self._add(TurnQueued(turn=turn, message=message))
        else:
            self._add(TurnStarted(turn=turn, message=message, agent="assistant"))

    def answer(
        self,
        *content: ContentBlock | str,
        status: Any = "completed",
        stop_reason: str | None = None,
        partial: bool = False,
        actions: list[Action] | None = None,
    ) -> None:
        """Answer the turn that runs, and end it unless ``status`` is ``None``."""
        turn = next(one.turn for one in self.state.turns if one.status == "running")
        message = f"a-{turn}-{self._seq}"
        blocks = [
            TextBlock(text=one) if isinstance(one, str) else one for one in content
        ]
        self._add(
            MessageCreated(message=message, role="assistant", author=AGENT, turn=turn)
        )
        self._add(
            MessageCompleted(
                message=message,
                content=blocks,
                turn=turn,
                partial=partial,
                actions=actions,
            )
        )
        if status is not None:
            self._add(TurnFinished(turn=turn, status=status, stop_reason=stop_reason))

    def use_tool(
        self,
        name: str,
        given: dict[str, Any],
        output: str,
        *display: Display,
        status: Any = "ok",
    ) -> None:
        """Call a tool in the turn that runs."""
        turn = next(one.turn for one in self.state.turns if one.status == "running")
        call = f"toolu_{self._seq}"
        self.answer(ToolUseBlock(id=call, name=name, input=given), status=None)
        message = self.state.messages[-1].message
        self._add(
            ToolRequested(
                message=message,
                block="b0",
                tool_call=call,
                name=name,
                label=f"Using {name}",
                input=given,
                turn=turn,
            )
        )
        self._add(
            ToolCompleted(
                tool_call=call,
                status=status,
                output=output,
                display=list(display),
                duration_ms=412,
                turn=turn,
            )
        )

    def _add(self, event: Event) -> None:
        self._seq += 1
        self._fold.apply(msgspec.structs.replace(event, seq=self._seq, ts=self._seq))


def said(text: str, *, partial: bool = False) -> ConversationState:
    """A conversation in which an agent says this, and another thing after it."""
    story = Story()
    story.ask("First?")
    story.answer(text, partial=partial, status="cancelled" if partial else "completed")
    story.ask("And then?")
    story.answer("Then **the end**.")
    return story.state


def attached_story() -> Story:
    """A question with data, a picture and a document, and its answer."""
    story = Story()
    story.ask(
        "What is this?",
        DataBlock(name="sales", text="sales: 2 rows\nmonth,sales\nApril,12"),
        ImageBlock(artifact="a1", media_type="image/png", alt="plot.png"),
        DocumentBlock(artifact="a2", media_type="application/pdf", title="report.pdf"),
    )
    story.answer("Sales.")
    return story


def everywhere(text: str) -> ConversationState:
    """A conversation in which a hostile text stands wherever text can stand."""
    story = Story(title=text)
    story.ask(
        text,
        DataBlock(name=text[:60] or "d", text=text),
        ImageBlock(artifact="a1", media_type="image/png", alt=text),
        DocumentBlock(artifact="a2", media_type="application/pdf", title=text),
    )
    story.use_tool(
        text[:60] or "t",
        {text[:200]: text},
        text,
        TableDisplay(
            columns=[text, "b"], rows=[[text, text]], total_rows=9, title=text
        ),
        TextDisplay(text=text, language=text),
        ImageDisplay(media_type="image/png", data=text, alt=text),
        ImageDisplay(media_type="image/png", data=png(), alt=text),
        status="error",
    )
    actions = [
        Action(kind="link", label="Go", href=text),
        Action(kind="link", label=text, href="https://good.example/"),
        Action(kind="button", label=text, send=text),
    ]
    story.answer(text, f"# {text}\n\n| {text} |\n|---|\n| x |", actions=actions)
    return story.state


def story_of_everything() -> ConversationState:
    """A conversation with one of each thing a transcript shows."""
    story = Story(title="Sales in spring")
    story.ask("How did sales go?\n    (the table `sales`)")
    story.use_tool(
        "preview",
        {"name": "sales", "rows": 3},
        "month  sales\nApril  12\nMay    15",
        TableDisplay(
            title="sales",
            columns=["month", "sales"],
            rows=[["April", "12"], ["May", "15"]],
            total_rows=1_000,
        ),
        ImageDisplay(media_type="image/png", data=png(240, 120), alt="Sales by month"),
    )
    story.answer(
        "# Result\n\nSales **rose** by 25 %:\n\n1. April: $12\n2. May: $15\n\n"
        "```python\nsales.plot()\n```\n\nThe mean is $\\frac{12+15}{2}$, see "
        "[the report](https://reports.example/spring).\n",
        actions=[
            Action(kind="link", label="Report", href="https://reports.example/spring"),
            Action(kind="button", label="Plot it", send="Plot the sales."),
        ],
    )
    story.ask("Stop in the middle.")
    story.answer("```python\nwhile True:", partial=True, status="cancelled")
    story.ask("This one waits.", waits=False)
    story.ask("And this one too.", waits=True)
    return story.state
