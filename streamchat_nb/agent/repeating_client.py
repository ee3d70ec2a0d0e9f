"""The SDK's client, for the same request with ever other content. Import it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic  # noqa: TID253 - this module is itself imported late
import httpx2
from typing_extensions import override

from streamchat_nb.agent.direct_transport import DirectTransport
from streamchat_nb.agent.request_trace import note_content

if TYPE_CHECKING:
    from anthropic._models import FinalRequestOptions

__all__ = ["RepeatingClient", "post_message"]

_PATH = "/v1/messages"


class RepeatingClient(anthropic.AsyncAnthropic):
    """Asks for messages, and lets the SDK build and sign what is the same only once.

    The SDK makes each request anew from its options, address and headers, and sends it
    through two clients, which takes longer than all that the request says. Here it
    makes and sends the first one; those after it have its address and headers, and a
    body of their own, and go straight to the transport. Where there is more to a
    request (cookies, a password in the address) the SDK makes those too. The types of
    errors are the SDK's as ever.

    Only with a credential that stays: a key or a token, and no provider of tokens.

    Args:
        transport: That of ``http_client``; ``None`` where it chooses one itself.
        http_client: Follows no redirects.
        options: Those of the SDK's client.
    """

    def __init__(
        self,
        *,
        transport: httpx2.AsyncBaseTransport | None,
        http_client: httpx2.AsyncClient,
        **options: Any,  # noqa: ANN401 - as of the SDK
    ) -> None:
        super().__init__(http_client=http_client, **options)
        self._transport = transport
        self._http_client = http_client
        self._first: httpx2.Request | None = None

    async def post_message(self, body: bytes) -> httpx2.Response:
        """Send a request for a message that is to be streamed; return the response.

        It is open: the caller closes it. Cancelled, it closes its connection.

        Args:
            body: The request, as JSON.

        Raises:
            AnthropicError: As of the SDK.
            TransportError: There is no response.
        """
        if self._first is None or self._has_cookies:
            return await post_message(self, body)
        if isinstance(self._transport, DirectTransport):
            request = self._first
            note_content(request, body)
            response = await self._transport.repeat(request, body)
            response.request = request
            self._http_client.cookies.extract_cookies(response)
        elif self._transport is None:
            request = _copied(self._first, body)
            response = await self._http_client.send(request, stream=True)
        else:
            request = _copied(self._first, body)
            for note in self._http_client.event_hooks["request"]:
                await note(request)
            response = await self._transport.handle_async_request(request)
            response.request = request
            self._http_client.cookies.extract_cookies(response)
        if response.is_success:
            return response
        try:
            await response.aread()
        finally:
            await response.aclose()
        raise self._make_status_error_from_response(response)

    @property
    @override
    def user_agent(self) -> str:
        """The SDK's; its own would be made of this class's name."""
        return f"{anthropic.AsyncAnthropic.__name__}/Python {anthropic.__version__}"

    @override
    def _build_request(
        self, options: FinalRequestOptions, **more: Any
    ) -> httpx2.Request:
        built = super()._build_request(options, **more)
        if (
            options.url == _PATH
            and isinstance(options.content, bytes)
            and not (self._has_cookies or built.url.userinfo)
            and self._idempotency_header is None  # it would not be the same twice
        ):
            self._first = _copied(built, b"")
        return built

    @property
    def _has_cookies(self) -> bool:
        return len(self._http_client.cookies.jar) > 0


async def post_message(
    client: anthropic.AsyncAnthropic, body: bytes
) -> httpx2.Response:
    """Do as ``RepeatingClient.post_message``, with any client of the SDK."""
    response: Any = await client.post(
        _PATH,
        content=body,
        cast_to=httpx2.Response,
        stream=True,
        stream_cls=anthropic.AsyncStream[Any],
    )
    return response


def _copied(request: httpx2.Request, body: bytes) -> httpx2.Request:
    """Return a request with another body, without looking at all of it again."""
    headers = httpx2.Headers(request.headers)
    headers["Content-Length"] = str(len(body))
    copied = httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        stream=httpx2.ByteStream(body),
        extensions=request.extensions,
    )
    copied.read()
    return copied
