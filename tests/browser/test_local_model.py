"""A real language model, through the whole stack to a screen."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from streamchat_nb.client.sync_client import SyncClient
from streamchat_nb.errors import UsageError
from streamchat_nb.testing.local_model import (
    MODEL_NAME,
    local_model_file,
    running_local_model,
)
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import (
    conversation_of,
    events_of,
    frames,
    open_page,
    record_frames,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.local_model
MOST_TOKENS = 40
# It is small, and shares its processors with all that runs here.
MODEL_TIMEOUT_MS = 150_000


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    try:
        local_model_file()
    except UsageError as error:
        pytest.skip(error.message)
    with (
        running_local_model() as url,
        ServerProcess(
            [
                f"--StreamchatExtension.base_url={url}",
                f"--StreamchatExtension.model={MODEL_NAME}",
                "--StreamchatExtension.system_prompt=Answer briefly.",
                f"--StreamchatExtension.turn_limits=output_tokens={MOST_TOKENS}",
            ]
        ) as running,
    ):
        yield running


def test_real_model_streams_an_answer_to_the_page(
    quiet: Page, server: ServerProcess
) -> None:
    open_page(quiet, server)
    record_frames(quiet.locator(".streamchat"))
    say(quiet, "Tell me about the sea.")
    answer = quiet.locator(".streamchat-answer .streamchat-markdown").last
    expect(answer).to_contain_text(" ", timeout=MODEL_TIMEOUT_MS)
    conversation = conversation_of(quiet)
    with contextlib.closing(SyncClient(server.address)) as client:
        client.open()
        followed = client.conversation(conversation)
        followed.current()
        (turn,) = [turn.turn for turn in followed.state.turns]
        state = followed.finished(turn, timeout_s=MODEL_TIMEOUT_MS / 1000)
        assert state.status == "completed"
        words = followed.answer(turn).text.split()
        report = client.check()
    assert len(words) > 3
    expect(answer).to_contain_text(words[-1])
    events = events_of(server, conversation)
    (started,) = [event for event in events if event["type"] == "turn.started"]
    assert (started["model"], started.get("offline", False)) == (MODEL_NAME, False)
    (finished,) = [event for event in events if event["type"] == "turn.finished"]
    assert 0 < finished["usage"]["output_tokens"] <= MOST_TOKENS
    assert len({frame["text"] for frame in frames(quiet)}) > 3
    came_out = {check.name: check.status for check in report.checks}
    for name in ("reachable", "model", "streams", "tools", "websocket"):
        assert came_out[name] == "ok", report
