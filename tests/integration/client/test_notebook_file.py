"""The cells of a kernel's own notebook: by its server, or by what it was told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.request import Request, urlopen

import nbformat as untyped_nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from streamchat_nb.client.notebook_file import notebook_cells
from streamchat_nb.errors import ToolError
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

nbformat = cast("Any", untyped_nbformat)

READ = """
from streamchat_nb.client.notebook_file import notebook_cells
print([cell["source"] for cell in notebook_cells({})])
"""


def ask(server: ServerProcess, method: str, path: str, body: Any = None) -> Any:
    request = Request(  # noqa: S310 - our own server
        f"{server.address.url}api/{path}",
        method=method,
        headers={"Authorization": f"token {server.address.token}"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310
        return json.loads(response.read() or b"null")


def run(connection_file: Path, code: str) -> str:
    client: Any = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels()
    printed: list[str] = []

    def take(message: Any) -> None:
        content = message["content"]
        printed.append(content.get("text") or "\n".join(content.get("traceback", ())))

    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(code, timeout=60, output_hook=take)
    finally:
        client.stop_channels()
    return "".join(printed)


def test_server_knows_the_notebook_also_when_it_was_renamed() -> None:
    with ServerProcess(application="jupyterlab") as server:
        cell = nbformat.v4.new_code_cell("quince = 17")
        nbformat.write(
            nbformat.v4.new_notebook(cells=[cell]), server.work / "a b.ipynb"
        )
        session = ask(
            server,
            "POST",
            "sessions",
            {
                "path": "a b.ipynb",
                "name": "a b.ipynb",
                "type": "notebook",
                "kernel": {"name": "python3"},
            },
        )
        ask(server, "PATCH", "contents/a%20b.ipynb", {"path": "renamed.ipynb"})
        renamed = {"path": "renamed.ipynb", "name": "renamed.ipynb"}
        ask(server, "PATCH", f"sessions/{session['id']}", renamed)
        kernel = session["kernel"]["id"]
        file = server.connection_file.parent / f"kernel-{kernel}.json"
        assert run(file, READ) == "['quince = 17']\n"
        ask(server, "DELETE", f"sessions/{session['id']}")


def test_what_the_front_end_told_is_believed_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    with pytest.raises(ToolError, match="cannot be found"):
        notebook_cells({})
    path = tmp_path / "own.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_raw_cell("x")]), path
    )
    (cell,) = notebook_cells({"__vsc_ipynb_file__": str(path)})
    assert "".join(cell["source"]) == "x"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    assert notebook_cells({}) == [cell]
    path.write_text("[]")
    with pytest.raises(ToolError, match="no cells"):
        notebook_cells({})
    path.write_text("{")
    with pytest.raises(ToolError, match="cannot be read"):
        notebook_cells({})
