"""What the browser tests do on a screen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from playwright.sync_api import Locator, Page, expect

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

ANSWER_TIMEOUT_MS = 30_000
IMAGES = Path(os.environ.get("STREAMCHAT_IMAGES", "/nonexistent"))
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


# Writes elements line by line: attributes in order, texts side by side as one.
OUTLINE = """(root) => {
  const write = (node, indent) => {
    if (node.nodeType === Node.TEXT_NODE) return [indent + JSON.stringify(node.data)];
    const attributes = [...node.attributes].map(({name, value}) => `${name}=${value}`);
    const head = [node.localName, ...attributes.sort()].join(" ");
    const children = [...node.childNodes];
    return [indent + head, ...children.flatMap((child) => write(child, indent + " "))];
  };
  const copy = root.cloneNode(true);
  copy.normalize();
  return write(copy, "").join("\\n");
}"""


# Reads a text as it is shown, also where it is out of sight and not laid out.
SHOWN_TEXT = """(root) => {
  const style = document.createElement("style");
  style.textContent = ".streamchat * { content-visibility: visible !important; }";
  document.head.append(style);
  const text = root.innerText;
  style.remove();
  return text;
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


def stop_button(scope: Page | Locator) -> Locator:
    """What ends the answer that runs; there is none while nothing does."""
    return scope.get_by_role("button", name="Stop")


def answered(page: Page, timeout: float = ANSWER_TIMEOUT_MS) -> None:
    """All that was sent is in the log, and nothing runs."""
    expect(page.locator(".streamchat-user-bubble").last).to_be_visible()
    expect(page.get_by_text("Sending…")).to_have_count(0, timeout=timeout)
    expect(stop_button(page)).not_to_be_visible(timeout=timeout)


def connection(scope: Page | Locator) -> Locator:
    """The badge that says how the server is reached."""
    return scope.get_by_role("button", name="Connection:")


def transcript(scope: Page | Locator) -> str:
    """The text of the conversation, as it is shown."""
    return scope.get_by_role("log").first.evaluate(SHOWN_TEXT)


def transcript_elements(scope: Page | Locator) -> str:
    """The conversation, element by element, one a line."""
    return scope.locator(".streamchat-transcript").first.evaluate(OUTLINE)


def conversation_of(page: Page) -> str:
    """The id of a page's conversation; empty while it has none."""
    return page.evaluate("() => location.hash.slice(1)")


def ask_server(
    server: ServerProcess, path: str, body: dict[str, Any] | None = None
) -> Any:
    """Ask the API for JSON: by ``GET``, with a body by ``POST``."""
    request = Request(  # noqa: S310 - our own server
        server.address.api + path,
        headers={
            "Authorization": f"token {server.address.token}",
            "Content-Type": "application/json",
        },
        data=None if body is None else json.dumps(body).encode(),
    )
    with urlopen(request, timeout=20) as response:  # noqa: S310
        return json.load(response)


def ask_jupyter(server: ServerProcess, method: str, path: str) -> Any:
    """Ask Jupyter's own API for JSON; ``None`` where it answers nothing."""
    request = Request(  # noqa: S310 - our own server
        f"{server.address.url}api/{path}",
        method=method,
        headers={"Authorization": f"token {server.address.token}"},
        data=None if method == "GET" else b"{}",
    )
    with urlopen(request, timeout=60) as response:  # noqa: S310
        return json.loads(response.read() or b"null")


def kernel_of(server: ServerProcess, notebook: str) -> str:
    """The id of a notebook's kernel."""
    sessions = ask_jupyter(server, "GET", "sessions")
    return next(one["kernel"]["id"] for one in sessions if one["path"] == notebook)


def restart_kernel(server: ServerProcess, notebook: str) -> None:
    """Restart a notebook's kernel; returns when it is up again."""
    ask_jupyter(server, "POST", f"kernels/{kernel_of(server, notebook)}/restart")


def state_of(server: ServerProcess, conversation: str) -> Any:
    """A conversation's state, as the server has it."""
    return ask_server(server, f"conversations/{conversation}")["state"]


def questions_of(state: Any) -> list[str]:
    """What people wrote, in the order in which it was accepted."""
    return [
        "".join(block.get("text", "") for block in message["blocks"])
        for message in state["messages"]
        if message["role"] == "user"
    ]


def events_of(server: ServerProcess, conversation: str) -> list[Any]:
    """All events of a conversation's log."""
    log = ask_server(server, f"conversations/{conversation}")["log"]
    path = f"conversations/{conversation}/events?since={log}:0"
    return ask_server(server, path)["events"]


def shoot(page: Page, name: str) -> None:
    """Write a picture for the docs, where STREAMCHAT_IMAGES names a folder."""
    if IMAGES.is_dir():
        page.screenshot(path=IMAGES / f"{name}.png")
