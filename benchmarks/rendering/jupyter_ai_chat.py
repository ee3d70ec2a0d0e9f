"""The chat of jupyter-ai, in a JupyterLab of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from playwright.sync_api import expect
from typing_extensions import override

from benchmarks.peers.notebook_side import install_jupyter_ai
from benchmarks.rendering.contenders import (
    ENDED,
    PATIENCE_MS,
    QUIET_LAB,
    SETTLE_S,
    Contender,
    Skipped,
    write_texts,
)
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from benchmarks.rendering.texts import BenchText

__all__ = ["JupyterAi"]


class JupyterAi(Contender):
    """The chat of jupyter-ai in JupyterLab, with a persona that streams.

    In its favour: the persona is one of its own kind and uses its ``stream_message``;
    there is no real-time collaboration, which would make each update dearer; the chat
    has the whole width; the server is a process of its own as it always is.

    Args:
        folder: Where its virtual environment is, or is made.
        limit_s: As in ``Contender``.
    """

    name = "jupyter-ai"
    _INPUT = ".jp-chat-input-container textarea:not([readonly])"
    _PERSONA = """
import asyncio, json, os, time
from pathlib import Path
from jupyter_ai_persona_manager import BasePersona, PersonaDefaults

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "texts.json").read_text())

class PacePersona(BasePersona):
    @property
    def defaults(self):
        return PersonaDefaults(
            name="Pace", description="Streams a text.", system_prompt="",
            avatar_path=str(HERE / "avatar.svg"),
        )

    async def process_message(self, message):
        await self.stream_message(self.pieces(message.body.strip()))
        self.send_message("The end.")

    async def pieces(self, name):
        began = time.monotonic()
        for number, piece in enumerate(TEXTS.get(name, ["Hello."])):
            await asyncio.sleep(max(0, began + number / 60 - time.monotonic()))
            yield piece
"""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.limit_s = limit_s
        self._folder = folder
        self._python = folder / "bin" / "python"
        self.version = ""
        self.server: ServerProcess | None = None

    @override
    def __enter__(self) -> Self:
        try:
            self.version = install_jupyter_ai(self._folder)
        except RuntimeError as error:
            raise Skipped(str(error)) from None
        server = ServerProcess(
            QUIET_LAB,
            application="jupyterlab",
            with_extension=False,
            python=self._python,
        )
        personas = server.work / ".jupyter" / "personas"
        personas.mkdir(parents=True)
        write_texts(personas)
        (personas / "avatar.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"></svg>'
        )
        (personas / "pace_persona.py").write_text(self._PERSONA)
        try:
            self.server = server.__enter__()
        except RuntimeError as error:
            raise Skipped(f"its server does not start: {error}") from None
        return self

    @override
    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.remove()

    @override
    def open(self, page: Page) -> None:
        assert self.server is not None  # noqa: S101 - for the type checker
        address = self.server.address
        page.goto(f"{address.url}lab?token={address.token}&reset")
        page.wait_for_function("() => window.jupyterapp", timeout=PATIENCE_MS)
        page.evaluate("() => window.jupyterapp.restored")
        page.evaluate(
            """(name) => window.jupyterapp.commands.execute(
              "jupyterlab-chat:createAndOpen", {name, inSidePanel: false})""",
            f"chat{time.monotonic_ns()}",
        )
        expect(page.locator(self._INPUT)).to_be_visible(timeout=PATIENCE_MS)
        time.sleep(SETTLE_S)

    @override
    def begin(self, page: Page, text: BenchText) -> None:
        page.locator(self._INPUT).click()
        page.keyboard.type(text.name)
        page.keyboard.press("Enter")

    @override
    def is_complete(self, page: Page) -> bool:
        return page.evaluate(ENDED, ".jp-chat-rendered-message")
