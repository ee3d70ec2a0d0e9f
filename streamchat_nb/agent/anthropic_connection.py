"""One event loop's line to an endpoint, by the SDK. Import this module late."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anthropic  # noqa: TID253 - this module is itself imported late
import httpx2
import msgspec

from streamchat_nb.agent.anthropic_errors import SDK_ERRORS, translate_error
from streamchat_nb.agent.aws_event_stream import AWS_EVENT_STREAM, server_sent
from streamchat_nb.agent.direct_transport import DirectTransport, direct_body
from streamchat_nb.agent.endpoint import client_secrets
from streamchat_nb.agent.model_errors import model_error, response_request_id
from streamchat_nb.agent.repeating_client import RepeatingClient, post_message
from streamchat_nb.agent.request_trace import note_request
from streamchat_nb.agent.short_cut import ShortCut
from streamchat_nb.agent.wait_limit import WaitLimit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anthropic._response import AsyncAPIResponse

    from streamchat_nb.agent.endpoint import Endpoint
    from streamchat_nb.agent.message_reader import MessageReader
    from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent
    from streamchat_nb.agent.request_trace import Exchange

__all__ = ["AnthropicConnection"]

_CONNECT_TIMEOUT_S = 10.0
_DRAIN_TIMEOUT_S = 0.2


class AnthropicConnection:
    """Sends requests by the SDK and reads what comes back.

    Making one takes tens of milliseconds (certificates): off the event loop.

    Args:
        endpoint: Where to.
        transport: Carries the requests; ``None`` for the network.
        client: A ready SDK client to use in place of one for ``endpoint``; stays
            open on ``close``.
        no_progress_timeout_s: Longest wait for a response, and for its next part.

    Attributes:
        transport: As ``Model.transport`` says it.

    Raises:
        ModelError: ``model_credential_missing``, a profile that cannot be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        client: anthropic.AsyncAnthropic | None = None,
        no_progress_timeout_s: float = 60.0,
    ) -> None:
        self._owns_client = client is None
        self._client = client or _make_client(endpoint, transport)
        self._timeout_s = no_progress_timeout_s
        self.transport = _name_of(transport)
        # Those of a client that repeats its requests stay.
        is_repeating = isinstance(self._client, RepeatingClient)
        self._secrets = client_secrets(self._client) if is_repeating else None
        # Here and not with the first request: it imports modules.
        self._create = self._client.messages.with_streaming_response.create

    @property
    def base_url(self) -> str:
        """The address in use."""
        return str(self._client.base_url)

    async def send(
        self,
        parameters: dict[str, Any],
        stack: contextlib.AsyncExitStack,
        exchange: Exchange,
    ) -> httpx2.Response:
        """Send a request and return its response: open, to be closed by ``stack``.

        Args:
            parameters: Those of the request.
            stack: Closes the response.
            exchange: Notes what goes out and what comes.

        Raises:
            ModelError: There was no response within the time, or not a good one.
        """
        client = self._client
        if self._owns_client and not (
            client.api_key or client.auth_token or client.credentials
        ):
            raise model_error("model_credential_missing")
        try:
            with exchange.listen():
                async with asyncio.timeout(self._timeout_s):
                    response = await self._post(parameters, stack)
        except SDK_ERRORS as error:
            if isinstance(error, anthropic.APIStatusError):
                exchange.answered(error.response)
            raise translate_error(error, secrets=client_secrets(client)) from None
        exchange.answered(response)
        return response

    async def _post(
        self, parameters: dict[str, Any], stack: contextlib.AsyncExitStack
    ) -> httpx2.Response:
        if not self._owns_client:  # it may need the parameters, to write them its way
            answer: AsyncAPIResponse[Any] = await stack.enter_async_context(
                cast("Any", self._create)(**parameters)
            )
            return answer.http_response
        # The SDK would look at each part of a long history, which takes milliseconds.
        body = msgspec.json.encode(parameters)
        if isinstance(self._client, RepeatingClient):
            response = await self._client.post_message(body)
        else:
            response = await post_message(self._client, body)
        stack.push_async_callback(response.aclose)
        return response

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials in use."""
        known = self._secrets
        return client_secrets(self._client) if known is None else known

    async def list_models(self) -> list[object]:
        """Return the entries of the endpoint's list of models, as it gives them.

        Raises:
            ModelError: There was no list within the time.
        """
        client = self._client
        get = cast("Any", client.get)
        try:
            async with asyncio.timeout(self._timeout_s):
                body: object = await get(
                    "/v1/models", cast_to=object, options={"params": {"limit": 1000}}
                )
        except SDK_ERRORS as error:
            raise translate_error(error, secrets=client_secrets(client)) from None
        entries = cast("dict[str, object]", body) if isinstance(body, dict) else {}
        found = entries.get("data")
        return cast("list[object]", found) if isinstance(found, list) else []

    async def read(
        self,
        response: httpx2.Response,
        reader: MessageReader,
        show: Callable[[ModelBlockDelta], bool] | None = None,
    ) -> AsyncGenerator[list[ModelEvent]]:
        """Yield what the bytes of a response mean, a batch for each piece read.

        Ends once the message is whole, and returns the connection for the next.

        Args:
            response: Open.
            reader: Of this response.
            show: See ``Model.stream_showing``.

        Raises:
            ModelError: The message cannot become whole: also when nothing but pings
                came for too long, not counting the time the consumer took.
        """
        limit = WaitLimit(self._timeout_s)
        short_cut = None if show is None else ShortCut(reader, show, limit)
        async with _reading(response, short_cut) as read:
            try:
                while not reader.complete:
                    chunk = await limit.wait(read())
                    progress = reader.progress
                    if chunk:
                        events = reader.feed(chunk)
                    elif chunk is None and short_cut is not None:
                        events = short_cut.kept()
                    else:
                        yield reader.end()
                        reader.check()
                        return
                    if reader.progress != progress:
                        limit.reset()
                    if events:
                        yield events
                    reader.check()
                await _drain(read)
            except SDK_ERRORS as error:
                request_id = response_request_id(response.headers)
                raise translate_error(
                    error, request_id=request_id, answering=True
                ) from None
            finally:
                limit.close()

    async def close(self) -> None:
        """Close the connections; of a given client nothing. Idempotent."""
        if self._owns_client:
            await self._client.close()


def _make_client(
    endpoint: Endpoint, transport: httpx2.AsyncBaseTransport | None
) -> anthropic.AsyncAnthropic:
    timeout = httpx2.Timeout(None, connect=_CONNECT_TIMEOUT_S)
    hooks = {"request": [note_request]}
    # A redirect is not followed: it would carry the credential to another host.
    if transport is None:
        http_client = anthropic.DefaultAsyncHttpxClient(
            timeout=timeout, follow_redirects=False, event_hooks=hooks
        )
    else:
        http_client = httpx2.AsyncClient(
            transport=transport,
            timeout=timeout,
            follow_redirects=False,
            event_hooks=hooks,
        )
    make = anthropic.AsyncAnthropic
    # Without a credential that stays, the SDK looks for a provider of them: only it.
    if endpoint.api_key or endpoint.auth_token:
        make = partial(RepeatingClient, transport=transport)
    try:
        return make(
            api_key=endpoint.api_key,
            auth_token=endpoint.auth_token,
            base_url=endpoint.base_url,
            default_headers=endpoint.headers,
            http_client=http_client,
            max_retries=0,
            timeout=timeout,
        )
    except anthropic.AnthropicError:
        reason = "The configured profile cannot be used."
        raise model_error("model_credential_missing", reason=reason) from None


def _name_of(transport: httpx2.AsyncBaseTransport | None) -> str:
    if transport is None:
        return "sdk"
    return "direct" if isinstance(transport, DirectTransport) else ""


@contextlib.asynccontextmanager
async def _reading(
    response: httpx2.Response, short_cut: ShortCut | None
) -> AsyncGenerator[Callable[[], Awaitable[bytes | None]]]:
    """Give what reads the body of a response: its next bytes, none at the end.

    ``None`` where the short cut took them.
    """
    body = direct_body(response)
    if body is not None:
        fields = body.head.fields
        coding = fields.get(b"content-encoding", b"identity").decode("latin-1")
        kind = fields.get(b"content-type", b"").decode("latin-1")
    else:
        coding = response.headers.get("content-encoding", "identity")
        kind = response.headers.get("content-type", "")
    is_plain, kind = coding == "identity", kind.partition(";")[0].strip()
    if body is not None and is_plain and kind != AWS_EVENT_STREAM:
        body.tap(None if short_cut is None else short_cut.take)
        try:
            yield body.read
        finally:
            body.tap(None)
        return
    chunks = response.aiter_raw() if is_plain else response.aiter_bytes()
    if kind == AWS_EVENT_STREAM:
        chunks = server_sent(chunks)
    async with contextlib.aclosing(chunks):
        yield lambda: anext(chunks, b"")


async def _drain(read: Callable[[], Awaitable[bytes | None]]) -> None:
    """Read the little that follows a whole message, so the connection is kept."""
    with contextlib.suppress(*SDK_ERRORS):
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            while await read() != b"":
                pass
