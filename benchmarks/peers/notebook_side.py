"""What a notebook's user would otherwise chat in: jupyter-ai, or a widget set anew."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rig.contenders import Contender, Launch
from benchmarks.rig.messages_api import WORDS
from benchmarks.rig.notebook_dialects import FIRST_CELL, LAST_WORDS, PERSONA

if TYPE_CHECKING:
    from benchmarks.rig.contenders import Place

__all__ = [
    "JUPYTER_AI",
    "JUPYTER_AI_FOLDER",
    "JUPYTER_AI_IN_OLD_CHAT",
    "NAIVE_WIDGET",
    "OLD_MESSAGES",
    "install_jupyter_ai",
    "version_of",
]

JUPYTER_AI_FOLDER = Path.home() / ".cache" / "streamchat_nb-benchmarks" / "jupyter-ai"
"""Its virtual environment; made where it is missing."""
REQUIREMENT = "jupyter-ai>=3,<4"
INSTALL_TIMEOUT_S = 900.0
OLD_MESSAGES = 100
OLD_MESSAGE = "An old message, of some length. " * 36
"""1.2 kB: with its neighbour as much as an old question and answer of ours."""

PACING = f"""
import itertools, re, time

WORDS = {[word.decode() for word in WORDS]!r}

def asked(text):
    control = dict(re.findall(r"(\\w+)=([0-9.]+)", text))
    words = itertools.islice(itertools.cycle(WORDS), int(control["deltas"]))
    return list(words), float(control["rate"])

def wait_s(began, number, rate):
    return max(0.0, began + number / rate - time.monotonic()) if rate else 0.0
"""
PERSONA_CODE = f"""{PACING}
import asyncio
from pathlib import Path
from jupyter_ai_persona_manager import BasePersona, PersonaDefaults

class PacePersona(BasePersona):
    @property
    def defaults(self):
        return PersonaDefaults(
            name="Pace", description="Streams words.", system_prompt="",
            avatar_path=str(Path(__file__).parent / "avatar.svg"),
        )

    async def process_message(self, message):
        await self.stream_message(self.words(*asked(message.body)))
        self.send_message({LAST_WORDS!r})

    async def words(self, words, rate):
        began = time.monotonic()
        for number, word in enumerate(words):
            await asyncio.sleep(wait_s(began, number, rate))
            yield word
"""
NOTEBOOK = f"""{PACING}
import ipywidgets, mistune

render = mistune.create_markdown(plugins=["table"])
shown = ipywidgets.HTML()

def answer(question):
    began, text = time.monotonic(), ""
    words, rate = asked(question)
    for number, word in enumerate(words):
        time.sleep(wait_s(began, number, rate))
        text += word
        shown.value = render(text)
"""


def _server(python: Path, place: Place, *arguments: str) -> list[str]:
    return [
        *(str(python), "-m", "jupyter_server", "--no-browser"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={place.port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={place.home}",
        *arguments,
    ]


def _launch_jupyter_ai(place: Place) -> Launch:
    """Start it with a persona that streams, and beside a new chat an old one."""
    personas = place.home / ".jupyter" / "personas"
    personas.mkdir(parents=True)
    (personas / "avatar.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"></svg>'
    )
    (personas / f"{PERSONA}.py").write_text(PERSONA_CODE, encoding="utf-8")
    began = time.time() - OLD_MESSAGES
    old = [
        {
            "id": f"old-{number}",
            "body": OLD_MESSAGE,
            "time": began + number,
            "sender": "somebody",
            "type": "msg",
            "raw_time": False,
        }
        for number in range(OLD_MESSAGES)
    ]
    chat: dict[str, Any] = {
        "messages": old,
        "users": {},
        "attachments": {},
        "metadata": {},
    }
    (place.home / "old.chat").write_text(json.dumps(chat), encoding="utf-8")
    return Launch(
        command=_server(JUPYTER_AI_FOLDER / "bin" / "python", place),
        environment={"JUPYTER_TOKEN": place.token},
    )


def _launch_widget(place: Place) -> Launch:
    (place.home / FIRST_CELL).write_text(NOTEBOOK, encoding="utf-8")
    unlimited = "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e9"
    return Launch(
        command=_server(Path(sys.executable), place, unlimited),
        environment={"JUPYTER_TOKEN": place.token},
    )


def _lacks_jupyter_ai() -> str | None:
    try:
        install_jupyter_ai(JUPYTER_AI_FOLDER)
    except RuntimeError as error:
        return str(error)
    return None


def install_jupyter_ai(folder: Path) -> str:
    """Install it into a virtual environment, if it is not there; return its version.

    Raises:
        RuntimeError: It cannot be installed; the message says why.
    """
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        if not (found := _jupyter_ai_version(python)):
            subprocess.run(  # noqa: S603 - our own virtual environment
                [str(python), "-m", "pip", "install", "--quiet", REQUIREMENT],
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_S,
            )
            found = _jupyter_ai_version(python)
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeError(f"it cannot be installed: {error}") from None
    return found


def _jupyter_ai_version(python: Path) -> str:
    code = "from importlib.metadata import version; print(version('jupyter-ai'))"
    run = subprocess.run(  # noqa: S603 - our own virtual environment
        [str(python), "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return run.stdout.strip()


def version_of(contender: Contender) -> str:
    """Return the version of one of these contenders."""
    if contender.name == NAIVE_WIDGET.name:
        return version("ipywidgets")
    return _jupyter_ai_version(JUPYTER_AI_FOLDER / "bin" / "python")


JUPYTER_AI = Contender(
    name="jupyter-ai",
    dialect="jupyter_ai",
    launch=_launch_jupyter_ai,
    path="/api/chat/ws/new.chat",
    ready_path="/api/status",
    lacks=_lacks_jupyter_ai,
)
"""Its chat, with a persona of its own kind that streams by its ``stream_message``.

In its favour: there is no real-time collaboration, which would make each update
dearer; the persona has the words at hand, and no SDK runs.
"""
JUPYTER_AI_IN_OLD_CHAT = replace(JUPYTER_AI, path="/api/chat/ws/old.chat")
"""The same, in a chat with 100 messages."""
NAIVE_WIDGET = Contender(
    name="ipywidgets.HTML",
    dialect="kernel",
    launch=_launch_widget,
    ready_path="/api/status",
)
"""What a notebook's author writes first: the value of a widget, set with each token.

In its favour: the kernel has the words at hand; Jupyter's limit of what a kernel may
send each second, which would cut the answer off, is lifted; nothing is saved.
"""
