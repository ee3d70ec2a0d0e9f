"""A server that records what its model says, and others that play it without one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.agent.cassette_lines import decode_exchanges
from streamchat_nb.client.sync_client import connect_sync
from streamchat_nb.errors import InvalidInput, UsageError
from streamchat_nb.server.agents import AgentChoice
from streamchat_nb.server.settings import Settings
from streamchat_nb.server.wiring import make_agent, make_model
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.client.answer import Answer

KEY = "canary-0123456789"


def ask(server: ServerProcess, *texts: str) -> list[Answer]:
    with connect_sync(server.address.url, server.address.token) as client:
        return [client.create().ask(text, timeout_s=60) for text in texts]


def test_server_records_with_an_endpoint_and_plays_without_one() -> None:
    option = "--StreamchatExtension.cassette=recordings/chat.jsonl"
    with running_fake_endpoint() as url:
        credential = {"ANTHROPIC_AUTH_TOKEN": KEY, "CI": ""}
        address = f"--StreamchatExtension.base_url={url}"
        with ServerProcess([option, address], environment=credential) as server:
            live = ask(server, "Who is Ada?", "hello")
            data = (server.work / "recordings" / "chat.jsonl").read_bytes()
    assert len(decode_exchanges(data)) == 3
    assert KEY.encode() not in data
    with ServerProcess([option], environment={"CI": "true"}) as server:
        path = server.work / "recordings" / "chat.jsonl"
        path.parent.mkdir()
        path.write_bytes(data)
        for _ in range(2):
            again = ask(server, "hello", "Who is Ada?")
            assert [answer.text for answer in again] == [live[1].text, live[0].text]
            assert again[1].tool_calls[0].output == live[0].tool_calls[0].output
        (changed,) = ask(server, "hello there")
        assert path.read_bytes() == data
    assert changed.status == "failed"
    assert changed.error is not None
    assert changed.error.code == "model_cassette_mismatch"
    assert "text: hello there" in changed.error.message
    assert json.dumps(changed.error.details) == '{"cassette": "chat.jsonl"}'


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Settings(cassette=tmp_path / "chat.jsonl")


def test_stand_in_for_a_model_is_not_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(settings)
    assert isinstance(model, CassetteModel)
    assert not model.offline
    with pytest.raises(UsageError, match="credential"):
        make_model(replace(settings, cassette_mode="record"))
    offline = make_model(
        replace(settings, model="offline-demo", cassette_mode="record")
    )
    assert (offline.name, offline.offline) == ("offline-demo", True)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert make_model(replace(settings, cassette_mode="record")).secrets() == (KEY,)


def test_agent_of_ones_own_takes_its_cassette_itself(settings: Settings) -> None:
    with pytest.raises(UsageError, match="CassetteModel"):
        make_agent(replace(settings, agent="json:loads"), AgentChoice())


def test_cassette_of_a_client_is_below_the_root(
    settings: Settings, tmp_path: Path
) -> None:
    plain = replace(settings, cassette=None)
    agent = make_agent(plain, AgentChoice(cassette="a/chat.jsonl"), root=tmp_path)
    assert isinstance(agent, AnthropicAgent)
    assert isinstance(agent.model, CassetteModel)
    outside = AgentChoice(cassette="../chat.jsonl", cassette_mode="replay")
    with pytest.raises(InvalidInput, match="within it"):
        make_agent(plain, outside, root=tmp_path)
    with pytest.raises(InvalidInput, match="no cassettes"):
        make_agent(plain, AgentChoice(cassette="a/chat.jsonl"))
