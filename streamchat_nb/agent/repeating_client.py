"""The SDK's client, for the same request with ever other content. Import it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic  # noqa: TID253 - this module is itself imported late
import httpx2
from typing_extensions import override

if TYPE_CHECKING:
    from anthropic._models import FinalRequestOptions

__all__ = ["RepeatingClient", "post_message"]

_PATH = "/v1/messages"


class RepeatingClient(anthropic.AsyncAnthropic):
    """Asks for messages, and lets the SDK build and sign what is the same only once.

    The SDK makes each request anew from its options, address and headers, which takes
    longer than all that the request says. Here it makes the first one; those after it
    have its address and headers, and a body of their own. Sending them, and the types
    of what comes back, are the SDK's as ever.

    Only with a credential that stays: a key or a token, and no provider of tokens.
    """

    _options: FinalRequestOptions | None = None
    _first: httpx2.Request | None = None

    async def post_message(self, body: bytes) -> httpx2.Response:
        """Send a request for a message that is to be streamed; return the response.

        It is open: the caller closes it.

        Args:
            body: The request, as JSON.

        Raises:
            AnthropicError: As of the SDK.
        """
        if self._options is None:
            return await post_message(self, body)
        options = self._options.model_copy(
            update={"content": body, "idempotency_key": None}
        )
        response: Any = await self.request(
            httpx2.Response,
            options,
            stream=True,
            stream_cls=anthropic.AsyncStream[Any],
        )
        return response

    @property
    @override
    def user_agent(self) -> str:
        """The SDK's; its own would be made of this class's name."""
        return f"{anthropic.AsyncAnthropic.__name__}/Python {anthropic.__version__}"

    @override
    def _build_request(
        self, options: FinalRequestOptions, **more: Any
    ) -> httpx2.Request:
        body, first = options.content, self._first
        if options.url != _PATH or not isinstance(body, bytes) or self._has_cookies:
            return super()._build_request(options, **more)
        if first is None:
            built = super()._build_request(options, **more)
            if self._idempotency_header is None:  # it would not be the same twice
                self._options = options
                self._first = _copied(built, b"")
            return built
        return _copied(first, body)

    @property
    def _has_cookies(self) -> bool:
        return len(self._client.cookies.jar) > 0


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
    headers = [h for h in request.headers.raw if h[0].lower() != b"content-length"]
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=body,
        extensions=dict(request.extensions),
    )
