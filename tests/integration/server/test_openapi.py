"""The description is true: what it says of every route, the server does.

Left out of the checks are two that ask for another design: that nothing which the
schema allows is refused (a model that nobody has is of the right type), and that a
missing credential is a 401 (it is a 403 here, for every method).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.server.description import openapi
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import fetch, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 20_260_101
NOT_CHECKED = "missing_required_header,positive_data_acceptance"
AGUI = "/agui"
"""Stands beside the API, at an address of its own."""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server of its own: conversations are made and deleted at random."""
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as process:

        async def warm() -> None:
            await fetch(process, "GET", "health")  # the first one takes longer

        play(warm)
        yield process


def check(
    server: ServerProcess,
    description: str,
    folder: Path,
    *options: str,
    below: str = "streamchat/api",
) -> subprocess.CompletedProcess[str]:
    arguments = [
        *("--url", server.address.url + below),
        *("--header", f"Authorization: token {server.address.token}"),
        *("--seed", str(SEED), "--exclude-checks", NOT_CHECKED),
        *("--request-timeout", "30", "--suppress-health-check", "all"),
        *("--generation-database", "none", "--warnings", "off", "--no-color"),
    ]
    program = [sys.executable, "-m", "schemathesis.cli", "run", description]
    return subprocess.run(
        [*program, *arguments, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=1_500,
    )


def test_every_operation_answers_as_described(
    server: ServerProcess, tmp_path: Path
) -> None:
    options = ("--phases", "coverage,fuzzing", "--max-examples", "2")
    options += ("--exclude-path", AGUI)
    done = check(server, f"{server.address.api}openapi.json", tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    selected = re.search(r"Operations: +(\d+) selected", done.stdout)
    assert selected is not None, done.stdout
    assert int(selected[1]) >= 20
    assert f"Tested: {selected[1]}\n" in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1_600)
def test_every_operation_answers_as_described_many_times(
    server: ServerProcess, tmp_path: Path
) -> None:
    options = ("--phases", "coverage,fuzzing,stateful", "--max-examples", "150")
    options += ("--exclude-path", AGUI)
    done = check(server, f"{server.address.api}openapi.json", tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1_600)
def test_ag_ui_answers_as_described_many_times(
    server: ServerProcess, tmp_path: Path
) -> None:
    options = ("--phases", "coverage,fuzzing", "--max-examples", "100")
    options += ("--include-path", AGUI)
    description = f"{server.address.api}openapi.json"
    done = check(server, description, tmp_path, *options, below="streamchat")
    assert done.returncode == 0, done.stdout + done.stderr


def test_false_description_is_noticed(server: ServerProcess, tmp_path: Path) -> None:
    description = json.loads(json.dumps(openapi()))
    properties = description["components"]["schemas"]["Health"]["properties"]
    properties["version"] = {"type": "integer"}
    path = tmp_path / "false.json"
    path.write_text(json.dumps(description))
    options = ("--phases", "fuzzing", "--max-examples", "1")
    done = check(server, str(path), tmp_path, "--include-path", "/health", *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Response violates schema" in done.stdout


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "no-such-route", 404, "not_found"),
        ("GET", "conversations/not%20an%20id", 404, "not_found"),
        ("GET", "conversations/c%3A1", 404, "not_found"),
        ("GET", "conversations?limit=0", 200, None),
        ("DELETE", "conversations", 405, "method_not_allowed"),
    ],
)
def test_whatever_is_asked_is_answered_in_one_shape(
    server: ServerProcess, method: str, path: str, status: int, code: str | None
) -> None:
    async def scenario() -> None:
        response = await fetch(server, method, path)
        assert response.code == status
        assert json.loads(response.body).get("code") == code
        allowed = response.headers.get("Allow", "")
        assert ("GET" in allowed and "DELETE" not in allowed) == (status == 405)

    play(scenario)
