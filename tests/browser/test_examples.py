"""The example front ends, each with the npm package as it is built, in a browser."""

from __future__ import annotations

import functools
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from typing_extensions import override

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

WAIT_MS = 60_000
BUILD_TIMEOUT_S = 300
EXAMPLES = ROOT / "examples"


class QuietHandler(SimpleHTTPRequestHandler):
    @override
    def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Say nothing of each request."""


def npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder, as the build hook finds it."""
    program = shutil.which("npm")
    if program is None:
        pytest.skip("npm is not on PATH")
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def install(folder: Path) -> None:
    if not (folder / "node_modules").is_dir():
        npm(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both examples, as they would be put on a web server."""
    install(ROOT / "frontend")
    npm(ROOT / "frontend", "run", "package")
    install(EXAMPLES / "angular")
    npm(EXAMPLES / "angular", "run", "build")
    folder = tmp_path_factory.mktemp("examples")
    client = ROOT / "frontend" / "dist" / "client" / "index.js"
    (folder / "plain").mkdir()
    shutil.copy(EXAMPLES / "plain-html" / "index.html", folder / "plain")
    shutil.copy(client, folder / "plain" / "client.js")
    (folder / "angular" / "dist").mkdir(parents=True)
    shutil.copy(EXAMPLES / "angular" / "index.html", folder / "angular")
    shutil.copy(EXAMPLES / "angular/dist/main.js", folder / "angular" / "dist")
    return folder


@pytest.fixture(scope="session")
def elsewhere(built: Path) -> Iterator[str]:
    """The origin of a web server that is not Jupyter's."""
    handler = functools.partial(QuietHandler, directory=str(built))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def example_server(built: Path, elsewhere: str) -> Iterator[ServerProcess]:
    arguments = [
        "--StreamchatExtension.offline_pace_s=0.05",
        f"--ServerApp.allow_origin={elsewhere}",
        f"--ServerApp.extra_static_paths={built}",
    ]
    with ServerProcess(arguments) as server:
        yield server


def talk(page: Page, server: ServerProcess) -> None:
    """Ask, see the tool and the text come, stop an answer, and be reconnected."""
    messages = page.locator("#messages article")
    page.fill("#text", "Who is Ada?")
    page.click("text=Send")
    expect(page.locator("#activity")).not_to_be_empty(timeout=WAIT_MS)
    answer = page.locator('article[data-role="assistant"]').last
    expect(answer).to_contain_text("Ada Lovelace", timeout=WAIT_MS)
    expect(page.locator("#stop")).to_be_disabled(timeout=WAIT_MS)
    before = messages.count()
    page.fill("#text", "Tell me a long story about the analytical engine")
    page.click("text=Send")
    expect(page.locator("#stop")).to_be_enabled(timeout=WAIT_MS)
    page.click("#stop")
    expect(page.locator("#stop")).to_be_disabled(timeout=WAIT_MS)
    assert messages.count() > before
    server.kill()
    expect(page.locator("#connection")).to_contain_text("Reconnecting", timeout=WAIT_MS)
    server.start()
    expect(page.locator("#connection")).to_contain_text("Live", timeout=WAIT_MS)
    expect(messages.first).to_have_text("Who is Ada?")


def test_plain_page_of_the_server_itself_is_live_over_a_socket(
    quiet: Page, example_server: ServerProcess
) -> None:
    url, token = example_server.address.url, example_server.address.token
    quiet.goto(f"{url}streamchat/?token={token}")  # the login
    quiet.goto(f"{url}static/plain/index.html")
    quiet.fill("#text", "Hello")
    quiet.click("text=Send")
    connection = quiet.locator("#connection")
    expect(connection).to_have_text("Live over WebSocket", timeout=WAIT_MS)
    quiet.reload()
    talk(quiet, example_server)


def test_angular_page_of_another_origin_is_live_over_a_stream(
    quiet: Page, example_server: ServerProcess, elsewhere: str
) -> None:
    url, token = example_server.address.url, example_server.address.token
    quiet.goto(f"{elsewhere}/angular/index.html#url={url}&token={token}")
    expect(quiet.locator("#text")).to_be_visible(timeout=WAIT_MS)
    assert token not in quiet.url
    talk(quiet, example_server)
    expect(quiet.locator("#connection")).to_have_text("Live over HTTP stream")
