from __future__ import annotations

import base64
import json
import random
import time
from urllib.parse import quote

import pytest

from streamchat_nb.agent.cassette_secrets import (
    REMOVED,
    Scrubber,
    environment_secrets,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIcanary\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use sk-ant-api03-canary_1-AA now", f"use {REMOVED} now"),
        ("ghp_0123456789abcdefghij", REMOVED),
        ("github_pat_0123456789abcdefghij", REMOVED),
        ("AKIA0123456789ABCDEF", REMOVED),
        ("hf_0123456789abcdefghij", REMOVED),
        ("xoxb-0123456789-abc", REMOVED),
        ("glpat-0123456789abcdefghij", REMOVED),
        (f"({JWT})", f"({REMOVED})"),
        (f"a {PEM} b", f"a {REMOVED} b"),
        ("Authorization: Bearer canary", f"Authorization: Bearer {REMOVED}"),
        ('{"authorization": "canary"}', f'{{"authorization": "{REMOVED}"}}'),
        ("Proxy-Authorization: Basic Y2E=", f"Proxy-Authorization: Basic {REMOVED}"),
        ("X-Api-Key: canary", f"X-Api-Key: {REMOVED}"),
        ("Cookie: a=1; b=2\nnext", f"Cookie: {REMOVED}\nnext"),
        ("send Bearer canary0123", f"send Bearer {REMOVED}"),
        ("https://ada:pw@host/x", f"https://{REMOVED}@host/x"),
        ("redis://:pw@host", f"redis://{REMOVED}@host"),
        ("http://h/?a=1&token=t&b=2", f"http://h/?a=1&token={REMOVED}&b=2"),
        ("http://h/#access_token=t", f"http://h/#access_token={REMOVED}"),
        ("http://h/?X-Amz-Signature=t", f"http://h/?X-Amz-Signature={REMOVED}"),
        ("ANTHROPIC_API_KEY=canary", f"ANTHROPIC_API_KEY={REMOVED}"),
        ("GH_TOKEN='two words'", f"GH_TOKEN='{REMOVED}'"),
        ('"password": "correct horse"', f'"password": "{REMOVED}"'),
        (r"{\"password\": \"horse\"}", rf"{{\"password\": \"{REMOVED}\"}}"),
        ("client_secret = s3cret99", f"client_secret = {REMOVED}"),
        ("token: a1b2c3d4", f"token: {REMOVED}"),
    ],
)
def test_scrubber_removes_what_looks_like_a_secret(text: str, expected: str) -> None:
    scrubber = Scrubber()
    assert scrubber.text(text) == expected
    assert scrubber.text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The next token is a word, and the key to it is patience.",
        "password = getpass()",
        'token = os.environ["TOKEN"]',
        "api_key: str | None = None",
        "def login(password: str, *, token: Token) -> None",
        "Bearer instruments and basic understanding",
        "ANTHROPIC_API_KEY=$KEY",
        "a scikit-learn task-list, see https://host/path?page=2&code#top",
        "write to ada@example.org",
        "größer · 日本語",
    ],
)
def test_scrubber_leaves_ordinary_text(text: str) -> None:
    assert Scrubber().text(text) == text


def test_scrubber_knows_given_values_in_all_spellings() -> None:
    value = 'canary/"one" two+three'
    scrubber = Scrubber([value])
    encoded = base64.b64encode(value.encode()).decode()
    for form in (value, json.dumps(value)[1:-1], quote(value, safe=""), encoded):
        assert "canary" not in scrubber.text(f"<{form}>")
        assert scrubber.text(f"<{form}>").startswith(f"<{REMOVED}")


def test_scrubber_does_not_take_a_word_for_a_secret() -> None:
    scrubber = Scrubber(["ollama", "none", "", "  ", "lm-studio"])
    text = "none of ollama and lm-studio"
    assert scrubber.text(text) == text


def test_scrubber_looks_at_the_keys_of_objects() -> None:
    found = Scrubber().value(
        {
            "api_key": "x",
            "db_password": "y",
            "nested": [{"Authorization": "z", "n": 1, "none": None}],
            "token": "hello",
            "key": "a1b2c3d4e5",
            "properties": {"password": {"type": "string"}},
        }
    )
    assert found == {
        "api_key": REMOVED,
        "db_password": REMOVED,
        "nested": [{"Authorization": REMOVED, "n": 1, "none": None}],
        "token": "hello",
        "key": REMOVED,
        "properties": {"password": {"type": "string"}},
    }


def test_scrubber_gives_text_that_utf8_can_carry() -> None:
    assert Scrubber().text("half \ud800 pair") == "half ? pair"


def test_scrubbing_twice_changes_nothing_more() -> None:
    choice = random.Random(11)  # noqa: S311 - cases, not secrets
    pieces = [
        *("password", "token", "api_key", "SECRET_KEY", "Authorization", "Cookie"),
        *(":", "=", " ", '"', "'", "\\", "\n", "?", "&", "@", "://", "(", "["),
        *("Bearer", "Basic", "sk-", "abc", "a1b2c3d4e5f6", REMOVED, JWT, "ghp_"),
    ]
    scrubber = Scrubber(["a1b2c3d4e5f6"])
    for _ in range(3_000):
        text = "".join(choice.choices(pieces, k=choice.randint(1, 14)))
        once = scrubber.text(text)
        assert scrubber.text(once) == once, text
        assert "a1b2c3d4e5f6" not in once


@pytest.mark.parametrize(
    "text",
    [
        "password=" * 40_000,
        "password=1" * 40_000 + "(",
        "a-" * 150_000 + "secret",
        "?" + "secret" * 50_000,
        "KEY=" * 80_000,
        "A" * 200_000 + "_KEY",
        'password="' * 40_000,
        "http://" * 50_000,
        "eyJ" * 100_000,
        "bearer " * 50_000,
        "-----BEGIN PRIVATE KEY" * 15_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_makes_it_slow(text: str) -> None:
    started = time.process_time()
    Scrubber(["a1b2c3d4e5f6"]).text(text)
    assert time.process_time() - started < 5


def test_environment_tells_secrets_by_their_names() -> None:
    found = environment_secrets(
        {
            "ANTHROPIC_API_KEY": "one",
            "GH_TOKEN": "two ",
            "DB_PASSWORD": "three",
            "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/key.json",
            "HOME": "/home/ada",
            "KEYBOARD": "us",
        }
    )
    assert found == ["one", "two", "three"]
    assert isinstance(environment_secrets(), list)
