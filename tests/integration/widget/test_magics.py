"""``%chat`` and ``%%chat`` in a real kernel, and what a notebook keeps of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import nbformat.v4
import pytest

from streamchat_nb.client import connect_sync
from tests.integration.widget.cell_outputs import CellKernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamchat_nb.testing.server_process import ServerProcess

SET_UP = """
import pandas
from streamchat_nb import Chat

%load_ext streamchat_nb
frame = pandas.DataFrame({"city": ["Rome", "Oslo"], "password": ["a", "b"]})
chat = Chat()

@chat.tool
def cities(first: str) -> str:
    '''List cities.

    Args:
        first: First letter.
    '''
    print("looked for", first)
    return ", ".join(c for c in frame.city if c.startswith(first))
"""
WITHOUT_SERVER = """
import os
del os.environ["STREAMCHAT_NB_CONNECTION"]
os.environ["JUPYTER_RUNTIME_DIR"] = "/nowhere"
"""


@pytest.fixture(scope="module")
def kernel(server: ServerProcess) -> Iterator[CellKernel]:
    kernel = CellKernel(str(server.connection_file))
    try:
        assert kernel.run(SET_UP).reply["status"] == "ok"
        yield kernel
    finally:
        kernel.stop()


def test_answer_streams_into_the_cell_and_stays_as_one_output(
    kernel: CellKernel,
) -> None:
    cell = kernel.run("%%chat --into answer\nWho is Ada?")
    assert any("search_contacts" in html for html in cell.updates)
    nothing, answer = cell.shown
    assert nothing == {"text/plain": ""}  # what was shown meanwhile is gone
    assert list(answer) == ["text/plain", "text/markdown", "text/html"]
    for content in answer.values():
        assert "first published program" in content
        assert "https://example.org/people/ada-lovelace" in content
        assert "Draft a mail to Ada Lovelace" in content
    assert "<script" not in answer["text/html"]
    printed = kernel.run("print(answer.status, chat.messages[-1].text == answer.text)")
    assert printed.printed == "completed True\n"


def test_first_words_are_there_before_the_last(kernel: CellKernel) -> None:
    cell = kernel.run("%chat /demo slow 0.05")
    sizes = [len(html) for html in cell.updates if "<p>" in html]
    assert len(sizes) >= 5
    assert sizes[-1] > 2 * sizes[1]
    times = [at for at, m in cell.messages if m["msg_type"] == "update_display_data"]
    assert times[-1] - times[1] > 1


def test_what_is_sent_of_a_long_answer_is_in_proportion_to_it(
    kernel: CellKernel,
) -> None:
    cell = kernel.run("%chat /demo long 1000")
    assert len(cell.updates) > 5
    assert cell.sent_bytes < 40 * len(cell.shown[-1]["text/html"])


def test_functions_of_the_notebook_run_while_the_cell_waits(kernel: CellKernel) -> None:
    cell = kernel.run('%chat call cities {"first": "R"}')
    assert cell.printed == "looked for R\n"
    assert "Rome" in cell.shown[-1]["text/plain"]
    assert "Oslo" not in cell.shown[-1]["text/plain"]


def test_variables_are_shared_by_name_and_the_cell_says_so(kernel: CellKernel) -> None:
    cell = kernel.run("%%chat -i answer\nDescribe @frame, not `@cities` nor {frame}.")
    note = cell.shown[0]["text/plain"]
    assert note.startswith("(Shared @frame: columns city,")
    assert note.endswith("without password.)")
    assert "Oslo" in kernel.run("print(answer.text)").printed
    asked = kernel.run("print(chat.messages[-2].text)").printed
    assert asked.startswith("Describe @frame, not `@cities` nor {frame}.")
    # A question mark at the end asks the agent, not IPython.
    cell = kernel.run("if True:\n    %chat What's in @frame?")
    assert "Shared @frame" in cell.shown[0]["text/plain"]
    assert "payload" not in cell.reply or cell.reply["payload"] == []


def test_python_of_the_answer_becomes_the_next_cell(kernel: CellKernel) -> None:
    (payload,) = kernel.run("%chat --code show code").reply["payload"]
    assert payload["source"] == "set_next_input"
    assert "def bernoulli" in payload["text"]
    assert "```" not in payload["text"]
    assert "no Python" in kernel.run("%chat --code hello").printed


def test_interrupt_keeps_what_was_said_and_the_next_one_works(
    kernel: CellKernel,
) -> None:
    stopped: list[None] = []

    def stop(message: dict[str, Any]) -> None:
        html = message["content"].get("data", {}).get("text/html", "")
        if not stopped and "<p>" in html and "thinking" not in html:
            stopped.append(None)
            kernel.manager.interrupt_kernel()

    cell = kernel.run("%chat --into answer /demo slow 1", stop)
    assert stopped
    assert cell.reply["status"] == "error"
    *_, shown, error = cell.outputs
    assert error["traceback"] == ["Interrupted: the answer was stopped."]
    assert shown["data"]["text/plain"].endswith("(This answer was stopped.)")
    assert len(shown["data"]["text/plain"]) > len("(This answer was stopped.)") + 2
    assert kernel.run("print(answer.status)").printed == "cancelled\n"
    assert "Hello!" in kernel.run("%chat hello").shown[-1]["text/plain"]


def test_waiting_for_approval_is_shown_with_a_chat_to_answer_in(
    server: ServerProcess, kernel: CellKernel
) -> None:
    conversation = kernel.run("print(chat.conversation)").printed.strip()
    asked = threading.Event()

    def allow() -> None:
        assert asked.wait(30)
        address = server.address
        with connect_sync(address.url, address.token) as client:
            seat = client.conversation(conversation)
            seat.current()
            (approval,) = [
                call.approval.approval
                for call in seat.state.tool_calls
                if call.approval and call.approval.decision is None
            ]
            seat.approve(approval, "approved")

    def watch(message: dict[str, Any]) -> None:
        if "this cell waits" in str(message["content"].get("data", {})):
            asked.set()

    allowing = threading.Thread(target=allow)
    allowing.start()
    cell = kernel.run('%chat call run_python {"code": "mark = 41 + 1"}', watch)
    allowing.join(30)
    assert any("mark = 41 + 1" in html for html in cell.updates)
    assert any(
        "Allow or refuse run_python in the chat below" in h for h in cell.updates
    )
    assert any("application/vnd.jupyter.widget-view+json" in d for d in cell.shown)
    assert "Used run_python" in cell.shown[-1]["text/plain"]
    assert kernel.run("print(mark)").printed == "42\n"


def test_failed_answer_is_shown_with_what_came_of_it(kernel: CellKernel) -> None:
    cell = kernel.run("%chat -i answer /demo error")
    assert cell.reply["status"] == "ok"
    assert cell.shown[-1]["text/plain"].startswith("This answer ends in an error:")
    assert "could not be finished" in cell.shown[-1]["text/plain"]
    assert kernel.run("print(answer.error.code)").printed == "model_overloaded\n"


def test_model_is_chosen_for_the_conversation_or_refused(kernel: CellKernel) -> None:
    cell = kernel.run("%chat -m no-such-model hello")
    assert cell.reply["status"] == "error"
    (error,) = cell.outputs
    assert len(error["traceback"]) == 1
    assert "no-such-model" in error["evalue"]
    assert "Hello!" in kernel.run("%chat hello").shown[-1]["text/plain"]


def test_conversations_are_shown_and_changed(kernel: CellKernel) -> None:
    first = kernel.run("print(chat.conversation)").printed.strip()
    kernel.run("other = Chat()")
    kernel.run("%chat hello")
    assert kernel.run("print(len(other.messages))").printed == "2\n"
    before = kernel.run("print(len(chat.messages))").printed
    kernel.run(f"%chat -c {first} hello")
    kernel.run("%chat hello")  # it stays there
    after = kernel.run("print(len(chat.messages))").printed
    assert int(after) == int(before) + 4
    (widget, *_) = kernel.run("%chat").shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert kernel.run("%chat -c c_none_such hello").reply["status"] == "error"
    assert "Hello!" in kernel.run("%chat hello").shown[-1]["text/plain"]


def test_wrong_options_are_one_line_and_the_usage(kernel: CellKernel) -> None:
    for line, words in (
        ("%chat --bogus", "There is no option --bogus"),
        ("%chat -i 1x hello", "cannot be the name of a variable"),
        ("%%chat\n ", "There is no question in this cell"),
    ):
        cell = kernel.run(line)
        assert cell.reply["status"] == "error"
        assert words in cell.printed
        assert "Usage: %chat" in cell.printed
        assert len(cell.printed.splitlines()) == 2


def test_notebook_has_the_same_outputs_in_each_run(
    server: ServerProcess, kernel: CellKernel, tmp_path: Path
) -> None:
    sources = [
        "%load_ext streamchat_nb\nfrom streamchat_nb import Chat\nchat = Chat()",
        "%%chat --into answer\nWho is Ada?",
        "frame = {'a': 1}\nprint('before')\n%chat What is in @frame?",
        "%chat /demo long 300",
    ]
    kernel.run("%unload_ext streamchat_nb")
    v4: Any = nbformat.v4
    cells = [
        v4.new_code_cell(source, execution_count=count, outputs=kernel.run(source).kept)
        for count, source in enumerate(sources, start=1)
    ]
    assert [len(cell.outputs) for cell in cells] == [0, 2, 3, 2]
    path = tmp_path / "chat.ipynb"
    path.write_text(v4.writes(v4.new_notebook(cells=cells)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-p", "no:playwright", str(path)],
        cwd=tmp_path,
        env={**os.environ, "STREAMCHAT_NB_CONNECTION": str(server.connection_file)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "4 passed" in done.stdout


def test_missing_server_is_one_line_that_says_what_to_do(kernel: CellKernel) -> None:
    kernel.run(WITHOUT_SERVER)
    cell = kernel.run("%chat -c c_elsewhere hello")
    (error,) = cell.outputs
    assert error["ename"] == "ChatProblem"
    (line,) = error["traceback"]
    assert "No Jupyter server with streamchat_nb was found. Start one" in line
    assert "Chat(local=True)" in line
    kernel.run("%unload_ext streamchat_nb")
    assert "not found" in kernel.run("%chat hello").printed
