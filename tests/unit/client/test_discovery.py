from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.client import discovery
from streamchat_nb.client.discovery import ServerAddress, find_server
from streamchat_nb.errors import ConnectError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "STREAMCHAT_NB_CONNECTION",
        "STREAMCHAT_NB_TOKEN",
        "STREAMCHAT_NB_URL",
        "JUPYTERHUB_API_TOKEN",
        "JUPYTERHUB_SERVICE_URL",
        "JPY_PARENT_PID",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))


def test_explicit_address_wins_and_is_normalised() -> None:
    address = find_server("http://localhost:8888/user/ada", "t")
    assert address == ServerAddress(url="http://localhost:8888/user/ada/", token="t")
    assert address.api == "http://localhost:8888/user/ada/streamchat/api/"
    assert "t" not in repr(address).replace("http", "").split("url=")[0]
    assert "token" not in repr(address)


@pytest.mark.parametrize("url", ["localhost:8888", "ftp://x/", "javascript:1", "//x"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="http"):
        find_server(url)


@pytest.mark.parametrize("token", ["two words", "a\nb", "é", "tab\t"])
def test_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError, match="copy it again") as caught:
        find_server("http://localhost:8888/", token)
    assert token not in str(caught.value)


def test_token_without_an_address_is_refused() -> None:
    with pytest.raises(UsageError, match="url"):
        find_server(token="t")


def test_variables_name_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMCHAT_NB_TOKEN", "t")
    with pytest.raises(ConnectError, match="STREAMCHAT_NB_URL"):
        find_server()
    monkeypatch.setenv("STREAMCHAT_NB_URL", "http://localhost:8888")
    assert find_server() == ServerAddress(url="http://localhost:8888/", token="t")
    # Another server does not get this one's token.
    assert find_server("http://localhost:9999").token == ""


def test_connection_file_of_the_server_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"url": "http://127.0.0.1:9/", "token": "k"}))
    monkeypatch.setenv("STREAMCHAT_NB_CONNECTION", str(path))
    assert find_server() == ServerAddress(url="http://127.0.0.1:9/", token="k")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}', '{"url": "x"}'])
def test_broken_connection_file_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    monkeypatch.setenv("STREAMCHAT_NB_CONNECTION", str(path))
    with pytest.raises(ConnectError) as caught:
        find_server()
    assert caught.value.code == "server_not_found"


def test_hub_variables_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "h")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", "http://0.0.0.0:8888/user/ada/")
    assert find_server().url == "http://127.0.0.1:8888/user/ada/"


def test_own_parent_is_chosen_among_running_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = [
        {"url": "http://127.0.0.1:1/", "token": "a", "pid": 1},
        {"url": "http://127.0.0.1:2/", "token": "b", "pid": 2},
    ]
    monkeypatch.setattr(
        "jupyter_server.serverapp.list_running_servers", lambda: iter(servers)
    )
    with pytest.raises(ConnectError):
        discovery.find_server()
    monkeypatch.setenv("JPY_PARENT_PID", "2")
    assert discovery.find_server().token == "b"
