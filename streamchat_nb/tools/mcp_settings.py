"""Which MCP servers there are: read from settings in the shape that others use, too."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

import msgspec

from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["McpSettings", "read_mcp_file", "read_mcp_servers"]

DEFAULT_TIMEOUT_S = 120.0
LEFT_OUT = "[left out]"

_MOST_SERVERS = 32
_MOST_FILE_BYTES = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,40}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_LEAST_SECRET = 4
_HTTP_TYPES = ("http", "streamable-http", "streamableHttp", "streamable_http")


@dataclass(frozen=True, kw_only=True)
class McpSettings:
    """One MCP server: a command to start, or an address to ask.

    ``${NAME}`` and ``${NAME:-default}`` in its texts stand for environment variables;
    they are filled in by ``expanded``, so that no secret stands here before.
    ``${PYTHON}`` is the Python that runs this, unless the environment has another.

    Attributes:
        name: What it is called here; its tools' names begin with it.
        command: Program to start, which speaks over its standard input and output;
            empty where there is a ``url``.
        args: Its arguments.
        env: Its environment, besides a few variables such as ``PATH`` and ``HOME``.
        cwd: The folder it runs in; ``None``: the server's own.
        url: Address of a server that speaks streamable HTTP.
        headers: Sent with each request to it.
        timeout_s: Longest run of one of its tools, in seconds.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S

    def expanded(self, environment: Mapping[str, str]) -> McpSettings:
        """Return it with the environment's values in place of ``${NAME}``.

        Raises:
            UsageError: A variable is not set and has no default; names it.
        """

        def fill(text: str) -> str:
            return _VARIABLE.sub(value_of, text)

        def value_of(match: re.Match[str]) -> str:
            default: str | None = match[2]
            value = environment.get(match[1], default)
            if value is None and match[1] == "PYTHON":
                value = sys.executable
            if value is None:
                raise UsageError(
                    f"The environment variable {match[1]} is not set, which the MCP "
                    f"server {self.name} needs."
                )
            return value

        return McpSettings(
            name=self.name,
            command=fill(self.command),
            args=tuple(fill(text) for text in self.args),
            env={key: fill(text) for key, text in self.env.items()},
            cwd=None if self.cwd is None else fill(self.cwd),
            url=fill(self.url),
            headers={key: fill(text) for key, text in self.headers.items()},
            timeout_s=self.timeout_s,
        )

    def without_secrets(self, text: str) -> str:
        """Return ``text`` without the values of ``env`` and ``headers``.

        The address is cut to its host and path, too. Ask the expanded settings.
        """
        if self.url:
            text = text.replace(self.url, _shown_address(self.url))
        hidden = {*self.headers.values(), *self.env.values()}
        hidden |= {value.rpartition(" ")[2] for value in self.headers.values()}
        for value in sorted(hidden, key=len, reverse=True):
            if len(value) >= _LEAST_SECRET:
                text = text.replace(value, LEFT_OUT)
        return text


def read_mcp_servers(servers: Mapping[str, Any]) -> tuple[McpSettings, ...]:
    """Read MCP servers by name, each ``{"command", …}`` or ``{"url", …}``.

    This is what stands under ``mcpServers`` in the files of other programs. One with
    ``disabled: true`` is passed over, and so are keys that mean nothing here: what
    such a file says of approvals does not count.

    Raises:
        UsageError: One cannot be used; names it and says what to write.
    """
    if len(servers) > _MOST_SERVERS:
        raise UsageError(f"There may be at most {_MOST_SERVERS} MCP servers.")
    read = [_read(str(name), value) for name, value in servers.items()]
    return tuple(server for server in read if server is not None)


def read_mcp_file(path: Path) -> tuple[McpSettings, ...]:
    """Read a JSON file of MCP servers: ``{"mcpServers": {name: {…}}}``.

    What is started runs in the file's folder; its ``cwd`` is relative to that.

    Raises:
        UsageError: It cannot be read, is no such file, or as ``read_mcp_servers``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The file of MCP servers {path} cannot be read: {error.strerror}."
        ) from None
    try:
        value = msgspec.json.decode(data[: _MOST_FILE_BYTES + 1])
    except msgspec.DecodeError as error:
        raise UsageError(
            f"The file of MCP servers {path} is no JSON: {error}."
        ) from None
    servers = _mapping(value).get("mcpServers", _mapping(value).get("servers"))
    if not isinstance(servers, dict):
        raise UsageError(
            f'The file of MCP servers {path} must be {{"mcpServers": {{name: {{…}}}}}}.'
        )
    folder = path.parent.resolve()
    read = read_mcp_servers(cast("dict[str, Any]", servers))
    return tuple(_in_folder(server, folder) for server in read)


def _in_folder(server: McpSettings, folder: Path) -> McpSettings:
    cwd = server.cwd or ""
    if server.url or cwd.startswith("${"):
        return server
    return replace(server, cwd=str(folder / cwd))


def _read(name: str, value: object) -> McpSettings | None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:60]!r} cannot be the name of an MCP server; use 1 to 40 letters, "
            "digits, spaces, '_', '-' and '.'."
        )
    if not isinstance(value, dict):
        raise _wrong(name, 'must be {"command": …} or {"url": …}')
    given = cast("dict[str, Any]", value)
    if given.get("disabled") is True or given.get("enabled") is False:
        return None
    _check_kind(name, given)
    return McpSettings(
        name=name,
        command=_text(name, given, "command"),
        args=_texts(name, given, "args"),
        env=_text_by_name(name, given, "env"),
        cwd=_text(name, given, "cwd") or None,
        url=_text(name, given, "url"),
        headers=_text_by_name(name, given, "headers"),
        timeout_s=_seconds(name, given, "timeout_s"),
    )


def _check_kind(name: str, given: dict[str, Any]) -> None:
    if bool(given.get("command")) == bool(given.get("url")):
        raise _wrong(name, "needs a command to start or a url to ask, one of them")
    kind = given.get("type")
    if kind == "sse":
        raise _wrong(name, "speaks SSE, which MCP has given up; use streamable HTTP")
    known = _HTTP_TYPES if given.get("url") else ("stdio",)
    if kind is not None and kind not in known:
        raise _wrong(name, f"must be of type {known[0]!r}, or of none")
    unused = ("headers",) if given.get("command") else ("args", "env", "cwd")
    if wrong := [key for key in unused if given.get(key)]:
        what = "command" if given.get("command") else "url"
        raise _wrong(name, f"has {wrong[0]}, which goes not with a {what}")
    url = given.get("url") or "https://{VARIABLE}"
    if isinstance(url, str) and not url.startswith(("http://", "https://", "${")):
        raise _wrong(name, "must have a url that begins with http:// or https://")


def _text(name: str, given: dict[str, Any], key: str) -> str:
    value = given.get(key) or ""
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(name, f"must have text as its {key}")
    return value


def _texts(name: str, given: dict[str, Any], key: str) -> tuple[str, ...]:
    value: object = given.get(key) or []
    items = cast("list[object]", value) if isinstance(value, (list, tuple)) else [None]
    if not all(isinstance(item, str) for item in items):
        raise _wrong(name, f"must have a list of texts as its {key}")
    return tuple(cast("list[str]", items))


def _text_by_name(name: str, given: dict[str, Any], key: str) -> dict[str, str]:
    value: object = given.get(key) or {}
    if not isinstance(value, dict):
        raise _wrong(name, f"must have texts by name as its {key}")
    items = cast("dict[object, object]", value)
    if not all(isinstance(text, str) for pair in items.items() for text in pair):
        raise _wrong(name, f"must have texts by name as its {key}")
    return cast("dict[str, str]", dict(items))


def _seconds(name: str, given: dict[str, Any], key: str) -> float:
    value = given.get(key, DEFAULT_TIMEOUT_S)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise _wrong(name, f"must have a number above 0 as its {key}")
    return float(value)


def _wrong(name: str, what: str) -> UsageError:
    return UsageError(f"The MCP server {name} {what}.")


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _shown_address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return LEFT_OUT
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
