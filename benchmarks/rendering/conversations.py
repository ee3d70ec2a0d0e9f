"""What a long conversation costs: to open, and for each token at its end."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from benchmarks.rendering.contenders import SETTLE_S, VIEWPORT, Product
from benchmarks.rendering.texts import TEXTS
from streamchat_nb.client.sync_client import connect_sync
from tests.browser.screen import open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from benchmarks.rendering.trace import MainThread

__all__ = ["first_paints", "growth"]

GROWTH_MESSAGES = 200
GROWTH_GOAL = 1.5
FIRST_PAINT_MESSAGES = 500
FIRST_PAINT_GOAL_MS = 300
PATIENCE_S = 30.0
# Notes when the frame was painted in which the last answers were there, more than there
# is room for: a message to oneself, sent in that frame, arrives after it. And when all
# messages were there: the rest comes later, above what the reader sees.
_NOTE_PAINT = """(messages) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => {
    window.benchmarkPaintedMs = performance.now();
    const scroller = document.querySelector(".streamchat-scroller");
    window.benchmarkIsFull = scroller.scrollHeight > scroller.clientHeight
      && scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 32;
  };
  const observer = new MutationObserver(() => {
    const articles = document.querySelectorAll(".streamchat-transcript > article");
    const last = articles[articles.length - 1]?.querySelector(".streamchat-markdown");
    if (!last?.textContent) return;
    if (window.benchmarkThereMs === undefined) {
      window.benchmarkThereMs = performance.now();
      requestAnimationFrame(() => port2.postMessage(0));
    }
    if (articles.length < messages) return;
    observer.disconnect();
    window.benchmarkWholeMs = performance.now();
  });
  observer.observe(document, {childList: true, subtree: true});
}"""


class _LongConversation(Product):
    """The product, with a page that shows a conversation of many messages."""

    def __init__(self, product: Product, conversation: str, questions: int) -> None:
        self.limit_s = product.limit_s
        self.server = product.server
        self._conversation = conversation
        self._questions = questions

    @override
    def open(self, page: Page) -> None:
        open_page(page, self.server, fragment=f"#{self._conversation}")
        page.locator(".streamchat-user").nth(self._questions - 1).wait_for()


def growth(product: Product, browser: Browser, runs: int) -> dict[str, Any]:
    """Compare what a token costs at the end of a long conversation and in a new one."""
    text = TEXTS[0]
    costs: dict[str, list[float]] = {"empty": [], "long": []}
    for _ in range(runs):
        conversation = _fill(product, GROWTH_MESSAGES)
        contenders = {
            "empty": product,
            "long": _LongConversation(product, conversation, GROWTH_MESSAGES // 2),
        }
        for name, contender in contenders.items():
            main_thread = contender.measure(browser, text).main_thread
            costs[name].append(_per_token_ms(main_thread, len(text.pieces)))
    empty_ms, long_ms = median(costs["empty"]), median(costs["long"])
    return {
        "measured": f"cost of a token after {GROWTH_MESSAGES} messages",
        "empty_ms": round(empty_ms, 3),
        "long_ms": round(long_ms, 3),
        "ratio": round(long_ms / empty_ms, 2),
        "goal_ratio": GROWTH_GOAL,
        "met": long_ms / empty_ms <= GROWTH_GOAL,
    }


def first_paints(product: Product, browser: Browser, runs: int) -> dict[str, Any]:
    """Measure how soon a long conversation is on the screen, from the navigation."""
    conversation = _fill(product, FIRST_PAINT_MESSAGES)
    painted_ms: list[float] = []
    there_ms: list[float] = []
    whole_ms: list[float] = []
    for _ in range(runs + 1):
        context = browser.new_context(viewport=VIEWPORT)
        page = context.new_page()
        page.add_init_script(f"({_NOTE_PAINT})({FIRST_PAINT_MESSAGES})")
        # The token's cookie first, as a reader of old conversations has it.
        page.goto(f"{product.server.address.url}api?token={_token(product)}")
        page.goto(f"{product.server.address.url}streamchat/#{conversation}")
        page.wait_for_function("() => window.benchmarkPaintedMs", timeout=60_000)
        page.wait_for_function("() => window.benchmarkWholeMs", timeout=60_000)
        if not page.evaluate("() => window.benchmarkIsFull"):
            raise AssertionError("The first paint did not show a screenful at the end.")
        there_ms.append(page.evaluate("() => window.benchmarkThereMs"))
        painted_ms.append(page.evaluate("() => window.benchmarkPaintedMs"))
        whole_ms.append(page.evaluate("() => window.benchmarkWholeMs"))
        context.close()
        time.sleep(SETTLE_S)
    # The first one warms the server up.
    figure_ms = median(painted_ms[1:])
    return {
        "measured": f"first paint of {FIRST_PAINT_MESSAGES} messages",
        "in_document_ms": round(median(there_ms[1:]), 1),
        "painted_ms": round(figure_ms, 1),
        "whole_ms": round(median(whole_ms[1:]), 1),
        "goal_ms": FIRST_PAINT_GOAL_MS,
        "met": figure_ms <= FIRST_PAINT_GOAL_MS,
    }


def _token(product: Product) -> str:
    return product.server.address.token


def _per_token_ms(main_thread: MainThread, tokens: int) -> float:
    return main_thread.total_ms / tokens


def _fill(product: Product, messages: int) -> str:
    address = product.server.address
    with connect_sync(address.url, address.token) as client:
        conversation = client.create()
        for number in range(messages // 2):
            conversation.ask(f"How does it grow with {number}?", timeout_s=PATIENCE_S)
        return conversation.id
