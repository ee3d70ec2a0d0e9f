"""Models behind the Messages API, by Anthropic's SDK and our own reading of bytes."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.endpoint import (
    EndpointProfile,
    credential_hint,
    has_credential,
    resolve_endpoint,
)
from streamchat_nb.agent.media import without_media
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import Model
from streamchat_nb.agent.model_errors import response_request_id
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from anthropic import AsyncAnthropic

    from streamchat_nb.agent.anthropic_connection import AnthropicConnection
    from streamchat_nb.agent.model import ModelEvent, ModelRequest

__all__ = ["AnthropicModel", "EndpointProfile", "credential_hint", "has_credential"]

_OPTIONAL_FIELDS = frozenset({"cache_control", "tool_choice"})


class AnthropicModel(Model):
    """A model at Anthropic, or at another endpoint that speaks the Messages API.

    The SDK builds, signs and sends the request and types its errors; the reply's
    bytes are read here, because an answer that ends early must never look whole.
    One SDK client per event loop.

    Args:
        name: The model's id.
        base_url: As in ``resolve_endpoint``.
        api_key: As in ``resolve_endpoint``. Kept out of every message and log.
        transport: Carries the requests; ``None`` for the network.
        client: A ready SDK client to use as it is, with its address and credential;
            the caller closes it. It should not retry.
        no_progress_timeout_s: Longest wait for the response to begin and, from
            then, for the next part of the answer. Pings do not count.
        profile: What the endpoint understands; ``None`` to go by its address.

    Attributes:
        profile: What the endpoint understands; known for certain once a client is
            made, because the SDK may have an address of its own configured.

    Raises:
        UsageError: As ``resolve_endpoint``.
    """

    def __init__(  # noqa: PLR0913 - each is one independent choice, all by keyword
        self,
        name: str = "claude-sonnet-5-5",
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        client: AsyncAnthropic | None = None,
        no_progress_timeout_s: float = 60.0,
        profile: EndpointProfile | None = None,
    ) -> None:
        self.name = name
        self._endpoint = resolve_endpoint(base_url, api_key)
        self._transport = transport
        self._given_client = client
        self._given_profile = profile
        self._no_progress_timeout_s = no_progress_timeout_s
        self.profile = profile or EndpointProfile.of(self._endpoint.base_url)
        self._refused_fields: set[str] = set()
        self._connections: dict[
            asyncio.AbstractEventLoop, asyncio.Task[AnthropicConnection]
        ] = {}

    @override
    def secrets(self) -> tuple[str, ...]:
        client = self._given_client
        found = [self._endpoint.api_key, self._endpoint.auth_token]
        if client is not None:
            found += [client.api_key, client.auth_token]
        return tuple(secret for secret in found if secret)

    @override
    async def warm(self) -> None:
        """Import the SDK and make this loop's client now, on another thread.

        Raises:
            ModelError: ``model_credential_missing``, a profile that cannot be used.
        """
        await self._connection()

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        connection = await self._connection()
        async with AsyncExitStack() as stack:
            response = await self._send(connection, stack, request)
            accumulator = MessageAccumulator(
                lenient=self.profile.lenient,
                request_id=response_request_id(response.headers),
                taken_tool_ids=_tool_ids(request.messages),
            )
            batches = connection.read(response, MessageReader(accumulator))
            await stack.enter_async_context(aclosing(batches))
            async for events in batches:
                for event in events:
                    yield event

    @override
    async def close(self) -> None:
        task = self._connections.pop(asyncio.get_running_loop(), None)
        if task is not None:
            (connection,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(connection, BaseException):
                await connection.close()

    # --- one request -------------------------------------------------------------

    async def _send(
        self,
        connection: AnthropicConnection,
        stack: AsyncExitStack,
        request: ModelRequest,
    ) -> httpx2.Response:
        """Send a request; once more where the endpoint refuses an optional field."""
        parameters = self._parameters(request)
        try:
            return await connection.send(parameters, stack)
        except ModelError as error:
            field = _refused_field(error, parameters)
            if field is None:
                raise
            self._refused_fields.add(field)
        return await connection.send(self._parameters(request), stack)

    def _parameters(self, request: ModelRequest) -> dict[str, Any]:
        """Return the request as the Messages API takes it; sampling is never set."""
        parameters: dict[str, Any] = {
            "model": self.name,
            "max_tokens": request.max_tokens,
            "messages": self._seen(request.messages),
            "stream": True,
        }
        if request.system:
            parameters["system"] = request.system
        without_tools = request.tool_choice == "none"
        if request.tools and not (
            without_tools and "tool_choice" in self._refused_fields
        ):
            parameters["tools"] = request.tools
            if without_tools:
                parameters["tool_choice"] = {"type": "none"}
        if self.profile.caching and "cache_control" not in self._refused_fields:
            parameters["cache_control"] = {"type": "ephemeral"}
        return parameters

    def _seen(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return messages if self.profile.images else without_media(messages)

    # --- the connection ----------------------------------------------------------

    async def _connection(self) -> AnthropicConnection:
        loop = asyncio.get_running_loop()
        task = self._connections.get(loop)
        if task is None or (task.done() and task.exception() is not None):
            for old in [loop for loop in self._connections if loop.is_closed()]:
                del self._connections[old]
            task = loop.create_task(asyncio.to_thread(self._connect))
            self._connections[loop] = task
        # Shielded: other requests may wait for the same one.
        connection = await asyncio.shield(task)
        if self._given_profile is None:
            self.profile = EndpointProfile.of(connection.base_url)
        return connection

    def _make_transport(self) -> httpx2.AsyncBaseTransport | None:
        """Return what carries requests; ``None`` for the SDK's own. For subclasses."""
        if self._transport is not None or self._given_client is not None:
            return self._transport
        from streamchat_nb.agent.aiohttp_transport import (  # noqa: PLC0415 - heavy
            direct_transport,
        )

        return direct_transport()

    def _connect(self) -> AnthropicConnection:
        from streamchat_nb.agent.anthropic_connection import (  # noqa: PLC0415 - seconds
            AnthropicConnection,
        )

        return AnthropicConnection(
            self._endpoint,
            transport=self._make_transport(),
            client=self._given_client,
            no_progress_timeout_s=self._no_progress_timeout_s,
        )


def _tool_ids(messages: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the tool calls in a history."""
    ids: set[str] = set()
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            for block in cast("list[dict[str, Any]]", content):
                if block.get("type") == "tool_use":
                    ids.add(str(block.get("id")))
    return ids


def _refused_field(error: ModelError, parameters: dict[str, Any]) -> str | None:
    """Return the optional field that the endpoint blames for its refusal."""
    if error.code == "model_request_invalid":
        for field in _OPTIONAL_FIELDS & parameters.keys():
            if re.search(rf"\b{field}\b", error.message):
                return field
    return None
