"""The chat as a full page, for a browser tab."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from typing_extensions import override

from streamchat_nb._version import __version__
from streamchat_nb.errors import StreamchatError
from streamchat_nb.server.base import RESOURCE, Runtime, allowed

__all__ = ["STATIC_DIRECTORY", "PageHandler"]

STATIC_DIRECTORY = Path(__file__).parent.parent / "widget" / "static"

_PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="{viewport}">
<meta name="referrer" content="no-referrer">
<title>streamchat</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{static}widget.css?v={version}">
<script type="module" src="{static}page.js?v={version}"></script>
</head>
<body class="streamchat-page" data-base-url="{base_url}">
<noscript lang="en">This page needs JavaScript.</noscript>
</body>
</html>
"""

# To the edges of a phone's screen, and above its keyboard.
_VIEWPORT = (
    "width=device-width, initial-scale=1, viewport-fit=cover, "
    "interactive-widget=resizes-content"
)

_PROBLEM = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>streamchat: not available</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>The chat is not available</h1>
<p>{message}</p>
<p><a href="">Try again</a></p>
</body>
</html>
"""

_POLICY = "; ".join(  # noqa: FLY002 - one directive a line reads better
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
)


class PageHandler(JupyterHandler):
    """``GET`` on the bare prefix."""

    @property
    @override
    def content_security_policy(self) -> str:
        return _POLICY

    @override
    def initialize(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the page; a browser that is not logged in goes to the login."""
        await self._runtime.ready()
        _ = self.xsrf_token
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(  # pyright: ignore[reportUnknownMemberType]
            _PAGE.format(
                static=escape(f"{self.base_url}streamchat/static/"),
                base_url=escape(self.base_url),
                version=escape(__version__),
                viewport=_VIEWPORT,
            )
        )

    @override
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if not isinstance(error, StreamchatError):
            super().write_error(status_code, **kwargs)
            return
        self.set_status(error.http_status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(_PROBLEM.format(message=escape(error.message)))  # pyright: ignore[reportUnknownMemberType]

    @override
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # What keeps the service from starting is logged where it happens.
        if not isinstance(value, StreamchatError):
            super().log_exception(typ, value, tb)
