"""A self-test of a model's endpoint: two short requests, told in plain words."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.endpoint import credential_hint, is_anthropic_url
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.checks import Check
from streamchat_nb.protocol.content import ToolUseBlock

if TYPE_CHECKING:
    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.protocol.checks import CheckStatus

__all__ = ["CHECKS", "check_agent"]

CHECKS = ("address", "credential", "reachable", "model", "streams", "tools")
"""The names of the checks, in the order in which they are made."""

_COUNT = ModelRequest(
    messages=[{"role": "user", "content": "Count from 1 to 5, digits only."}],
    max_tokens=24,
)
_CALL = ModelRequest(
    messages=[{"role": "user", "content": "Call the tool look_at_clock now."}],
    tools=[
        {
            "name": "look_at_clock",
            "description": "Returns the time of day.",
            "input_schema": {"type": "object", "properties": {}},
        }
    ],
    max_tokens=48,
)
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_MODELS_NAMED = 8
# Which check an error belongs to; others belong to the one that was being made.
_BLAMED = {
    "model_authentication": "credential",
    "model_credential_missing": "credential",
    "model_not_found": "model",
    "model_permission": "credential",
    "model_timeout": "reachable",
    "model_unreachable": "reachable",
}
_HINTS = {
    "credential": "Set ANTHROPIC_API_KEY for Anthropic, or ANTHROPIC_AUTH_TOKEN for "
    "another endpoint, in the environment of the server, and start it again.",
    "reachable": "Start the endpoint, or set StreamchatExtension.base_url to where it "
    "is. Behind a proxy, set HTTPS_PROXY for the server.",
    "model": "Set StreamchatExtension.model to a name that the endpoint knows.",
    "streams": "Look into the endpoint's own log. If base_url is the address of "
    "another kind of service, set it to one that speaks the Messages API.",
    "tools": "Choose a model that can call tools, or go without them: chat works.",
}
_BROKE = "The endpoint answered before; then the connection to it broke."
_BROKE_HINT = (
    "Try again. If it breaks again, look into the log of the endpoint, and of a proxy "
    "before it."
)


async def check_agent(agent: Agent, *, deadline_s: float = 28.0) -> list[Check]:
    """Try what an agent needs of its model's endpoint.

    Sends two requests of about 100 tokens in all, and never tries one again. What the
    agent is not made for is skipped, and says why.

    Args:
        agent: Who answers.
        deadline_s: Seconds for everything.

    Returns:
        One for each of ``CHECKS``, in that order.
    """
    model = agent.model if isinstance(agent, AnthropicAgent) else None
    if agent.offline:
        says = "The offline demo answers: no language model is asked, nothing is sent."
        return _skipped(says, credential_hint().replace("`", ""))
    if not isinstance(model, AnthropicModel):
        says = (
            "Answers come from a cassette or from a model of another kind."
            if model is not None
            else f"The agent {agent.name} brings its own way to a model."
        )
        return _skipped(f"{says} That cannot be tried from here.")
    return await _EndpointCheck(model).run(deadline_s)


class _EndpointCheck:
    """The checks of one model, made one after the other."""

    def __init__(self, model: AnthropicModel) -> None:
        self._model = model
        self._trying = "address"
        self._done: dict[str, Check] = {}

    async def run(self, deadline_s: float) -> list[Check]:
        try:
            async with asyncio.timeout(deadline_s):
                await self._look_at_address()
                await self._count()
                await self._call()
        except TimeoutError:
            self._note(
                self._trying,
                "failed",
                f"It did not end within {deadline_s:g} s: the endpoint is slow, or "
                "hangs.",
                "Try again: a local model is slow at first, while it is loaded.",
            )
        except ModelError as error:
            self._blame(error)
        return [self._done.get(name) or _not_tried(name) for name in CHECKS]

    async def _look_at_address(self) -> None:
        self._trying = "credential"
        url = await self._model.address()
        parts = urlsplit(url)
        is_open = parts.scheme == "http" and parts.hostname not in _LOCAL_HOSTS
        whose = "Anthropic" if is_anthropic_url(url) else "another endpoint"
        self._note(
            "address",
            "ok",
            f"Requests go to {parts.scheme}://{parts.netloc}{parts.path.rstrip('/')} "
            f"({whose}).",
            "What is said travels unencrypted: use https." if is_open else "",
        )
        self._trying = "reachable"

    async def _count(self) -> None:
        """Ask for an answer that is long enough to come in pieces."""
        began = time.monotonic()
        pieces = 0
        first_s = 0.0
        async for event in self._model.stream(_COUNT):
            if not pieces:
                first_s = time.monotonic() - began
                self._reached()
            if isinstance(event, ModelBlockDelta):
                pieces += 1
        self._reached()
        if pieces > 1:
            says = f"Answers come word by word, the first after {first_s:.1f} s."
            self._note("streams", "ok", says)
        else:
            self._note(
                "streams",
                "ok",
                "The answer came in one piece. Chat works, without the typing.",
                "Look whether the endpoint, or a proxy before it, holds answers back.",
            )

    def _reached(self) -> None:
        """Note what the first sign of an answer proves."""
        if "model" in self._done:
            return
        self._note("reachable", "ok", "The endpoint answers.")
        self._note("credential", "ok", self._model.credential_in_words())
        self._note("model", "ok", f"The endpoint takes the model {self._model.name}.")
        self._trying = "streams"

    async def _call(self) -> None:
        self._trying = "tools"
        calls = 0
        async for event in self._model.stream(_CALL):
            if isinstance(event, ModelMessageStop):
                calls = sum(isinstance(b, ToolUseBlock) for b in event.content)
        if calls:
            self._note("tools", "ok", "The model calls tools.")
        else:
            self._note(
                "tools",
                "ok",
                "The endpoint takes tools; the model answered in words this time.",
                "Small models often do not call tools, although they are offered.",
            )

    def _blame(self, error: ModelError) -> None:
        """Note a failure where it belongs, and what it proves of the rest."""
        blamed = _BLAMED.get(error.code, self._trying)
        if blamed == "reachable" and error.code not in _BLAMED:
            blamed = "streams"  # it was reached, and said something else than an answer
        if error.code == "model_unreachable" and blamed in self._done:
            self._note(self._trying, "failed", _BROKE, _BROKE_HINT)
            return
        if blamed in self._done:
            blamed = self._trying
        if blamed != "reachable" and error.code != "model_credential_missing":
            self._note("reachable", "ok", "The endpoint answers.")
        self._note(blamed, "failed", error.message, _HINTS.get(blamed, ""))

    def _note(self, name: str, status: CheckStatus, says: str, hint: str = "") -> None:
        self._done[name] = Check(name=name, status=status, says=says, hint=hint)


def _skipped(says: str, hint: str = "") -> list[Check]:
    """Return that nothing is tried: why, once, and what to do."""
    first, *others = CHECKS
    return [
        Check(name=first, status="skipped", says=says, hint=hint),
        *(Check(name=name, status="skipped", says="Not tried.") for name in others),
    ]


def _not_tried(name: str) -> Check:
    says = "Not tried: another check failed."
    return Check(name=name, status="skipped", says=says)
