"""What the fixtures of the pytest plugin give to tests."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.errors import UsageError
from streamchat_nb.testing.agent_run import run_agent
from streamchat_nb.testing.scripted_model import ScriptedModel, script
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from streamchat_nb.agent.cassette import CassetteTiming
    from streamchat_nb.agent.model import Model
    from streamchat_nb.protocol.content import AssistantBlock
    from streamchat_nb.testing.agent_run import AgentRun

__all__ = [
    "AgentRunner",
    "CassetteOfTest",
    "Servers",
    "cassette_path",
    "scripted_model",
]

_FOLDER = "cassettes"
_PLAIN = re.compile(r"[\w.\[\]-]{1,120}", re.ASCII)
_MOST_CHARACTERS = 100


def scripted_model(
    *answers: str | AssistantBlock | BaseException | Sequence[str | AssistantBlock],
    name: str = "scripted",
) -> ScriptedModel:
    """Return a model that gives these answers, one to each request, in order.

    Args:
        answers: A text, a block such as ``tool_use("add", {"a": 1})``, several of
            them, or an error to raise.
        name: As in ``Model``.
    """
    return ScriptedModel([_steps(answer) for answer in answers], name=name)


def _steps(
    answer: str | AssistantBlock | BaseException | Sequence[str | AssistantBlock],
) -> list[Any]:
    if isinstance(answer, BaseException):
        return [answer]
    if isinstance(answer, list | tuple):
        return script(*answer)
    return script(answer)  # pyright: ignore[reportArgumentType] - no sequence is left


def cassette_path(test_file: Path, test: str) -> Path:
    """Return where the cassette of a test is: ``cassettes/{file}/{test}.jsonl``.

    Args:
        test_file: The file of the test.
        test: Its name within the file, with its classes and parameters, as in its
            node id: ``TestShop::test_price[eur]``.
    """
    name = test.replace("::", ".")
    if not _PLAIN.fullmatch(name):
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:_MOST_CHARACTERS] + f"-{digest}"
    return test_file.parent / _FOLDER / test_file.stem / f"{name}.jsonl"


class CassetteOfTest:
    """Makes models that play the cassette of one test; a call gives one.

    Args:
        path: The cassette.
        record_at: Where to record instead of playing; ``None`` to play.
        test: The test's node id, for what to do where a request is not there.

    Attributes:
        path: As given.
    """

    def __init__(self, path: Path, *, record_at: Path | None, test: str) -> None:
        self.path = path
        self._record_at = record_at
        self._test = test

    def __call__(
        self,
        inner: Model | None = None,
        *,
        timing: CassetteTiming = "instant",
        ignore: Iterable[str] = (),
        secrets: Iterable[str] = (),
        name: str | None = None,
    ) -> CassetteModel:
        """Return a model that plays; with ``--streamchat-record`` one that records.

        Args:
            inner: Who is recorded; ``None`` for Claude (or ``ANTHROPIC_BASE_URL``).
            timing: As in ``CassetteModel``.
            ignore: As in ``CassetteModel``.
            secrets: As in ``CassetteModel``.
            name: As in ``CassetteModel``; also the model to record where there is no
                ``inner``.
        """
        is_recording = self._record_at is not None
        if is_recording and inner is None:
            inner = AnthropicModel(name) if name else AnthropicModel()
        return CassetteModel(
            inner,
            self._record_at or self.path,
            mode="record" if is_recording else "replay",
            timing=timing,
            name=name,
            ignore=ignore,
            secrets=secrets,
            how_to_record="Record it, with a credential: "
            f"pytest --streamchat-record '{self._test}'",
        )

    def finish(self) -> None:
        """Put what was recorded in the place of the cassette."""
        if self._record_at is not None and self._record_at.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._record_at, self.path)


class AgentRunner:
    """Runs agents in tests that are no coroutines; a call is one turn.

    All turns of a test are on one event loop; agents are closed at its end.
    """

    def __init__(self) -> None:
        self._loop: asyncio.Runner | None = None
        self._agents: dict[int, Agent] = {}

    def __call__(
        self,
        agent: Agent | Model,
        asked: str | list[dict[str, Any]],
        **options: Any,  # noqa: ANN401 - those of run_agent
    ) -> AgentRun:
        """Let an agent answer; see ``streamchat_nb.testing.agent_run.run_agent``.

        Raises:
            UsageError: As ``run_agent``; or the test is a coroutine, which awaits
                ``run_agent`` itself.
            ModelError: As ``run_agent``.
            TimeoutError: As ``run_agent``.
        """
        if _is_loop_running():
            raise UsageError(
                "The fixture run_agent is for tests without an event loop. Here, await "
                "streamchat_nb.testing.agent_run.run_agent(…) with the same arguments."
            )
        if self._loop is None:
            self._loop = asyncio.Runner()
        opened = agent if isinstance(agent, Agent) else AnthropicAgent(agent)
        self._agents[id(agent)] = opened
        return self._loop.run(run_agent(opened, asked, **options))

    def close(self) -> None:
        """Close the agents and the loop. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is not None:
            with loop:
                for agent in self._agents.values():
                    loop.run(agent.close())


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Servers:
    """Starts servers for a test; a call starts one and waits until it is there."""

    def __init__(self) -> None:
        self._started: list[ServerProcess] = []

    def __call__(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> ServerProcess:
        """Start a server with the offline demo, or with what the arguments say.

        It can import what the test can, and sees no credential of yours.

        Args:
            arguments: For example ``--StreamchatExtension.agent=my_module:agent``.
            environment: More environment variables.

        Raises:
            RuntimeError: It did not start; the message has its log.
        """
        folders = [os.path.abspath(folder) for folder in sys.path]  # noqa: PTH100 - "" too
        server = ServerProcess(
            ["--StreamchatExtension.offline_pace_s=0", *arguments],
            environment={
                "PYTHONPATH": os.pathsep.join(folders),
                **(environment or {}),
            },
        )
        self._started.append(server)
        server.start()
        return server

    def close(self) -> None:
        """Stop them and delete their folders. Idempotent."""
        while self._started:
            self._started.pop().remove()
