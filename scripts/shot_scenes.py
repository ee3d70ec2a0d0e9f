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

__all__ = ["PATIENCE_MS", "STATES", "State"]

PATIENCE_MS = 30_000
LAB_PATIENCE_MS = 90_000
LANDSCAPE = (960, 640)
PORTRAIT = (390, 760)
NARROW = (420, 640)
WIDE = (1200, 760)


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
        demo: The offline demo answers, in a server that has JupyterLab.
        cells: Of a notebook, in which the chat is shown then.
        list: The list of conversations stands beside the chat.
    """

    name: str
    title: str
    text: str
    arrange: Callable[[Page], None]
    size: tuple[int, int] = LANDSCAPE
    dark: bool = False
    right_to_left: bool = False
    demo: bool = False
    cells: tuple[str, ...] = ()
    list: bool = False


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


def _versions(page: Page) -> None:
    _answered(page, "How do I sort people by name?")
    page.get_by_role("button", name="Regenerate").click()
    switch = page.locator(".streamchat-versions")
    expect(switch.first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=PATIENCE_MS)


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


def _conversations(page: Page) -> None:
    for question in ("How did sales do by region?", "Find the busiest hours of a log."):
        _answered(page, question)
        page.evaluate("() => { location.hash = ''; }")
        _nothing(page)
    _answered(page, "What is the normal distribution?")
    rows = page.locator(".streamchat-conversations-row")
    if not rows.first.is_visible():
        page.get_by_role("button", name="Conversations").click()
    expect(rows.nth(2)).to_be_visible(timeout=PATIENCE_MS)


def _search(page: Page) -> None:
    _conversations(page)
    page.locator(".streamchat-conversations-search").fill("region")
    found = page.locator(".streamchat-conversations-snippet mark")
    expect(found.first).to_be_visible(timeout=PATIENCE_MS)


def _waterfall(page: Page) -> None:
    _answered(page, "Who is Ada?")
    page.get_by_role("button", name="Timing").click()
    expect(page.locator(".streamchat-timing-row").nth(2)).to_be_visible(
        timeout=PATIENCE_MS
    )


def _cell(page: Page) -> None:
    _run(page, "application:toggle-left-area")
    _run(page, "notebook:run-all-cells")
    chat = page.locator(".jp-OutputArea .streamchat")
    expect(chat.locator(".streamchat-field")).to_be_visible(timeout=LAB_PATIENCE_MS)
    chat.locator(".streamchat-field").fill("Who is Ada?")
    chat.locator(".streamchat-field").press("Enter")
    finished = chat.locator('.streamchat-answer[data-state="completed"]')
    expect(finished).to_have_count(1, timeout=PATIENCE_MS)
    chat.scroll_into_view_if_needed()


def _side_panel(page: Page) -> None:
    _run(page, "application:toggle-left-area")
    _run(page, "notebook:run-all-cells")
    expect(page.locator(".jp-OutputArea-output").first).to_be_visible(
        timeout=LAB_PATIENCE_MS
    )
    _run(page, "streamchat:open")
    chat = page.locator("#streamchat-panel .streamchat")
    expect(chat.locator(".streamchat-field")).to_be_visible(timeout=LAB_PATIENCE_MS)
    chat.locator(".streamchat-field").fill("Show me code")
    chat.locator(".streamchat-field").press("Enter")
    finished = chat.locator('.streamchat-answer[data-state="completed"]')
    expect(finished).to_have_count(1, timeout=PATIENCE_MS)


def _run(page: Page, command: str) -> None:
    """Run a command of JupyterLab without waiting for its end."""
    page.evaluate(
        "(name) => { void window.jupyterapp.commands.execute(name); }", command
    )


STATES = (
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
    State(
        name="branch-switch",
        title="Two answers to one question",
        text="Nothing is deleted: a switch goes from one to the other.",
        arrange=_versions,
    ),
    State(
        name="conversations",
        title="Many conversations",
        text="By day, with what is pinned on top; each has a menu.",
        arrange=_conversations,
        size=WIDE,
        list=True,
    ),
    State(
        name="search",
        title="Search",
        text="In all that was said, with the place where it was found.",
        arrange=_search,
        size=WIDE,
        list=True,
    ),
    State(
        name="waterfall",
        title="Where the time went",
        text="Each step and tool of an answer, and the request that went out.",
        arrange=_waterfall,
        demo=True,
    ),
    State(
        name="jupyterlab-cell",
        title="In a notebook cell",
        text="The chat is the output of a cell, in JupyterLab's colours.",
        arrange=_cell,
        size=WIDE,
        demo=True,
        cells=("from streamchat_nb import Chat\n\nChat()",),
    ),
    State(
        name="side-panel",
        title="Beside the notebook",
        text="JupyterLab's side panel; code becomes a cell by a button.",
        arrange=_side_panel,
        size=WIDE,
        demo=True,
        cells=("orders = [1284, 1102, 967, 1045]\nsum(orders)", "max(orders)"),
    ),
)
