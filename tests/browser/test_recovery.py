"""What a reader sees when something goes wrong: nothing is lost or comes twice."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from streamchat_nb.testing.fault_proxy import (
    FaultProxy,
    LineFault,
    ProxiedRequest,
    RequestFaults,
)
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    answered,
    ask_server,
    composer,
    connection,
    conversation_of,
    open_page,
    questions_of,
    say,
    shoot,
    state_of,
    stop_button,
    transcript,
    transcript_elements,
)

LIVE = "Live over WebSocket"
SLEEP_S = 13.0
WORDS_ARE_SHOWN = """(count) => {
  const answers = [...document.querySelectorAll(".streamchat-answer")];
  return (answers.at(-1)?.textContent ?? "").split(/\\s+/).length >= count;
}"""


def watcher_of(page: Page, browser: Browser, server: ServerProcess) -> Page:
    """A page on the same conversation that nothing happens to."""
    watcher = browser.new_context().new_page()
    open_page(watcher, server, fragment=f"#{conversation_of(page)}")
    expect(connection(watcher)).to_contain_text(LIVE)
    return watcher


def without_api(request: ProxiedRequest) -> RequestFaults:
    """The page is served, but its API cannot be reached."""
    if "/streamchat/api/" in request.line:
        return RequestFaults(to_server=LineFault(cut_after_bytes=0, ending="rst"))
    return RequestFaults()


def test_killed_server_comes_back_and_the_answer_goes_on(quiet: Page) -> None:
    page = quiet
    page.set_viewport_size({"width": 960, "height": 720})
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0.05"]) as server:
        open_page(page, server)
        say(page, "/demo long 120")
        page.wait_for_function(WORDS_ARE_SHOWN, arg=50)
        say(page, "What is 6*7?")  # waits, and is not answered
        queue = page.get_by_role("region", name="Waiting messages")
        expect(queue.get_by_role("listitem")).to_have_count(1)
        expect(page.get_by_text("Sending…")).to_have_count(0)
        seen = transcript(page)
        server.kill()
        expect(page.get_by_text("Reconnecting").first).to_be_visible()
        server.start()
        go_on = page.get_by_role("button", name="Continue")
        expect(go_on).to_be_visible(timeout=20_000)
        log = page.get_by_role("log")
        expect(log.get_by_text("The server stopped in the middle")).to_be_visible()
        expect(log.get_by_text("The server stopped before it answered")).to_be_visible()
        assert " ".join(seen.split()[:40]) in " ".join(transcript(page).split())
        state = state_of(server, conversation_of(page))
        assert [turn["status"] for turn in state["turns"]] == ["interrupted"] * 2
        shoot(page, "interrupted")
        go_on.click()
        expect(go_on).not_to_be_visible()
        expect(stop_button(page)).to_be_visible()
        answered(page)
        state = state_of(server, conversation_of(page))
        assert [turn["status"] for turn in state["turns"]][2:] == ["completed"]
        text = state["messages"][-1]["blocks"][0]["text"]
        assert " ".join(text.split()[-20:]) in " ".join(transcript(page).split())
        watched = transcript_elements(page)
        page.reload()
        expect(connection(page)).to_contain_text(LIVE)
        assert transcript_elements(page) == watched


def test_network_that_goes_and_comes_back_mid_answer_changes_nothing(
    quiet: Page, context: BrowserContext, browser: Browser, page_server: ServerProcess
) -> None:
    page = quiet
    with FaultProxy(page_server.port) as proxy:
        open_page(page, page_server, port=proxy.port)
        say(page, "/demo long 150")
        expect(stop_button(page)).to_be_visible()
        watcher = watcher_of(page, browser, page_server)
        for _ in range(2):
            context.set_offline(True)
            proxy.cut("rst")
            expect(connection(page)).to_contain_text("Reconnecting")
            page.wait_for_timeout(400)
            context.set_offline(False)
            expect(connection(page)).to_contain_text(LIVE)
        for one in (page, watcher):
            answered(one)
        assert transcript_elements(page) == transcript_elements(watcher)
        watcher.context.close()


def test_page_that_is_reloaded_mid_answer_shows_what_others_see(
    quiet: Page, browser: Browser, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "Who is Ada?")
    expect(stop_button(page)).to_be_visible()
    watcher = watcher_of(page, browser, page_server)
    say(page, "/demo long 120")
    for _ in range(4):
        page.wait_for_timeout(300)
        page.reload()
    for one in (page, watcher):
        answered(one)
        expect(one.get_by_text("/demo long 120").first).to_be_visible()
    assert transcript_elements(page) == transcript_elements(watcher)
    watcher.context.close()


def test_text_typed_offline_is_sent_once_after_reload_and_from_two_tabs(
    quiet: Page, context: BrowserContext, page_server: ServerProcess
) -> None:
    page = quiet
    with FaultProxy(page_server.port) as proxy:
        open_page(page, page_server, port=proxy.port)
        say(page, "What is 1+1?")
        expect(connection(page)).to_contain_text(LIVE)
        answered(page)
        conversation = conversation_of(page)
        proxy.faults = without_api
        proxy.cut("rst")
        expect(connection(page)).to_contain_text("Reconnecting")
        say(page, "What is 2+2?")
        say(page, "What is 3+3?")
        composer(page).fill("A draft")
        page.reload()
        other = context.new_page()
        open_page(other, page_server, port=proxy.port, fragment=f"#{conversation}")
        for tab in (page, other):  # the text is there, though nobody can be reached
            expect(tab.get_by_text("What is 2+2?")).to_be_visible()
            expect(tab.get_by_text("Sending…")).to_have_count(2)
        assert composer(page).input_value() == "A draft"
        assert composer(other).input_value() == ""
        proxy.faults = None
        for tab in (page, other):
            expect(connection(tab)).to_contain_text(LIVE, timeout=20_000)
            expect(tab.get_by_text("6", exact=False).last).to_be_visible()
        expected = ["What is 1+1?", "What is 2+2?", "What is 3+3?"]
        for tab in (page, other):
            expect(tab.locator(".streamchat-user-bubble")).to_have_text(expected)
            answered(tab)
        assert questions_of(state_of(page_server, conversation)) == expected
        assert transcript_elements(page) == transcript_elements(other)
        page.reload()
        expect(connection(page)).to_contain_text(LIVE)
        page.wait_for_timeout(500)
        assert questions_of(state_of(page_server, conversation)) == expected
        kept = page.evaluate("() => Object.keys(localStorage)")
        assert [key for key in kept if "message" in key] == []


def test_first_message_typed_offline_begins_one_conversation(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    before = len(ask_server(page_server, "conversations")["conversations"])
    with FaultProxy(page_server.port) as proxy:
        open_page(page, page_server, port=proxy.port)
        expect(connection(page)).to_contain_text("Ready")
        proxy.faults = without_api
        proxy.cut("rst")
        say(page, "What is 4+4?")
        expect(connection(page)).to_contain_text("Reconnecting")
        page.reload()
        expect(page.get_by_text("What is 4+4?")).to_be_visible()
        proxy.faults = None
        expect(connection(page)).to_contain_text(LIVE, timeout=20_000)
        answered(page)
        state = state_of(page_server, conversation_of(page))
        assert questions_of(state) == ["What is 4+4?"]
    conversations = ask_server(page_server, "conversations")["conversations"]
    assert len(conversations) == before + 1


def test_reload_right_after_sending_sends_once(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    say(page, "What is 1+1?")
    expect(connection(page)).to_contain_text(LIVE)
    expected = ["What is 1+1?"]
    for number in range(2, 8):
        say(page, f"What is {number}+1?")
        page.reload()
        expected.append(f"What is {number}+1?")
    expect(connection(page)).to_contain_text(LIVE)
    expect(page.locator(".streamchat-user-bubble")).to_have_text(
        expected, timeout=ANSWER_TIMEOUT_MS
    )
    answered(page)
    assert questions_of(state_of(page_server, conversation_of(page))) == expected


def test_seat_is_the_same_after_a_reload(
    quiet: Page, context: BrowserContext, page_server: ServerProcess
) -> None:
    page = quiet
    seats: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda data: seats.extend(_seat(data))),
    )
    open_page(page, page_server)
    say(page, "What is 1+1?")
    expect(connection(page)).to_contain_text(LIVE)
    for _ in range(2):
        page.reload()
        expect(connection(page)).to_contain_text(LIVE)
    assert len(seats) == 3
    assert len(set(seats)) == 1
    other = context.new_page()
    open_page(other, page_server, fragment=f"#{conversation_of(page)}")
    badge = page.get_by_role("button", name="2 here")
    expect(badge).to_be_visible()
    badge.click()
    expect(page.locator(".streamchat-seats li")).to_have_count(2)
    expect(page.locator(".streamchat-seats")).to_contain_text("this one")
    shoot(page, "seats")
    other.close()
    expect(badge).not_to_be_visible()


def test_late_joiner_sees_the_tool_and_its_progress_at_once(
    quiet: Page, browser: Browser
) -> None:
    page = quiet
    with ServerProcess(
        ["--StreamchatExtension.offline_pace_s=0.02"],
        environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "8"},
    ) as server:
        open_page(page, server)
        say(page, "Who is Ada?")
        card = page.locator(".streamchat-tool", has_text="Using search_contacts…")
        expect(card.locator(".streamchat-tool-bar")).to_be_visible()
        watcher = watcher_of(page, browser, server)
        late = watcher.locator(".streamchat-tool", has_text="Using search_contacts…")
        expect(late.locator(".streamchat-tool-bar")).to_be_visible(timeout=1_000)
        for one in (page, watcher):
            answered(one)
        assert transcript_elements(page) == transcript_elements(watcher)
        watcher.context.close()


def test_computer_that_slept_notices_a_dead_socket_within_seconds(
    quiet: Page, browser: Browser, page_server: ServerProcess
) -> None:
    page = quiet
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with FaultProxy(page_server.port) as proxy:
        open_page(page, page_server, port=proxy.port)
        say(page, "/demo long 500")
        expect(connection(page)).to_contain_text(LIVE)
        watcher = watcher_of(page, browser, page_server)
        proxy.cut("silence")
        page.wait_for_timeout(500)
        expect(stop_button(page)).to_be_visible()
        renderers = _stop_renderers(browser)
        try:
            time.sleep(SLEEP_S)
        finally:
            for renderer in renderers:
                os.kill(renderer, signal.SIGCONT)
        woken = time.monotonic()
        answered(page, timeout=15_000)
        took_s = time.monotonic() - woken
        answered(watcher)
        assert len(sockets) == 2
        # By its silence alone it would be known after 30 s, and not acted on before.
        assert took_s < 12, f"it took {took_s:.1f} s to notice"
        print(f"whole again {took_s:.1f} s after waking")  # noqa: T201 - a figure
        assert transcript_elements(page) == transcript_elements(watcher)
        watcher.context.close()


def _stop_renderers(browser: Browser) -> list[int]:
    """Stop all pages as sleep does: no timer goes off, and the clock goes on."""
    session: Any = browser.new_browser_cdp_session()
    answer = session.send("SystemInfo.getProcessInfo")
    session.detach()
    renderers = [
        int(process["id"])
        for process in answer["processInfo"]
        if process["type"] == "renderer"
    ]
    for renderer in renderers:
        os.kill(renderer, signal.SIGSTOP)
    return renderers


def _seat(frame: str | bytes) -> list[str]:
    return re.findall(r'"client":\{"id":"([^"]+)"', str(frame))
