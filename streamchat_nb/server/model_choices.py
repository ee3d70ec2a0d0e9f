"""The models that a person may choose from, as the endpoint lists them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from streamchat_nb.agent.context_sizes import context_tokens_of
from streamchat_nb.agent.model import Effort  # noqa: TC001 - msgspec reads it
from streamchat_nb.errors import StreamchatError

if TYPE_CHECKING:
    from streamchat_nb.agent.agent import Agent

__all__ = ["ModelChoices", "ModelEntry", "ModelList"]

FRESH_S = 600.0
RETRY_S = 30.0
LIST_TIMEOUT_S = 10.0


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A model; ``efforts`` are those that it takes, none where that is not known.

    ``context_tokens``: the most tokens of a request and its answer, where it is known.
    """

    id: str
    name: str
    efforts: list[Effort] = []
    thinking: bool = False
    default: bool = False
    context_tokens: int | None = None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET api/models``.

    ``source`` says whether the endpoint listed them or the server's settings are all
    that is known; ``problem`` says why the endpoint did not.
    """

    models: list[ModelEntry]
    source: Literal["endpoint", "settings"]
    problem: str | None = None


class ModelChoices:
    """Asks an agent's endpoint for its models, seldom."""

    def __init__(self) -> None:
        self._list: ModelList | None = None
        self._stale_at = 0.0
        self._asking = asyncio.Lock()

    async def of(self, agent: Agent) -> ModelList:
        """Return the models; what the endpoint said before for ten minutes."""
        async with self._asking:
            if self._list is None or time.monotonic() >= self._stale_at:
                self._list = await self._asked(agent)
                failed = self._list.problem is not None
                fresh_s = RETRY_S if failed else FRESH_S
                self._stale_at = time.monotonic() + fresh_s
            return self._list

    async def _asked(self, agent: Agent) -> ModelList:
        own = agent.model_name
        size = context_tokens_of(own)
        entry = ModelEntry(id=own, name=own, default=True, context_tokens=size)
        known = [entry] if own else []
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S):
                found = await agent.models()
        except StreamchatError as error:
            if error.code == "model_not_found":  # of the list: it has none
                return ModelList(models=known, source="settings")
            return ModelList(models=known, source="settings", problem=error.message)
        except TimeoutError:
            problem = f"The endpoint did not list its models in {LIST_TIMEOUT_S:g} s."
            return ModelList(models=known, source="settings", problem=problem)
        if not found:
            return ModelList(models=known, source="settings")
        entries = [
            ModelEntry(
                id=model.id,
                name=model.name,
                efforts=[*model.efforts],
                thinking=model.thinking,
                default=model.id == own,
                context_tokens=model.context_tokens or context_tokens_of(model.id),
            )
            for model in found
        ]
        is_listed = any(entry.default for entry in entries)
        return ModelList(
            models=entries if is_listed else [*known, *entries], source="endpoint"
        )
