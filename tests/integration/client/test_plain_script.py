"""A script that knows an address and a token, and nothing of Jupyter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "use-the-python-client.md"
ASYNC = """
import asyncio, sys
from streamchat_nb.client import connect

async def main():
    async with connect(*sys.argv[1:]) as client:
        conversation = await client.create()
        answer = await conversation.ask("Who is Ada?")
        print(answer.text, [call.name for call in answer.tool_calls])
        stream = conversation.stream("What is 6*7?")
        async for piece in stream:
            print(piece, end="")
        print(stream.answer.status, client.transport)

asyncio.run(main())
"""
SYNC = """
import sys
from streamchat_nb.client import connect_sync

with connect_sync(*sys.argv[1:]) as client:
    conversation = client.create()
    answer = conversation.ask("Who is Ada?", timeout_s=30)
    print(answer.text, [call.name for call in answer.tool_calls])
    stream = conversation.stream("What is 6*7?")
    for piece in stream:
        print(piece, end="")
    print(stream.answer.status, client.transport)
"""


def run(
    script: str, *arguments: str, home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", [ASYNC, SYNC])
def test_script_needs_an_address_and_a_token_only(
    script: str, server: ServerProcess, tmp_path: Path
) -> None:
    address = server.address
    done = run(script, address.url, address.token, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Ada Lovelace" in done.stdout
    assert "['search_contacts']" in done.stdout
    assert "42" in done.stdout
    assert done.stdout.endswith("completed websocket\n")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("number", range(5))
def test_scripts_of_the_documentation_run(
    number: int, server: ServerProcess, tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    scripts = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(scripts) == 5
    done = run(
        scripts[number],
        home=tmp_path,
        STREAMCHAT_NB_URL=server.address.url,
        STREAMCHAT_NB_TOKEN=server.address.token,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    expected = [
        *("search_contacts", "Draft a mail", "What is 6*7?"),
        *("Ada,1815", "completed"),
    ]
    assert expected[number] in done.stdout


def test_script_finds_the_server_by_variables(
    server: ServerProcess, tmp_path: Path
) -> None:
    done = run(
        SYNC,
        home=tmp_path,
        STREAMCHAT_NB_URL=server.address.url,
        STREAMCHAT_NB_TOKEN=server.address.token,
    )
    assert done.returncode == 0, done.stderr
    assert "Ada Lovelace" in done.stdout


@pytest.mark.parametrize("script", [ASYNC, SYNC])
def test_script_without_a_server_is_told_what_to_do(
    script: str, tmp_path: Path
) -> None:
    done = run(script, home=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "ConnectError: No Jupyter server with streamchat_nb was found" in last
    assert "STREAMCHAT_NB_URL" in last


def test_kernel_finds_its_server_by_its_connection_file(
    server: ServerProcess, tmp_path: Path
) -> None:
    path = str(server.connection_file)
    done = run(SYNC, home=tmp_path, STREAMCHAT_NB_CONNECTION=path)
    assert done.returncode == 0, done.stderr
    assert "Ada Lovelace" in done.stdout
