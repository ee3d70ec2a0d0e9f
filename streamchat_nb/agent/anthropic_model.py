"""Models behind the Messages API, by Anthropic's SDK and our own reading of bytes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, cast, get_args

from typing_extensions import override

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.endpoint import (
    NO_CREDENTIAL,
    EndpointProfile,
    client_secrets,
    credential_hint,
    has_credential,
    resolve_endpoint,
)
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import (
    DEFAULT_MODEL,
    Effort,
    Model,
    ModelDescription,
)
from streamchat_nb.agent.request_parameters import parameters_of, refused_option
from streamchat_nb.agent.request_trace import Exchange
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    import httpx2
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import (
        AsyncAnthropicBedrock,
        AsyncAnthropicBedrockMantle,
    )
    from anthropic.lib.vertex import AsyncAnthropicVertex

    from streamchat_nb.agent.anthropic_connection import AnthropicConnection
    from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent, ModelRequest

    ReadyClient = (
        AsyncAnthropic
        | AsyncAnthropicBedrock
        | AsyncAnthropicBedrockMantle
        | AsyncAnthropicVertex
    )

__all__ = ["AnthropicModel", "EndpointProfile", "credential_hint", "has_credential"]

_EFFORTS: tuple[Effort, ...] = get_args(Effort)


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
        client: A ready client of the SDK to use as it is, with its address and
            credential: also those for Bedrock, Vertex and Foundry. The caller closes
            it. It should not retry.
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
        name: str = DEFAULT_MODEL,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        client: ReadyClient | None = None,
        no_progress_timeout_s: float = 60.0,
        profile: EndpointProfile | None = None,
    ) -> None:
        self.name = name
        self._endpoint = resolve_endpoint(base_url, api_key)
        self._transport = transport
        self._given_client = cast("AsyncAnthropic | None", client)
        self._given_profile = profile
        self._no_progress_timeout_s = no_progress_timeout_s
        self.profile = profile or EndpointProfile.of(self._endpoint.base_url)
        self._carried_by = ""
        self._refused_options: set[str] = set()
        self._connections: dict[
            asyncio.AbstractEventLoop, asyncio.Task[AnthropicConnection]
        ] = {}
        # The one that the attributes are of.
        self._known: asyncio.Task[AnthropicConnection] | None = None

    @override
    def secrets(self) -> tuple[str, ...]:
        own = (self._endpoint.api_key, self._endpoint.auth_token)
        given = client_secrets(self._given_client)
        return (*(secret for secret in own if secret), *given)

    @property
    @override
    def transport(self) -> str:
        return self._carried_by

    async def address(self) -> str:
        """Return the address that requests go to.

        Raises:
            ModelError: ``model_credential_missing``, a profile that cannot be used.
        """
        return (await self._connection()).base_url

    def credential_in_words(self) -> str:
        """Return a sentence on the credential in use; never the credential."""
        if self._given_client is not None:
            return "The client that it was made with brings the credential."
        key = self._endpoint.api_key or self._endpoint.auth_token
        if key == NO_CREDENTIAL:
            return "No credential is set, and the endpoint asks for none."
        return "The endpoint takes the credential."

    @override
    async def warm(self) -> None:
        """Import the SDK and make this loop's client now, on another thread.

        Raises:
            ModelError: ``model_credential_missing``, a profile that cannot be used.
        """
        await self._connection()

    @override
    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        return self._stream(request)

    @override
    def stream_showing(
        self, request: ModelRequest, show: Callable[[ModelBlockDelta], bool]
    ) -> AsyncIterator[ModelEvent]:
        if type(self).stream is not AnthropicModel.stream:
            return self.stream(request)  # a subclass looks at what comes
        return self._stream(request, show)

    async def _stream(
        self,
        request: ModelRequest,
        show: Callable[[ModelBlockDelta], bool] | None = None,
    ) -> AsyncGenerator[ModelEvent]:
        connection = await self._connection()
        async with AsyncExitStack() as stack:
            response, exchange = await self._send(connection, stack, request)
            accumulator = MessageAccumulator(
                lenient=self.profile.lenient,
                request_id=exchange.request_id,
                taken_tool_ids=lambda: _tool_ids(request.messages),
            )
            batches = connection.read(response, MessageReader(accumulator), show)
            await stack.enter_async_context(aclosing(batches))
            is_first = True
            async for events in batches:
                if is_first:
                    is_first = False
                    exchange.began()
                for event in events:
                    yield event

    @override
    async def models(self) -> list[ModelDescription]:
        connection = await self._connection()
        return [
            described
            for entry in await connection.list_models()
            if (described := _described(entry)) is not None
        ]

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
    ) -> tuple[httpx2.Response, Exchange]:
        """Send a request; again where the endpoint refuses an option of it."""
        source = "demo" if self.offline else "endpoint"
        while True:
            parameters = parameters_of(
                request,
                model=self.name,
                profile=self.profile,
                refused=self._refused_options,
            )
            exchange = Exchange(source, secrets=connection.secrets)
            stack.enter_context(exchange)
            try:
                return await connection.send(parameters, stack, exchange), exchange
            except ModelError as error:
                exchange.end(error)
                option = refused_option(error, parameters)
                if option is None or option in self._refused_options:
                    raise
                self._refused_options.add(option)

    # --- the connection ----------------------------------------------------------

    async def _connection(self) -> AnthropicConnection:
        loop = asyncio.get_running_loop()
        task = self._connections.get(loop)
        if task is not None and task is self._known:
            return task.result()
        if task is None or (task.done() and task.exception() is not None):
            for old in [loop for loop in self._connections if loop.is_closed()]:
                del self._connections[old]
            task = loop.create_task(asyncio.to_thread(self._connect))
            self._connections[loop] = task
        # Shielded: other requests may wait for the same one.
        connection = await asyncio.shield(task)
        self._carried_by = connection.transport
        if self._given_profile is None:
            self.profile = EndpointProfile.of(connection.base_url)
        self._known = task
        return connection

    def _make_transport(self) -> httpx2.AsyncBaseTransport | None:
        """Return what carries requests; ``None`` for the SDK's own. For subclasses."""
        if self._transport is not None or self._given_client is not None:
            return self._transport
        from streamchat_nb.agent.direct_transport import (  # noqa: PLC0415 - heavy
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


def _described(entry: object) -> ModelDescription | None:
    """Return an entry of an endpoint's list of models; others list less than it."""
    fields = _fields(entry)
    id_ = fields.get("id")
    if not isinstance(id_, str) or not id_ or fields.get("lifecycle") == "retired":
        return None
    name = fields.get("display_name")
    capabilities = _fields(fields.get("capabilities"))
    efforts = _fields(capabilities.get("effort"))
    return ModelDescription(
        id=id_,
        name=name if isinstance(name, str) and name else id_,
        efforts=tuple(e for e in _EFFORTS if _fields(efforts.get(e)).get("supported")),
        thinking=bool(_fields(capabilities.get("thinking")).get("supported")),
        context_tokens=_context_tokens(fields),
    )


def _context_tokens(fields: dict[str, Any]) -> int | None:
    """Return what an endpoint says of it: Anthropic's, vLLM's or llama.cpp's way."""
    meta = _fields(fields.get("meta"))
    for value in (
        fields.get("max_input_tokens"),
        fields.get("max_model_len"),
        meta.get("n_ctx"),
        meta.get("n_ctx_train"),
    ):
        if type(value) is int and value > 0:
            return value
    return None


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


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
