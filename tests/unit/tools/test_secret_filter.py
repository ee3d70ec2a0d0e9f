from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.tools.secret_filter import SecretFilter

# Put together here, so that no scanner of this repository takes them for real.
SECRETS = [
    "sk-" + "ant-api03-" + "aB3" * 12,
    "sk-" + "proj-" + "aB3" * 12,
    "sk_live_" + "aB3" * 8,
    "ghp_" + "aB3" * 12,
    "github_pat_" + "aB3_" * 10,
    "glpat-" + "aB3-" * 6,
    "hf_" + "aB3" * 10,
    "xoxb-" + "123-" * 6,
    "AKIA" + "ABCDEFGH12345678",
    "AIza" + "aB3" * 12,
    "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIE\nabc and what follows a cut",
]
IN_A_TEXT = [
    ("postgres://ada:{}@db.example/x", "lovelace1815"),
    ("Authorization: Bearer {}", "abcdefghij0123456789"),
    ("Config(user='ada', password='{}')", "lovelace1815"),
    ('{{"api_key": "{}"}}', "lovelace1815"),
    ("AUTH_TOKEN={} python run.py", "lovelace1815"),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "key: {}, next", '"{}"', "a\n{}\nb", "({})"])
def test_secret_is_left_out_of_a_text(secret: str, around: str) -> None:
    secrets = SecretFilter()
    text = secrets.without_secrets(around.format(secret))
    assert secret not in text
    assert secret[12:] not in text
    assert "[secret left out]" in text
    assert secrets.found
    assert SecretFilter().without_secrets(text) == text


@pytest.mark.parametrize(("text", "secret"), IN_A_TEXT)
def test_only_the_secret_goes(text: str, secret: str) -> None:
    shown = SecretFilter().without_secrets(text.format(secret))
    assert shown == text.format("[secret left out]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-learn and task-oriented risk-assessment-of-everything",
        "a token: the smallest unit of a text",
        "password: **** or <hidden>",
        "https://example.org:8080/path?a=b",
        "eyJhbGciOiJIUzI1NiJ9",
        "-----BEGIN PUBLIC KEY-----\nabc",
        "12:30@noon",
        "the secret of happiness",
    ],
)
def test_text_without_a_secret_stays(text: str) -> None:
    secrets = SecretFilter()
    assert secrets.without_secrets(text) == text
    assert not secrets.found


@pytest.mark.parametrize(
    "name",
    [
        *("password", "Password", "user_password", "passwordHash", "pwd", "db_passwd"),
        *("secret", "client_secret", "clientSecret", "token", "accessToken", "token2"),
        *("api_key", "apikey", "APIKey", "OPENAI_API_KEY", "private-key", "token (2)"),
        *(
            "AWS_SECRET_ACCESS_KEY",
            "credentials",
            "auth token",
            "session.cookie",
            "jwt",
        ),
    ],
)
def test_name_of_a_secret(name: str) -> None:
    assert SecretFilter.hides(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "key", "keys", "tokens", "n_tokens", "token_count", "monkey", "keyboard"),
        *("secretary", "tokenizer", "passenger", "price", "primary_key", "sort_key"),
        *("access", "api", "author", "compass", "word_token_id"),
    ],
)
def test_name_of_something_else(name: str) -> None:
    assert not SecretFilter.hides(name)


@given(st.text(), st.sampled_from(SECRETS), st.text())
def test_secret_never_stays_in_any_text(before: str, secret: str, after: str) -> None:
    text = SecretFilter().without_secrets(f"{before} {secret} {after}")
    assert secret[12:30] not in text


@pytest.mark.parametrize(
    "piece", ["eyJ", "sk-", "-----BEGIN PRIVATE KEY", "a://", "password=", "bearer "]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    SecretFilter().without_secrets(text)
    assert time.perf_counter() - began < 2
