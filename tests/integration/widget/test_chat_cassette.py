"""A notebook with an agent in it, recorded once and played by nbval without a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import nbformat
from nbclient import NotebookClient

from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

KEY = "canary-0123456789"
CELLS = (
    "from streamchat_nb import Chat\n\nchat = Chat(cassette='chat.jsonl')",
    "answer = chat.ask('Who is Ada?')\nprint(answer.text)",
    "print([call.output for call in answer.tool_calls])",
    "print(chat.ask('What is 6*7?').text)",
)


def make_notebook(*cells: str) -> Any:
    code: dict[str, Any] = {"cell_type": "code", "execution_count": None}
    content: dict[str, Any] = {
        "cells": [
            {
                **code,
                "metadata": {},
                "outputs": [],
                "id": f"cell-{number}",
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return cast("Any", nbformat).reads(json.dumps(content), as_version=4)


def environment(server: ServerProcess) -> dict[str, str]:
    return {**os.environ, "STREAMCHAT_NB_CONNECTION": str(server.connection_file)}


def run(server: ServerProcess, folder: Path, *cells: str) -> list[Any]:
    """Run a notebook in a folder; returns the outputs of its cells, and keeps it."""
    folder.mkdir(exist_ok=True)
    notebook = make_notebook(*cells)
    client = NotebookClient(
        notebook,
        timeout=90,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment(server))
    (folder / "agent.ipynb").write_text(json.dumps(notebook))
    return [cell.outputs for cell in notebook.cells]


def validate(server: ServerProcess, folder: Path) -> str:
    """Compare the notebook's outputs with those of another run, as CI does."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    ended = subprocess.run(
        [*command, "--rootdir", str(folder), str(folder / "agent.ipynb")],
        cwd=folder,
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.stdout


def text_of(outputs: list[Any]) -> str:
    (output,) = outputs
    return output.text


def test_notebook_is_recorded_once_and_plays_the_same_without_a_key() -> None:
    with running_fake_endpoint() as url:
        credential = {"ANTHROPIC_AUTH_TOKEN": KEY, "CI": ""}
        address = f"--StreamchatExtension.base_url={url}"
        with ServerProcess([address], environment=credential) as server:
            folder = server.work / "analysis"
            first = run(server, folder, *CELLS)
            recorded = (folder / "chat.jsonl").read_bytes()
            stored = (folder / "agent.ipynb").read_text()
            assert "4 passed" in validate(server, folder)
            assert (folder / "chat.jsonl").read_bytes() == recorded
    assert "Ada Lovelace" in text_of(first[1])
    assert "42" in text_of(first[3])
    assert KEY.encode() not in recorded
    with ServerProcess(environment={"CI": "true"}) as server:
        folder = server.work / "elsewhere"
        folder.mkdir()
        (folder / "chat.jsonl").write_bytes(recorded)
        (folder / "agent.ipynb").write_text(stored)
        assert "4 passed" in validate(server, folder)
        assert run(server, folder, *CELLS) == first
        # What was not recorded is an error that says what is different.
        asked = "answer = chat.ask('Who is Grace?')\nprint(answer.status, answer.error)"
        (_, changed) = run(server, folder, CELLS[0], asked)
        said = text_of(changed)
        assert said.startswith("failed")
        assert "model_cassette_mismatch" in said
        assert "Who is Ada?" in said
        assert "Who is Grace?" in said
        assert (folder / "chat.jsonl").read_bytes() == recorded


REFUSED = {
    "cassette='chat.json'": "ends in .jsonl",
    "cassette='../../chat.jsonl'": "is not within",
    "cassette='chat.jsonl', cassette_mode='play'": "auto, record, replay",
    "cassette='chat.jsonl', url='http://198.51.100.7:1/'": "file of the server",
}
TRY = """
from streamchat_nb import Chat
try:
    Chat({arguments})
except Exception as error:
    print(error)
"""


def test_cassette_that_cannot_be_had_is_an_error_before_anything_is_asked(
    server: ServerProcess,
) -> None:
    cells = [TRY.format(arguments=arguments) for arguments in REFUSED]
    said = run(server, server.work / "refused", *cells)
    for outputs, words in zip(said, REFUSED.values(), strict=True):
        assert words in text_of(outputs)


def test_chat_with_a_server_of_its_own_plays_a_cassette_too(
    server: ServerProcess,
) -> None:
    code = """
from streamchat_nb import Chat
chat = Chat(local=True, cassette="chat.jsonl", cassette_mode="replay")
print(chat.ask("Who is Ada?").error.code)
"""
    (outputs,) = run(server, server.work / "local", code)
    assert text_of(outputs) == "model_cassette_mismatch\n"
