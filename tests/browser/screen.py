"""What the browser tests do on a screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

ANSWER_TIMEOUT_MS = 30_000
# Notes, for each animation frame in which it changed, when it was and what the last
# answer and the status said.
RECORDER = """(root) => {
  const frames = [];
  let due = false;
  const note = () => {
    due = false;
    const text = root.innerText;
    if (!frames.length || frames[frames.length - 1].text !== text) {
      frames.push({at: Date.now(), text});
    }
  };
  new MutationObserver(() => {
    if (!due) { due = true; requestAnimationFrame(note); }
  }).observe(root, {childList: true, subtree: true, characterData: true});
  window.streamchatFrames = frames;
}"""


KERNEL_READY = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  for (let tries = 0; tries < 600; tries += 1) {
    const notebook = app.shell.currentWidget;
    if (notebook?.sessionContext !== undefined) {
      await notebook.context.ready;
      await notebook.sessionContext.ready;
      if (notebook.sessionContext.session?.kernel?.status === "idle") return;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the notebook has no idle kernel after a minute");
}"""


def open_page(
    page: Page, server: ServerProcess, *, port: int | None = None, fragment: str = ""
) -> None:
    """Open the full page, logged in."""
    url = server.address.url
    if port is not None:
        url = f"http://127.0.0.1:{port}/"
    page.goto(f"{url}streamchat/?token={server.address.token}{fragment}")
    expect(composer(page)).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def composer(scope: Page | Locator) -> Locator:
    """Where messages are written."""
    return scope.get_by_role("textbox")


def say(scope: Page | Locator, text: str) -> None:
    """Write and send a message."""
    composer(scope).fill(text)
    composer(scope).press("Enter")


def record_frames(scope: Locator) -> None:
    """Begin to note what is shown, frame by frame."""
    scope.evaluate(RECORDER)


def frames(page: Page) -> list[dict[str, Any]]:
    """What was shown since ``record_frames``."""
    return json.loads(page.evaluate("() => JSON.stringify(window.streamchatFrames)"))


def open_lab(
    page: Page, server: ServerProcess, notebook: str, *, port: int | None = None
) -> None:
    """Open a notebook in JupyterLab with a fresh layout."""
    url = server.address.url if port is None else f"http://127.0.0.1:{port}/"
    page.goto(f"{url}lab/tree/{notebook}?reset&token={server.address.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=60_000)
    page.evaluate(KERNEL_READY)


def command(page: Page, name: str) -> None:
    """Run a JupyterLab command without waiting for its end."""
    page.evaluate("(name) => { void window.jupyterapp.commands.execute(name); }", name)
