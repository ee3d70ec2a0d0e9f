from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.agent.endpoint import (
    EndpointProfile,
    credential_hint,
    has_credential,
    is_anthropic_url,
    resolve_endpoint,
)
from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-ant-real"
TOKEN = "gateway-token"
BOTH = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": TOKEN}


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave the SDK no credential; return the folder of its profiles."""
    for name in (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_PROFILE",
        "ANTHROPIC_IDENTITY_TOKEN",
        "ANTHROPIC_IDENTITY_TOKEN_FILE",
        "ANTHROPIC_CONFIG_DIR",
        "XDG_CONFIG_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path / ".config" / "anthropic"


def test_endpoint_default_is_anthropic_with_its_key() -> None:
    endpoint = resolve_endpoint(environment=BOTH)
    assert (endpoint.base_url, endpoint.api_key) == (None, KEY)
    assert endpoint.auth_token is None
    assert endpoint.headers == {}


def test_endpoint_anthropic_token_is_used_without_a_key() -> None:
    endpoint = resolve_endpoint(environment={"ANTHROPIC_AUTH_TOKEN": TOKEN})
    assert (endpoint.api_key, endpoint.auth_token) == (None, TOKEN)


def test_endpoint_explicit_key_goes_first() -> None:
    assert resolve_endpoint(api_key="mine", environment=BOTH).api_key == "mine"


@pytest.mark.parametrize("explicit", [True, False])
def test_endpoint_another_host_never_gets_the_anthropic_key(*, explicit: bool) -> None:
    url = "http://127.0.0.1:4000"
    environment = BOTH if explicit else {**BOTH, "ANTHROPIC_BASE_URL": url}
    endpoint = resolve_endpoint(url if explicit else None, environment=environment)
    assert endpoint.base_url == url
    assert endpoint.api_key == TOKEN
    assert endpoint.headers == {
        "X-Api-Key": TOKEN,
        "Authorization": f"Bearer {TOKEN}",
    }
    assert KEY not in str([endpoint.api_key, endpoint.auth_token, endpoint.headers])


def test_endpoint_another_host_without_token_gets_the_word_none() -> None:
    endpoint = resolve_endpoint("http://h", environment={"ANTHROPIC_API_KEY": KEY})
    assert endpoint.api_key == "none"


def test_endpoint_another_host_takes_an_explicit_key() -> None:
    assert resolve_endpoint("http://h", "mine", environment=BOTH).api_key == "mine"


def test_endpoint_repr_shows_no_credential() -> None:
    shown = repr(resolve_endpoint("http://h", "mine", environment=BOTH))
    assert "mine" not in shown


@pytest.mark.parametrize(
    ("url", "its_own"),
    [
        ("https://api.anthropic.com", True),
        ("https://API.Anthropic.com:443/x", True),
        ("http://api.anthropic.com", False),
        ("https://anthropic.com.evil.example", False),
        ("https://evilanthropic.com", False),
        ("https://api.anthropic.com@evil.example", False),
        ("http://127.0.0.1", False),
    ],
)
def test_is_anthropic_url(url: str, *, its_own: bool) -> None:
    assert is_anthropic_url(url) is its_own
    assert EndpointProfile.of(url).lenient is not its_own
    assert EndpointProfile.of(url).caching is its_own


@pytest.mark.parametrize(
    "suffix", ["/v1", "/v1/", "/v1/messages", "/v1/messages/", "/v1//"]
)
def test_endpoint_doubled_path_is_stripped_with_a_warning(
    suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        endpoint = resolve_endpoint(f"http://h:1/gateway{suffix}", environment={})
    assert endpoint.base_url == "http://h:1/gateway"
    assert "left out for host h" in caplog.text


@pytest.mark.parametrize("url", ["http://h", " http://h/ ", "http://h//"])
def test_endpoint_plain_url_is_kept_without_a_warning(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert resolve_endpoint(url, environment={}).base_url == "http://h"
    assert not caplog.records


def test_endpoint_empty_variable_means_anthropic() -> None:
    endpoint = resolve_endpoint(environment={"ANTHROPIC_BASE_URL": " "})
    assert endpoint.base_url == "https://api.anthropic.com"


@pytest.mark.parametrize(
    "url",
    ["localhost:11434", "ftp://h", "https://", "http://h:port", "http://a\\@b", "x y"],
)
def test_endpoint_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="base_url must be an address"):
        resolve_endpoint(url, environment={})


def test_endpoint_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint("https://user:hunter2@h", environment={})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["a b", "a\nb", "schlüssel", "“quoted”"])
def test_endpoint_impossible_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(UsageError, match="a character that no key has") as caught:
        resolve_endpoint(api_key=key, environment={})
    assert key not in str(caught.value)


def test_endpoint_white_space_around_a_key_is_removed() -> None:
    environment = {"ANTHROPIC_API_KEY": f" {KEY}\n"}
    assert resolve_endpoint(environment=environment).api_key == KEY


# --- is there a credential? ------------------------------------------------------


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
@pytest.mark.usefixtures("no_credentials")
def test_has_credential_by_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_credential()
    monkeypatch.setenv(name, " ")
    assert not has_credential()
    monkeypatch.setenv(name, "x")
    assert has_credential()


@pytest.mark.usefixtures("no_credentials")
def test_has_credential_another_endpoint_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert has_credential("http://127.0.0.1:11434")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:11434")
    assert has_credential()


def test_has_credential_without_a_trace_of_one_does_without_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("ANTHROPIC_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "anthropic", None)  # importing it raises
    monkeypatch.setenv("ANTHROPIC_API_KEY", " ")
    assert not has_credential()
    (tmp_path / ".config" / "anthropic").mkdir(parents=True)
    with pytest.raises(ImportError):
        has_credential()


def test_has_credential_by_profile(
    no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(no_credentials))
    folder = no_credentials / "configs"
    folder.mkdir(parents=True)
    authentication = {"type": "user_oauth", "client_id": "x"}
    profile = {"version": "1.0", "authentication": authentication}
    (folder / "default.json").write_text(json.dumps(profile))
    assert has_credential()


def test_has_credential_unreadable_configuration_does_not_count(
    no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError

    assert not no_credentials.exists()
    monkeypatch.setattr("anthropic.Anthropic", refuse)
    assert not has_credential()


@pytest.mark.usefixtures("no_credentials")
def test_has_credential_broken_configuration_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_PROFILE", "missing")
    assert has_credential()


def test_credential_hint_names_what_to_set() -> None:
    for name in ("ANTHROPIC_API_KEY", "base_url", "ANTHROPIC_AUTH_TOKEN"):
        assert name in credential_hint()
