"""The cells of the notebook that a kernel belongs to, as they were last saved.

A Jupyter server knows which file its kernel was started for, also after it was renamed
and where the file is on another machine. Without one, what the front end told the
kernel is believed: ``JPY_SESSION_NAME``, or in VS Code a variable of its own.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import msgspec

from streamchat_nb.client.discovery import find_server
from streamchat_nb.errors import StreamchatError, ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamchat_nb.client.discovery import ServerAddress

__all__ = ["notebook_cells"]

TIMEOUT_S = 5.0
MOST_BYTES = 64 * 1024 * 1024
_VS_CODE = "__vsc_ipynb_file__"


def notebook_cells(namespace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the saved cells of this kernel's notebook. Blocks, 10 s at most.

    Args:
        namespace: The user's variables: VS Code tells the path there.

    Raises:
        ToolError: It cannot be found or read.
    """
    notebook = _from_server()
    if notebook is None:
        path = _told_path(namespace)
        if path is None:
            raise ToolError(
                "This notebook's file cannot be found from its kernel. Ask the user "
                "for the cells in question."
            )
        try:
            notebook = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            raise ToolError(f"{path.name} cannot be read as a notebook.") from None
    try:
        return msgspec.convert(notebook, _Notebook).cells
    except msgspec.ValidationError:
        raise ToolError("What was found has no cells; is it a notebook?") from None


class _Notebook(msgspec.Struct):
    cells: list[dict[str, Any]]


def _from_server() -> Any:  # noqa: ANN401 - a notebook as JSON
    kernel = _kernel_id()
    if kernel is None:
        return None
    try:
        server = find_server()
        for session in _get(server, "api/sessions"):
            if session["kernel"]["id"] == kernel and session["type"] == "notebook":
                path = quote(session["path"])
                return _get(server, f"api/contents/{path}?type=notebook")["content"]
    except (OSError, ValueError, KeyError, TypeError, StreamchatError):
        return None  # it may be another server's kernel; the file may be at hand
    return None


def _get(server: ServerAddress, path: str) -> Any:  # noqa: ANN401 - any JSON
    headers = {"Authorization": f"token {server.token}"} if server.token else {}
    request = Request(server.url + path, headers=headers)  # noqa: S310 - the server's
    with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        return json.loads(response.read(MOST_BYTES))


def _kernel_id() -> str | None:
    """Return the id under which a server knows this kernel."""
    try:
        from ipykernel.connect import get_connection_file  # noqa: PLC0415 - heavy

        name = Path(get_connection_file()).name
    except (ImportError, RuntimeError):
        return None
    match = re.fullmatch(r"kernel-([0-9a-f-]{36})\.json", name)
    return match[1] if match else None


def _told_path(namespace: Mapping[str, Any]) -> Path | None:
    for told in (os.environ.get("JPY_SESSION_NAME"), namespace.get(_VS_CODE)):
        if isinstance(told, str) and told.endswith(".ipynb"):
            path = Path(told)
            for found in (path, Path.cwd() / path.name):
                if found.is_file():
                    return found
    return None
