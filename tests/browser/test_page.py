"""The chat as a full page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext, Page, expect

from streamchat_nb.testing.fault_proxy import FaultProxy
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    answered,
    ask_server,
    composer,
    connection,
    conversation_of,
    events_of,
    frames,
    open_page,
    questions_of,
    record_frames,
    say,
    state_of,
    transcript,
)

if TYPE_CHECKING:
    from typing import Any

CHAT = ".streamchat"
# When the first word of the next answer was painted: a message to oneself, sent when
# the word enters the document, arrives after the frame that shows it.
NOTE_FIRST_WORD = """(before) => {
  window.streamchatFirstWord = null;
  const {port1, port2} = new MessageChannel();
  let written = 0;
  port1.onmessage = () => {
    window.streamchatFirstWord = {written, painted: Date.now()};
  };
  const root = document.querySelector(".streamchat");
  const observer = new MutationObserver(() => {
    const answers = root.querySelectorAll(".streamchat-answer .streamchat-markdown");
    if (answers.length > before && answers[answers.length - 1].textContent) {
      observer.disconnect();
      written = Date.now();
      port2.postMessage(0);
    }
  });
  observer.observe(root, {childList: true, subtree: true, characterData: true});
}"""
FINISHED = "Draft a mail to Ada Lovelace"


def wait_for_answer(page: Page) -> None:
    expect(page.get_by_role("button", name=FINISHED)).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )


def test_answer_streams_frame_by_frame_with_tool_status_and_actions(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    record_frames(page.locator(CHAT).first)
    say(page, "Who is Ada?")
    wait_for_answer(page)
    shown = [frame["text"] for frame in frames(page)]
    # The user's own words come first, before anything of the agent.
    own = next(n for n, text in enumerate(shown) if "Who is Ada?" in text)
    thinking = next(n for n, text in enumerate(shown) if "thinking" in text.lower())
    using = next(n for n, text in enumerate(shown) if "Using search_contacts…" in text)
    used = next(n for n, text in enumerate(shown) if "Used search_contacts" in text)
    assert own <= thinking < using < used < len(shown) - 1
    growing = {text.count(" ") for text in shown[used:]}
    assert len(growing) >= 10, "the answer did not come word by word"
    link = page.get_by_role("link", name="Profile of Ada Lovelace")
    assert link.get_attribute("href") == "https://example.org/people/ada-lovelace"
    assert "noopener" in (link.get_attribute("rel") or "")


def test_button_sends_its_message(quiet: Page, page_server: ServerProcess) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "Who is Ada?")
    wait_for_answer(page)
    page.get_by_role("button", name=FINISHED).click()
    expect(page.get_by_text("Draft a mail to Ada Lovelace <ada@")).to_be_visible()


def test_reload_mid_answer_shows_all_of_it(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "/demo long 120")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(400)
    page.reload()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).not_to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    state = state_of(page_server, conversation_of(page))
    text = state["messages"][-1]["blocks"][0]["text"]
    shown = page.locator(CHAT).first.inner_text()
    words = [word.strip(".,*`#") for word in text.split()]
    assert all(word in shown for word in words[:40] + words[-40:])


def test_second_page_shows_the_same_state_at_once(
    quiet: Page, context: BrowserContext, page_server: ServerProcess
) -> None:
    open_page(quiet, page_server)
    say(quiet, "/demo long 150")
    expect(quiet.get_by_role("button", name="Stop")).to_be_visible()
    other = context.new_page()
    open_page(other, page_server, fragment=f"#{conversation_of(quiet)}")
    expect(other.get_by_text("/demo long 150").first).to_be_visible()
    expect(other.get_by_role("button", name="Stop")).to_be_visible()
    other.get_by_role("button", name="Stop").click()
    for page in (quiet, other):
        expect(page.get_by_role("button", name="Stop")).not_to_be_visible()
    assert transcript(quiet) == transcript(other)


def test_stop_keeps_what_was_said(quiet: Page, page_server: ServerProcess) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "/demo long 5000")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).not_to_be_visible()
    state = state_of(page_server, conversation_of(page))
    assert state["turns"][-1]["status"] == "cancelled"
    assert state["messages"][-1]["status"] == "partial"
    say(page, "What is 6*7?")
    expect(page.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def test_too_long_a_message_is_refused_and_given_back(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    text = "x" * 70_000
    composer(page).fill(text)
    composer(page).press("Enter")
    expect(page.get_by_text("70,000 of 65,536 bytes")).to_be_visible()
    assert composer(page).input_value() == text
    composer(page).fill("What is 6*7?")
    composer(page).press("Enter")
    expect(page.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def test_failed_turn_says_what_happened_and_the_chat_goes_on(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "/demo error")
    expect(page.get_by_text("overloaded").first).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    expect(page.get_by_role("button", name="Stop")).not_to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    say(page, "What is 6*7?")
    expect(page.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def test_page_is_ready_and_makes_no_conversation_before_there_is_a_message(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    before = len(ask_server(page_server, "conversations")["conversations"])
    for _ in range(3):
        open_page(page, page_server)
        expect(connection(page)).to_contain_text("Ready")
        expect(page.get_by_text("Offline demo").first).to_be_visible()
    composer(page).fill("A draft")
    page.reload()
    expect(composer(page)).to_have_value("A draft")
    assert len(ask_server(page_server, "conversations")["conversations"]) == before
    composer(page).press("Enter")
    expect(connection(page)).to_contain_text("Live over WebSocket")
    answered(page)
    assert questions_of(state_of(page_server, conversation_of(page))) == ["A draft"]
    assert len(ask_server(page_server, "conversations")["conversations"]) == before + 1


def test_unknown_conversation_says_so(quiet: Page, page_server: ServerProcess) -> None:
    open_page(quiet, page_server, fragment="#c_ffffffffffffffffffffffffffffffff")
    notice = quiet.locator(".streamchat-notice")
    expect(notice).to_contain_text("is not on this server")


def test_blocked_websocket_falls_back_to_the_stream(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    with FaultProxy(page_server.port) as proxy:
        proxy.blocked = {"websocket"}
        open_page(page, page_server, port=proxy.port)
        say(page, "Hello")
        badge = connection(page)
        expect(badge).to_contain_text("HTTP stream", timeout=20_000)
        badge.click()
        expect(page.get_by_text("blocks WebSockets").first).to_be_visible()
        page.keyboard.press("Escape")
        record_frames(page.locator(CHAT).first)
        say(page, "Who is Ada?")
        wait_for_answer(page)
        assert any("Using search_contacts…" in f["text"] for f in frames(page))


def test_blocked_stream_as_well_falls_back_to_requests(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    with FaultProxy(page_server.port) as proxy:
        proxy.blocked = {"websocket", "event-stream"}
        open_page(page, page_server, port=proxy.port)
        say(page, "Hello")
        badge = connection(page)
        expect(badge).to_contain_text("HTTP requests", timeout=30_000)
        badge.click()
        expect(page.get_by_text("this network blocks").first).to_be_visible()
        page.keyboard.press("Escape")
        say(page, "Who is Ada?")
        wait_for_answer(page)


def test_first_token_is_on_the_screen_soon(quiet: Page, capsys: Any) -> None:
    page = quiet
    written: list[int] = []
    painted: list[int] = []
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as server:
        open_page(page, server)
        say(page, "Hello")
        expect(connection(page)).to_contain_text("Live over WebSocket")
        for number in range(20):
            expect(page.get_by_role("button", name="Stop")).not_to_be_visible()
            before = page.locator(".streamchat-answer .streamchat-markdown").count()
            page.evaluate(NOTE_FIRST_WORD, before)
            say(page, f"What is {number}+1000?")
            page.wait_for_function("() => window.streamchatFirstWord !== null")
            first_word = page.evaluate("() => window.streamchatFirstWord")
            deltas = [
                event
                for event in events_of(server, conversation_of(page))
                if event["type"] == "block.delta"
            ]
            first = next(d for d in deltas if d["turn"] == deltas[-1]["turn"])
            written.append(first_word["written"] - first["ts"])
            painted.append(first_word["painted"] - first["ts"])
    with capsys.disabled():
        print(  # noqa: T201 - a figure, not a check
            "\nfirst token after the model's first delta, 20 turns, pacing off: "
            f"in the document {_spread(written)}, painted {_spread(painted)}"
        )
    assert len(painted) == 20


def _spread(delays_ms: list[int]) -> str:
    ordered = sorted(delays_ms)
    middle, most = ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]
    return f"p50 {middle} ms, p90 {most} ms, max {ordered[-1]} ms"
