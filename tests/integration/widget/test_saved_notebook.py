"""What a chat leaves in a notebook that other programs run and convert."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any, cast

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from streamchat_nb.client.client import connect
from streamchat_nb.widget.saved_transcript import LIMIT_BYTES

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

CHAT = "from streamchat_nb import Chat\nchat = Chat()\nchat"
WIDGET = "application/vnd.jupyter.widget-view+json"
QUESTION = "What is 6*7?"
TEXTS = ("text/plain", "text/markdown", "text/html")


def environment(server: ServerProcess) -> dict[str, str]:
    return {**os.environ, "STREAMCHAT_NB_CONNECTION": str(server.connection_file)}


def notebook_of(content: dict[str, Any]) -> Any:
    return cast("Any", nbformat).reads(json.dumps(content), as_version=4)


def run(server: ServerProcess, *cells: str) -> Any:
    """Run a notebook as a program does, and return it with its outputs."""
    code: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
    }
    notebook = notebook_of(
        {
            "cells": [
                {**code, "id": f"cell-{number}", "source": source}
                for number, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    NotebookClient(notebook, timeout=90).execute(env=environment(server))
    nbformat.validate(notebook)
    return notebook


def transcript_of(cell: Any) -> dict[str, str]:
    """The saved transcript among a cell's outputs: the one after the live chat."""
    live, saved = cell.outputs
    assert live.data[WIDGET]["model_id"]
    assert set(saved.data) == set(TEXTS)
    return saved.data


def test_notebook_run_by_a_program_has_the_transcript_of_all_its_turns(
    server: ServerProcess,
) -> None:
    notebook = run(
        server,
        CHAT,
        "print(chat.ask('Who is Ada?').status)",
        f"print(chat.ask({QUESTION!r}).status)",
        "chat",
    )
    for number in (0, 3):  # both cells that show it
        for text in transcript_of(notebook.cells[number]).values():
            for words in ("Who is Ada?", "Found 1 contact", "Ada Lovelace", "42"):
                assert words in text
    html = transcript_of(notebook.cells[0])["text/html"]
    assert "<script" not in html
    for number in (1, 2):  # nothing of it where else something was said
        (output,) = notebook.cells[number].outputs
        assert output.text == "completed\n"


def test_notebook_converts_to_pages_and_documents_that_read_well(
    server: ServerProcess,
) -> None:
    notebook = run(server, CHAT, f"answer = chat.ask({QUESTION!r})")
    for stored in (notebook, without_widget_state(notebook)):
        page, _ = HTMLExporter().from_notebook_node(stored)
        assert f"<p>{QUESTION}</p>" in page
        assert "<strong>42</strong>" in page
        markdown, _ = MarkdownExporter().from_notebook_node(stored)
        assert f"<p>{QUESTION}</p>" in markdown
        assert "<script" not in markdown


def without_widget_state(notebook: Any) -> Any:
    """As JupyterLab saves a notebook."""
    stored = notebook_of(notebook)
    del stored.metadata["widgets"]
    return stored


def test_chat_that_joins_late_has_the_transcript_at_once(server: ServerProcess) -> None:
    first = run(server, CHAT, f"chat.ask({QUESTION!r})\nprint(chat.conversation)")
    conversation = first.cells[1].outputs[0].text.strip()
    code = f"from streamchat_nb import Chat\nChat({conversation!r})"
    (cell,) = run(server, code).cells
    assert "42" in transcript_of(cell)["text/plain"]


def test_chat_that_is_not_shown_leaves_nothing(server: ServerProcess) -> None:
    notebook = run(
        server,
        CHAT.removesuffix("\nchat"),
        f"answer = chat.ask({QUESTION!r})",
        "assert '42' in answer.text",
    )
    assert [cell.outputs for cell in notebook.cells] == [[], [], []]


def test_secrets_are_left_out_and_sizes_are_bounded(server: ServerProcess) -> None:
    canary = "sk-ant-" + "canary0" * 5
    token = server.address.token
    notebook = run(
        server,
        CHAT,
        f"for number in range(8): chat.ask(f'{{number}} ' + 'many words ' * 5_000)\n"
        f"chat.ask('My key is {canary}, and this is {token}.')",
    )
    saved = transcript_of(notebook.cells[0])
    for text in saved.values():
        assert LIMIT_BYTES / 2 < len(text.encode()) <= LIMIT_BYTES
        assert text.count("secret left out") == 2
    outputs = json.dumps([cell.outputs for cell in notebook.cells])
    assert canary not in outputs
    assert token not in outputs
    assert token not in json.dumps(notebook.metadata)


def test_answers_to_others_reach_the_chat_and_not_the_cell_that_runs(
    server: ServerProcess,
) -> None:
    manager: Any
    client: Any
    manager, client = start_new_kernel(
        kernel_name="python3", env=environment(server), startup_timeout=60
    )
    try:
        shown: list[dict[str, Any]] = []
        reply = client.execute_interactive(
            f"{CHAT}; display(chat); print(chat.conversation)",
            timeout=60,
            output_hook=shown.append,
        )
        assert reply["content"]["status"] == "ok"
        ids = {id_ for id_ in map(display_id_of, shown) if id_}
        (printed,) = (one for one in shown if one["msg_type"] == "stream")
        conversation = printed["content"]["text"].strip()
        running = client.execute("import time; time.sleep(4)")
        asyncio.run(ask_many(server, conversation, 12))
        sent = messages_of(client, running)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    # Nothing but changes of the output that is there already, and few of them.
    assert {message["msg_type"] for message in sent} == {"update_display_data"}
    assert {display_id_of(message) for message in sent} == ids
    assert len(sent) <= 6
    last = sent[-1]["content"]["data"]["text/plain"]
    assert all(f"What is 6*{number}?" in last for number in range(12))
    assert f"{6 * 11}" in last


def display_id_of(message: dict[str, Any]) -> str:
    return message["content"].get("transient", {}).get("display_id", "")


async def ask_many(server: ServerProcess, conversation: str, count: int) -> None:
    async with connect(server.address.url, server.address.token) as client:
        seat = client.conversation(conversation)
        await seat.current()
        for number in range(count):
            async with asyncio.timeout(30):
                await seat.finished(await seat.send(f"What is 6*{number}?"))


def messages_of(client: Any, execution: str) -> list[dict[str, Any]]:
    """All outputs until a cell ends."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") != execution:
            continue
        content = message["content"]
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return messages
        if message["msg_type"] not in ("status", "execute_input", "comm_msg"):
            messages.append(message)
    raise AssertionError("the cell did not end")
