"""The states of the chat that the docs show, and how each comes about."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

__all__ = ["PAGE_STATES", "State"]

PATIENCE_MS = 30_000
LANDSCAPE = (960, 640)
PORTRAIT = (390, 760)
NARROW = (420, 640)


@dataclass(frozen=True, kw_only=True)
class State:
    """One picture.

    Attributes:
        name: Of its file, without the ending.
        title: In a few words.
        text: What can be seen, in a sentence.
        arrange: Brings a fresh page into the state.
        size: Of the window, in CSS pixels.
        dark: The dark colours.
        right_to_left: The page reads from right to left.
    """

    name: str
    title: str
    text: str
    arrange: Callable[[Page], None]
    size: tuple[int, int] = LANDSCAPE
    dark: bool = False
    right_to_left: bool = False


def _chart() -> bytes:
    """Four columns, as a PNG."""
    image = Image.new("RGB", (240, 160), "#ffffff")
    draw = ImageDraw.Draw(image)
    for number, height in enumerate((110, 84, 52, 70)):
        left = 24 + 52 * number
        draw.rectangle((left, 144 - height, left + 34, 144), fill="#3b6fd4")
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()


def _field(page: Page) -> Locator:
    return page.locator(".streamchat-field")


def _say(page: Page, text: str) -> None:
    _field(page).fill(text)
    _field(page).press("Enter")


def _shows(page: Page, text: str) -> None:
    expect(page.get_by_text(text).last).to_be_visible(timeout=PATIENCE_MS)


def _answered(page: Page, text: str, count: int = 1) -> None:
    """Say something and wait for all of the answer."""
    _say(page, text)
    finished = page.locator('.streamchat-answer[data-state="completed"]')
    expect(finished).to_have_count(count, timeout=PATIENCE_MS)


def _nothing(page: Page) -> None:
    expect(page.locator(".streamchat-empty")).to_be_visible(timeout=PATIENCE_MS)


def _thinking(page: Page) -> None:
    _say(page, "Why did sales grow?")
    expect(page.locator(".streamchat-thought")).to_be_visible(timeout=PATIENCE_MS)


def _streaming(page: Page) -> None:
    _say(page, "How do I smooth a series?")
    _shows(page, "whatever the window")


def _using_tools(page: Page) -> None:
    _say(page, "Compare orders and returns of the second quarter.")
    _shows(page, "page 3 of 5")


def _approving(page: Page) -> None:
    _say(page, "Send the report to the team.")
    expect(page.locator(".streamchat-approval")).to_be_visible(timeout=PATIENCE_MS)


def _failed(page: Page) -> None:
    _say(page, "Read the four files.")
    expect(page.locator('.streamchat-notice[data-tone="error"]')).to_be_visible(
        timeout=PATIENCE_MS
    )


def _long_code(page: Page) -> None:
    _answered(page, "Find the busiest hours of a log.")
    # Highlighted once its file is there.
    coloured = page.locator(".streamchat-code-keyword").first
    expect(coloured).to_be_attached(timeout=PATIENCE_MS)


def _table(page: Page) -> None:
    _answered(page, "How did sales do by region?")


def _math(page: Page) -> None:
    _answered(page, "What is the normal distribution?")
    expect(page.locator("math").first).to_be_attached(timeout=PATIENCE_MS)


def _right_to_left(page: Page) -> None:
    _answered(page, "كيف كانت المبيعات حسب المنطقة؟")


def _settings(page: Page) -> None:
    _answered(page, "How did sales do by region?")
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("combobox").first).to_be_visible(timeout=PATIENCE_MS)


def _attachments(page: Page) -> None:
    files = [
        ("cities.csv", "text/csv", b"city,people\nRome,2.8\nOslo,0.7\n"),
        ("notes.md", "text/markdown", b"# Notes\n\nAsk the west.\n"),
        ("sales.png", "image/png", _chart()),
    ]
    page.locator("input[type=file]").first.set_input_files(
        [
            {"name": name, "mimeType": kind, "buffer": content}
            for name, kind, content in files
        ]
    )
    ready = page.locator('.streamchat-tray .streamchat-chip[data-state="ready"]')
    expect(ready).to_have_count(3, timeout=PATIENCE_MS)
    _field(page).fill("Which of these cities are larger than the notes say?")


def _queued(page: Page) -> None:
    _using_tools(page)
    _say(page, "Then make a table by month.")
    _say(page, "And send it to the team.")
    expect(page.locator(".streamchat-queued")).to_have_count(2, timeout=PATIENCE_MS)


PAGE_STATES = (
    State(
        name="empty",
        title="Nothing said yet",
        text="A new conversation says what to do.",
        arrange=_nothing,
    ),
    State(
        name="thinking",
        title="Thinking",
        text="Thoughts are folded, with their time, while the model has them.",
        arrange=_thinking,
    ),
    State(
        name="streaming",
        title="An answer that grows",
        text="What is settled stays still; *Stop* is where *Send* was.",
        arrange=_streaming,
    ),
    State(
        name="tool-running",
        title="Tools at work",
        text="What has ended is folded to a line; what runs shows how far it is.",
        arrange=_using_tools,
    ),
    State(
        name="approval",
        title="A person is asked",
        text="What would be done, exactly, and a choice.",
        arrange=_approving,
    ),
    State(
        name="error",
        title="Something failed",
        text="What happened, what was kept, and what to do.",
        arrange=_failed,
    ),
    State(
        name="queue",
        title="More to do while an answer runs",
        text="Each message that waits can be changed, removed or sent now.",
        arrange=_queued,
    ),
    State(
        name="long-code",
        title="Long code",
        text="Highlighted, with a button that copies it.",
        arrange=_long_code,
    ),
    State(
        name="table",
        title="Tables and task lists",
        text="Links and buttons come under the answer.",
        arrange=_table,
    ),
    State(
        name="math",
        title="Formulas",
        text="As MathML, which browsers set and screen readers read.",
        arrange=_math,
    ),
    State(
        name="dark",
        title="In the dark",
        text="The chat follows the system, or JupyterLab's theme.",
        arrange=_table,
        dark=True,
    ),
    State(
        name="narrow",
        title="In a narrow place",
        text="Beside a notebook, or in a small window.",
        arrange=_using_tools,
        size=NARROW,
    ),
    State(
        name="phone",
        title="On a phone",
        text="The same page, as wide as the screen.",
        arrange=_table,
        size=PORTRAIT,
    ),
    State(
        name="right-to-left",
        title="From right to left",
        text="Text, tables and the frame around them turn; code does not.",
        arrange=_right_to_left,
        right_to_left=True,
    ),
    State(
        name="settings",
        title="Settings",
        text="Who answers, how much work it puts in, and a check of the connection.",
        arrange=_settings,
    ),
    State(
        name="attachments",
        title="Files to be sent",
        text="Each file as a chip, with what will be sent of it.",
        arrange=_attachments,
    ),
)
