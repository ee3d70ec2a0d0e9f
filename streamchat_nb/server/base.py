"""What every HTTP route of ours shares: identity, Origin, bodies, errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from typing_extensions import override

from streamchat_nb.errors import (
    BadFrame,
    Forbidden,
    InvalidInput,
    StreamchatError,
    TooLarge,
)
from streamchat_nb.protocol.codec import encode, nesting_depth, public_reason
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.content import ErrorBody
from streamchat_nb.protocol.frames import error_body
from streamchat_nb.server.identity import origin_is_ours, principal_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.server.auth import TokenAuthority
    from streamchat_nb.server.connections import Connections
    from streamchat_nb.server.heartbeat import Heartbeat
    from streamchat_nb.server.presence import Audiences
    from streamchat_nb.server.principal import Principal
    from streamchat_nb.server.service import Service

__all__ = [
    "CONVERSATIONS",
    "RESOURCE",
    "Runtime",
    "StreamchatHandler",
    "allowed",
    "allowed_methods",
]

RESOURCE = "streamchat"
CONVERSATIONS = "streamchat.conversations"
CORS_HEADERS = (
    "accept, authorization, content-type, idempotency-key, last-event-id, prefer, "
    "x-xsrftoken"
)

Body = TypeVar("Body", bound=msgspec.Struct)
Method = TypeVar("Method", bound="Callable[..., Awaitable[None]]")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What the routes of one server share.

    Attributes:
        service: The service.
        tokens: Makes and verifies the socket's tokens.
        connections: All that is open.
        heartbeat: Pings the sockets.
        audiences: Who follows which conversation.
        ready: Waits until the service runs; raises what keeps it from starting.
    """

    service: Service
    tokens: TokenAuthority
    connections: Connections
    heartbeat: Heartbeat
    audiences: Audiences
    ready: Callable[[], Awaitable[None]]


def allowed(action: str, resource: str) -> Callable[[Method], Method]:
    """Let a method run only for a logged-in user whom the authorizer allows this."""

    def wrap(method: Method) -> Method:
        guarded = cast("Any", authorized)(action=action, resource=resource)(method)
        return cast("Method", cast("Any", web.authenticated)(guarded))

    return wrap


def allowed_methods(handler: web.RequestHandler) -> str:
    """Return the methods that a route takes, as the header ``Allow`` lists them."""
    none = web.RequestHandler
    return ", ".join(
        method
        for method in handler.SUPPORTED_METHODS
        if getattr(type(handler), method.lower()) is not getattr(none, method.lower())
    )


class StreamchatHandler(APIHandler):
    """Base of our HTTP routes: identity, strict Origin, one shape of errors."""

    @override
    def initialize(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def service(self) -> Service:
        """The service."""
        return self.runtime.service

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return principal_of(self)

    @override
    def set_secure_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set a cookie, as Jupyter does for who logs in.

        Not for who shows the token in a header: they show it again the next time.
        """
        if "Authorization" not in self.request.headers:
            super().set_secure_cookie(*args, **kwargs)

    @override
    def set_cors_headers(self) -> None:
        if self.allow_origin not in ("", "*") or self.allow_origin_pat:
            super().set_cors_headers()

    @override
    @cast("Any", allow_unauthenticated)
    def options(self, *args: Any, **kwargs: Any) -> None:
        """Tell a browser which headers the pages of an allowed origin may send."""
        super().options(*args, **kwargs)
        self.set_header("Access-Control-Allow-Headers", CORS_HEADERS)

    @override
    async def prepare(self) -> None:
        if not origin_is_ours(self):
            self.current_user = None
            raise Forbidden(
                "Requests from another origin are not served.", code="origin_forbidden"
            )
        await super().prepare()
        if self.current_user is not None:
            await self.runtime.ready()

    @override
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, StreamchatError):
            self.set_status(error.http_status)
            body = error_body(error)
            if error.retry_after_ms is not None:
                self.set_header("Retry-After", str(-(-error.retry_after_ms // 1000)))
        else:
            body = _body_of_status(status_code)
            if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                self.set_header("Allow", allowed_methods(self))
        self.set_header("Cache-Control", "no-store")
        self.finish(encode(body))

    @override
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, StreamchatError):
            self.log.info("%s: %s", self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)

    def answer(self, value: object, *, status: int = 200) -> None:
        """Finish with a JSON body."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(encode(value))

    def body(self, type_: type[Body]) -> Body:
        """Decode the request's body.

        Raises:
            TooLarge: Over the limit of a frame.
            BadFrame: Not JSON.
            InvalidInput: A field is wrong; the message names it.
        """
        limits = self.service.settings.limits
        data = self.request.body
        if len(data) > limits.frame_bytes:
            raise TooLarge(f"A body may have at most {limits.frame_bytes} bytes.")
        if nesting_depth(data, limit=limits.json_depth) > limits.json_depth:
            raise TooLarge(f"The body nests deeper than {limits.json_depth} levels.")
        try:
            return msgspec.json.decode(data or b"{}", type=type_)
        except msgspec.ValidationError as error:
            raise InvalidInput(
                f"The body is not valid: {public_reason(error)}"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadFrame("The body is not a JSON object in UTF-8.") from None

    def whole_number(self, name: str, default: int, *, most: int) -> int:
        """Return a query argument as a number of 0 to ``most``.

        Raises:
            InvalidInput: It is not a number.
        """
        text = self.get_query_argument(name, str(default))
        if not re.fullmatch(r"[0-9]{1,15}", text):
            raise InvalidInput(f"{name} must be a whole number.")
        return min(int(text), most)

    def flag(self, name: str) -> bool | None:
        """Return a query argument that is ``true`` or ``false``; ``None`` if absent.

        Raises:
            InvalidInput: It is neither.
        """
        text = self.get_query_argument(name, None)
        if text not in (None, "true", "false"):
            raise InvalidInput(f"{name} must be true or false.")
        return None if text is None else text == "true"

    def since(self) -> Cursor | None:
        """Return the cursor of ``Last-Event-ID`` or ``?since=log:seq``, if any.

        Raises:
            InvalidInput: It is not of that form.
        """
        text = self.request.headers.get("Last-Event-ID") or self.get_query_argument(
            "since", ""
        )
        if not text:
            return None
        match = re.fullmatch(r"([A-Za-z0-9._-]{1,64}):([0-9]{1,15})", text)
        if match is None:
            raise InvalidInput("A cursor has the form log:seq.")
        return Cursor(log=match[1], seq=int(match[2]))


def _body_of_status(status_code: int) -> ErrorBody:
    code, message = {
        401: ("auth_required", "Log in to this server first."),
        403: ("forbidden", "Not allowed; log in, and send the X-XSRFToken header."),
        404: ("not_found", "There is no such route."),
        405: ("method_not_allowed", "This route does not take this method."),
    }.get(
        status_code,
        ("internal_error", "The server failed; its log has the details."),
    )
    return ErrorBody(code=code, message=message)
