"""``Chat(local=True)``: a kernel without any server runs one of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.widget.relayed_browser import Kernel, RelayedBrowser

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = (
    "from streamchat_nb import Chat\nchat = Chat(local=True)\nprint(chat.conversation)"
)
PROCESS = (
    "from streamchat_nb.widget.local_server import local_server\n"
    "print(local_server()._process.pid)"
)
TOKEN = "print(chat._find_server().token)"
# Kernels start, and servers in them: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def kernel(environment: dict[str, str]) -> Iterator[Kernel]:
    kernel = Kernel(environment)
    try:
        yield kernel
    finally:
        kernel.stop()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


def gone(process: int, *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(process)


def test_without_a_server_the_error_says_what_to_do(kernel: Kernel) -> None:
    code = (
        "from streamchat_nb import Chat, StreamchatError\n"
        "try:\n    Chat().ask('Who is Ada?')\n"
        "except StreamchatError as error:\n    print(error)"
    )
    assert "Chat(local=True)" in kernel.run(code)


def test_kernel_without_a_server_answers_by_itself(
    kernel: Kernel, tmp_path: Path
) -> None:
    conversation = kernel.run(CHAT)
    answer = kernel.run("print(chat.ask('Who is Ada?').text)")
    assert "Ada" in answer
    # The browser has the same by way of the kernel, and nothing that is secret.
    browser = RelayedBrowser(kernel)
    browser.connect(conversation)
    browser.say(conversation, "What is 6*7?")
    browser.wait(lambda: browser.of("turn.finished"))
    assert "42" in kernel.run("print(chat.messages[-1].text)")
    token = kernel.run(TOKEN)
    process = int(kernel.run(PROCESS))
    assert len(token) >= 32
    assert token not in "\n".join(kernel.traffic)
    details = Path(f"/proc/{process}")
    for part in ("cmdline", "environ"):
        assert token.encode() not in (details / part).read_bytes()
    # Others do not take it for a server that they may use.
    assert not list((tmp_path / "runtime").glob("jpserver-*.json"))
    # One for all chats, at one address.
    kernel.run("other = Chat(local=True)")
    assert int(kernel.run(PROCESS)) == process
    kernel.run(
        "try:\n    Chat(local=True, url='http://127.0.0.1:1/')\n"
        "except Exception as error:\n    print(type(error).__name__)"
    )
    assert kernel.printed.strip() == "UsageError"


def test_chat_streams_beside_a_busy_cell(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    browser.connect(conversation)
    browser.say(conversation, "/demo long 40")
    browser.wait(lambda: browser.of("turn.started"))
    kernel.run("import time\ntime.sleep(8)\nprint('awake')", wait=False)
    browser.wait(lambda: browser.of("turn.finished"))
    assert "awake" not in kernel.printed


def test_interrupt_of_the_kernel_leaves_it_alone(kernel: Kernel) -> None:
    kernel.run(CHAT)
    process = int(kernel.run(PROCESS))
    kernel.manager.interrupt_kernel()
    time.sleep(1)
    assert is_alive(process)
    assert "Ada" in kernel.run("print(chat.ask('Who is Ada?').text)")


def test_it_ends_with_a_kernel_that_is_killed(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(CHAT)
    process = int(kernel.run(PROCESS))
    # A fork that outlives the kernel holds its descriptors.
    fork = (
        "import os, time\nchild = os.fork()\n"
        "if child == 0:\n    time.sleep(60)\n    os._exit(0)\nprint(child)"
    )
    left = int(kernel.run(fork))
    try:
        owner = int(kernel.run("import os\nprint(os.getpid())"))
        os.kill(owner, signal.SIGKILL)
        assert gone(process, within_s=15)
        assert not list(tmp_path.glob("streamchat-local-*"))
    finally:
        os.kill(left, signal.SIGKILL)


def test_next_kernel_goes_on_with_the_conversation(
    kernel: Kernel, environment: dict[str, str]
) -> None:
    conversation = kernel.run(CHAT)
    kernel.run("chat.ask('Who is Ada?')")
    process = int(kernel.run(PROCESS))
    kernel.stop()
    assert gone(process, within_s=15)
    other = Kernel(environment)
    try:
        other.run(CHAT.replace("local=True", f"{conversation!r}, local=True"))
        assert other.run("print(len(chat.messages))") == "3"
    finally:
        other.stop()


def test_one_that_dies_comes_back_at_its_address(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    browser.connect(conversation)
    address = kernel.run("print(chat._find_server().url)")
    process = int(kernel.run(PROCESS))
    kernel.run("killed = local_server()._process")
    os.kill(process, signal.SIGKILL)
    browser.wait(lambda: browser.closed)
    kernel.run("killed.wait(30)")  # its sockets end a moment before it does
    # Whoever asks for it next starts it again: here a browser.
    again = RelayedBrowser(kernel)
    again.connect(conversation)
    assert int(kernel.run(PROCESS)) != process
    assert kernel.run("print(chat._find_server().url)") == address
    assert "Ada" in kernel.run("print(chat.ask('Who is Ada?').text)")


def test_second_kernel_keeps_its_conversations_beside_and_says_so(
    kernel: Kernel, environment: dict[str, str]
) -> None:
    kernel.run(CHAT)
    assert "in use" not in kernel.printed
    other = Kernel(environment)
    try:
        other.run(CHAT)
        assert "is in use by process" in other.printed
        assert "conversations-2.sqlite3" in other.printed
        assert "Ada" in other.run("print(chat.ask('Who is Ada?').text)")
    finally:
        other.stop()
