"""``POST api/check``: what the server's agent needs of its model's endpoint, tried."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.agent.endpoint_check import check_agent
from streamchat_nb.server.base import RESOURCE, Runtime, StreamchatHandler, allowed

if TYPE_CHECKING:
    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.protocol.checks import Check

__all__ = ["CheckHandler", "EndpointChecks"]


class EndpointChecks:
    """Makes one check at a time: who asks meanwhile gets the same answer.

    A check costs tokens and holds a connection, however many screens ask for one.
    """

    def __init__(self) -> None:
        self._running: asyncio.Task[list[Check]] | None = None

    async def check(self, agent: Agent) -> list[Check]:
        """Check an agent. Cancelling a caller does not end it for the others."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(
                check_agent(agent), name="check the endpoint"
            )
        return await asyncio.shield(self._running)


class CheckHandler(StreamchatHandler):
    """``POST api/check``."""

    @override
    def initialize(
        self, runtime: Runtime, checks: EndpointChecks | None = None
    ) -> None:
        super().initialize(runtime)
        self._checks = checks or EndpointChecks()

    @override
    @allowed("execute", RESOURCE)
    async def post(self) -> None:
        """Answer with ``{"checks": [{"name", "status", "says", "hint"}]}``."""
        self.answer({"checks": await self._checks.check(self.service.agent)})
