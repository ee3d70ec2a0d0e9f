"""Pages that are reloaded again and again in the middle of answers, in a real browser.

Somebody writes into a page that is reloaded at random moments, often before the server
has answered anything, while another page on the same conversation is left alone. In the
end both show the same elements, the text is that of the log's fold, and what was
written is in the log once and in order.
"""

from __future__ import annotations

import difflib
import json
import random
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from streamchat_nb.conversation.state import Fold
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import launch_arguments
from tests.browser.screen import (
    ask_server,
    composer,
    events_of,
    open_page,
    questions_of,
    say,
    state_of,
    stop_button,
    transcript_elements,
)
from tests.soak.outcome import Fault, Outcome

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["FAULT"]

TALK_RELOADS = 10
PACE_S = 0.03
TOOL_DELAY_S = 0.4
LATEST_RELOAD_MS = 900
MOST_WAITING = 5
MOST_LINES = 12
ROUND_TIMEOUT_MS = 90_000
SECONDS_PER_RELOAD = 30
"""After so many the run is over, whatever it waits for."""

RUNS = "() => document.querySelector('.streamchat-answer[data-state=running]') !== null"
ANSWERS = """() => [...document.querySelectorAll('.streamchat-markdown')].map((one) => {
  const copy = one.cloneNode(true);
  for (const added of copy.querySelectorAll('.streamchat-link-destination')) {
    added.remove();
  }
  const pieces = [];
  const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) pieces.push(walker.currentNode.data);
  return pieces.join('');
})"""
HAS_ROOM = """(most) =>
    document.querySelectorAll('.streamchat-queued').length < most"""
SETTLED = """(count) =>
    document.querySelectorAll('.streamchat-user-bubble').length === count
    && document.querySelectorAll('.streamchat-queued').length === 0
    && document.querySelectorAll('.streamchat-answer').length === count
    && document.querySelector('.streamchat-answer[data-state=running]') === null"""


def run(count: int, seed: int) -> Outcome:
    """Reload a page ``count`` times while an answer comes."""
    # Playwright wants a thread of its own where the tests run it, too.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_run, count, seed).result(60 + SECONDS_PER_RELOAD * count)


def _run(count: int, seed: int) -> Outcome:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - takes a while

    dice = random.Random(seed)  # noqa: S311 - the same on each run
    reloads = _Reloads()
    with (
        ServerProcess(
            [f"--StreamchatExtension.offline_pace_s={PACE_S}"],
            environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": str(TOOL_DELAY_S)},
        ) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(**launch_arguments()) as browser,
    ):
        while reloads.count < count and not reloads.violations:
            most = min(TALK_RELOADS, count - reloads.count)
            _talk(browser, server, dice, reloads, most)
    return Outcome(
        fault=FAULT.name,
        count=reloads.count,
        violations=reloads.violations,
        figures={
            "shown again p50": f"{statistics.median(reloads.back_ms):.0f} ms",
            "worst": f"{max(reloads.back_ms):.0f} ms",
        },
    )


class _Reloads:
    """What happened so far."""

    def __init__(self) -> None:
        self.count = 0
        self.back_ms: list[float] = []
        self.violations: list[str] = []


def _talk(
    browser: Browser,
    server: ServerProcess,
    dice: random.Random,
    reloads: _Reloads,
    most: int,
) -> None:
    """Have one conversation, reload its page up to ``most`` times, and compare."""
    conversation = ask_server(server, "conversations", {})["id"]
    writer, watcher = browser.new_context(), browser.new_context()
    errors: list[str] = []
    try:
        page, other = writer.new_page(), watcher.new_page()
        for one in (page, other):
            one.on("pageerror", lambda error: errors.append(str(error)))
            open_page(one, server, fragment=f"#{conversation}")
        other.evaluate("() => { window.streamchatNeverLeft = true; }")
        asked: list[str] = []
        done = 0
        while done < most:
            asked += _ask(page, dice)
            for _ in range(dice.randrange(1, 4)):
                done += _reload(page, dice, reloads)
        for one in (page, other):
            one.wait_for_function(SETTLED, arg=len(asked), timeout=ROUND_TIMEOUT_MS)
        reloads.violations += _compare(page, other, server, conversation, asked)
        reloads.violations += errors
    finally:
        writer.close()
        watcher.close()


def _ask(page: Page, dice: random.Random) -> list[str]:
    """Write one message or two, as soon as the queue has room for them."""
    page.wait_for_function(HAS_ROOM, arg=MOST_WAITING, timeout=ROUND_TIMEOUT_MS)
    questions = [
        dice.choice(["Who is Ada?", f"/demo long {dice.randrange(20, 60)}"])
        for _ in range(dice.randrange(1, 3))
    ]
    for question in questions:
        say(page, question)
    return questions


def _reload(page: Page, dice: random.Random, reloads: _Reloads) -> int:
    """Reload at a random moment; return 1 if that was in the middle of an answer."""
    page.wait_for_timeout(dice.choice([0, dice.randrange(LATEST_RELOAD_MS)]))
    draft = f"a draft {dice.random()}"
    composer(page).fill(draft)
    was_running = bool(page.evaluate(RUNS))
    started = time.monotonic()
    page.reload()
    if not was_running:
        composer(page).fill("")
        return 0
    shown = page.locator(".streamchat-user-bubble").first
    shown.wait_for(timeout=ROUND_TIMEOUT_MS)
    reloads.back_ms.append((time.monotonic() - started) * 1_000)
    reloads.count += 1
    if composer(page).input_value() != draft:
        reloads.violations.append(f"a draft was lost in reload {reloads.count}")
    composer(page).fill("")
    return 1


def _compare(
    page: Page,
    watcher: Page,
    server: ServerProcess,
    conversation: str,
    asked: list[str],
) -> list[str]:
    """Return what differs between both pages, the log, and what was written."""
    found: list[str] = []
    state = state_of(server, conversation)
    fold = Fold()
    for event in events_of(server, conversation):
        fold.apply(decode_event(json.dumps(event).encode()))
    if json.loads(encode(fold.state)) != state:
        found.append("the fold of the log is not the server's state")
    if not watcher.evaluate("() => window.streamchatNeverLeft === true"):
        found.append("the page that was to be left alone was reloaded")
    if difference := _difference(
        transcript_elements(page), transcript_elements(watcher)
    ):
        found.append(f"the reloaded page differs from the other: {difference}")
    shown = page.evaluate(ANSWERS)
    if [*map(_letters, shown)] != [*map(_letters, _texts(state))]:
        found.append(f"the page shows {shown!r} for {_texts(state)!r}")
    if questions_of(state) != asked:
        found.append(
            f"{asked!r} was written, and {questions_of(state)!r} is in the log"
        )
    if composer(page).input_value() or stop_button(page).is_visible():
        found.append("something is left in the field, or seems to run")
    return [f"{conversation}: {words}" for words in found]


def _difference(one: str, other: str) -> str:
    """The lines in which two pages differ; empty when they do not."""
    changes = difflib.unified_diff(
        one.splitlines(), other.splitlines(), "reloaded", "never left", lineterm="", n=0
    )
    return " ".join(line[:200] for line in list(changes)[:MOST_LINES])


def _texts(state: dict[str, Any]) -> list[str]:
    """What agents wrote, block by block, in the order in which it is read."""
    rank = {turn["turn"]: place for place, turn in enumerate(state["turns"])}
    answers = [m for m in state["messages"] if m["role"] == "assistant"]
    answers.sort(key=lambda message: rank[message["turn"]])
    return [
        block["text"]
        for message in answers
        for block in message["blocks"]
        if block["kind"] == "text" and block.get("text")
    ]


def _letters(text: str) -> str:
    """A text without the marks of Markdown and without spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^- ", "", text, flags=re.MULTILINE)
    return re.sub(r"[\s*`]", "", text)


FAULT = Fault(name="page_reloads", in_ci=20, in_soak=200, run=run, needs_browser=True)
