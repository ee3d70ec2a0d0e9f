from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streamchat_nb.agent.cassette_request import (
    MEMORY_ADDRESS,
    TIMESTAMP,
    UUID,
    Canon,
    CanonicalRequest,
    nearest,
    request_diff,
)
from streamchat_nb.agent.cassette_secrets import Scrubber
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.errors import UsageError

MODELS = ("claude", "claude")


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def with_call(id_: str, result: str = "5") -> ModelRequest:
    call: dict[str, Any] = {"type": "tool_use", "id": id_, "name": "add", "input": {}}
    end = {"type": "tool_result", "tool_use_id": id_, "content": result}
    return ModelRequest(
        messages=[
            said("What is 2 + 3?"),
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [end]},
        ]
    )


def key(
    request: ModelRequest, *ignore: str, secrets: tuple[str, ...] = ()
) -> CanonicalRequest:
    return Canon(Scrubber(secrets), ignore).request(request)


def test_ids_of_tool_calls_do_not_count() -> None:
    assert key(with_call("toolu_a")) == key(with_call("toolu_b"))
    canonical = Canon(Scrubber()).request(with_call("toolu_a"))
    assert canonical.messages[1].value["content"][0]["id"] == "call_1"
    assert canonical.messages[2].value["content"][0]["tool_use_id"] == "call_1"
    assert Canon(Scrubber()).recorded([canonical]) == [canonical]


def with_picture(data: str) -> ModelRequest:
    source = {"type": "base64", "media_type": "image/png", "data": data}
    picture = {"type": "image", "source": source}
    result = {"type": "tool_result", "tool_use_id": "x", "content": [picture]}
    return ModelRequest(messages=[{"role": "user", "content": [result, picture]}])


def test_pictures_count_and_are_not_kept() -> None:
    assert key(with_picture("QUJD")) == key(with_picture("QUJD"))
    assert key(with_picture("QUJD")) != key(with_picture("QUJE"))
    (part,) = key(with_picture("QUJD")).messages
    assert "QUJD" not in str(part.value)
    assert str(part.value).count("sha256:") == 2


def test_everything_else_counts() -> None:
    request = with_call("toolu_a")
    others = [
        with_call("toolu_a", "6"),
        replace(request, system="Be brief."),
        replace(request, max_tokens=7),
        replace(request, tool_choice="none"),
        replace(request, tools=[{"name": "add"}]),
        replace(request, messages=request.messages[:1]),
    ]
    assert len({key(each) for each in [request, *others]}) == 7


@pytest.mark.parametrize(
    ("pattern", "one", "other"),
    [
        (TIMESTAMP, "at 2026-11-22T10:11:12.5Z.", "at 2026-11-23 00:00:00+01:00."),
        (MEMORY_ADDRESS, "<Table at 0x7f00aa11>", "<Table at 0x7f22bb33>"),
        (
            UUID,
            "id 123e4567-e89b-12d3-a456-426614174000",
            "id 00000000-0000-4000-8000-00000000000A",
        ),
        (r"took \d+ ms", "took 3 ms", "took 4 ms"),
    ],
)
def test_ignored_patterns_do_not_count(pattern: str, one: str, other: str) -> None:
    first, second = with_call("a", one), with_call("a", other)
    assert key(first) != key(second)
    assert key(first, pattern) == key(second, pattern)
    system = ModelRequest(messages=[said(one)], system=one)
    assert key(system, pattern) == key(replace(system, system=other), pattern)


def test_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        Canon(Scrubber(), ["("])


def test_secrets_do_not_count() -> None:
    first = ModelRequest(messages=[said("my key is canary-0123456789")])
    second = ModelRequest(messages=[said("my key is [removed]")])
    known = ("canary-0123456789",)
    assert key(first, secrets=known) == key(second)
    # Whoever plays it may know more than who recorded it.
    (again,) = Canon(Scrubber(known)).recorded([key(first)])
    assert again == key(second)


def test_nearest_shares_the_most_and_is_worded_alike() -> None:
    hello = key(ModelRequest(messages=[said("Hello")]))
    question = key(ModelRequest(messages=[said("What is 2 + 2?")]))
    followed = key(with_call("a"))
    recorded = [hello, question, followed]
    asked = ModelRequest(messages=[said("What is 2 + 4?")])
    assert nearest(key(asked), recorded) == 1
    assert nearest(key(with_call("b", "6")), recorded) == 2
    assert nearest(key(asked), []) is None


def test_diff_shows_what_changed_and_little_else() -> None:
    before = ModelRequest(messages=[said("one\ntwo\nthree")], system="Be brief.")
    after = ModelRequest(messages=[said("one\n2\nthree")], system="Be brief.")
    assert request_diff(key(before), key(after), models=MODELS) == (
        "--- recorded\n"
        "+++ asked\n"
        " messages[0].content[0].text: one\n"
        "-messages[0].content[0].text: two\n"
        "+messages[0].content[0].text: 2\n"
        " messages[0].content[0].text: three"
    )
    assert request_diff(key(before), key(before), models=("a", "b")) == (
        "--- recorded\n+++ asked\n-model: a\n+model: b\n max_tokens: 8192"
    )


def test_diff_shows_the_change_in_a_long_line_and_stays_short() -> None:
    long = "word " * 4_000
    before = ModelRequest(messages=[said(f"{long} old {long}")])
    after = ModelRequest(messages=[said(f"{long} new {long}")])
    diff = request_diff(key(before), key(after), models=MODELS)
    assert " old " in diff
    assert " new " in diff
    assert len(diff) < 1_000
    other = ModelRequest(messages=[said("\n".join(map(str, range(5_000))))])
    diff = request_diff(key(before), key(other), models=MODELS)
    assert len(diff.splitlines()) == 31
    assert diff.splitlines()[-1].endswith("more lines")
