from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from streamchat_nb.agent.repair import INTERRUPTED, own_id, repair, size_bytes, trim
from streamchat_nb.testing.request_validation import check_request

Message = dict[str, Any]


def user(*content: Any) -> Message:
    return {"role": "user", "content": blocks(content)}


def assistant(*content: Any) -> Message:
    return {"role": "assistant", "content": blocks(content)}


def blocks(content: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": c} if isinstance(c, str) else c for c in content]


def use(id_: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def result(id_: str, content: object = "fine") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content}


def missing(id_: str) -> dict[str, Any]:
    return {**result(id_, INTERRUPTED), "is_error": True}


THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "hm", "signature": "s"}
GO_ON = "Continue."
CUT = "[Earlier messages are left out here.]"
SERVER_USE: dict[str, Any] = {
    "type": "server_tool_use",
    "id": "s1",
    "name": "web_search",
    "input": {},
}
SERVER_RESULT: dict[str, Any] = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [],
}


def check(history: list[Message]) -> None:
    check_request({"model": "m", "max_tokens": 1, "messages": history})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], []),
        ([user("a")], [user("a")]),
        ([{"role": "user", "content": "a"}], [user("a")]),
        (
            [user("a"), assistant("b"), user("c")],
            [user("a"), assistant("b"), user("c")],
        ),
        # roles
        ([user("a"), user("b")], [user("a", "b")]),
        ([user("a"), assistant("b")], [user("a"), assistant("b"), user(GO_ON)]),
        ([assistant("b"), user("c")], [user(CUT), assistant("b"), user("c")]),
        (
            [user("a"), {"role": "system", "content": "x"}, {"content": "y"}],
            [user("a")],
        ),
        # what is empty
        ([user("a"), assistant(" \n"), user("", "b")], [user("a", "b")]),
        ([user(), {"role": "user"}], []),
        ([user("a"), assistant(), user("b")], [user("a", "b")]),
        # thinking
        (
            [
                user("a"),
                assistant({"type": "thinking", "thinking": "x"}, "b"),
                user("c"),
            ],
            [user("a"), assistant("b"), user("c")],
        ),
        (
            [user("a"), assistant(THOUGHT, "b", THOUGHT, THOUGHT), user("c")],
            [user("a"), assistant(THOUGHT, "b"), user("c")],
        ),
        ([user("a"), assistant(THOUGHT), user("c")], [user("a", "c")]),
        # blocks of the other role
        (
            [user("a", use("x"), THOUGHT), assistant("b", result("x")), user("c")],
            [user("a"), assistant("b"), user("c")],
        ),
        # uses and results
        (
            [user("a"), assistant(use("x")), user(result("x"), "b")],
            [user("a"), assistant(use("x")), user(result("x"), "b")],
        ),
        (
            [user("a"), assistant(use("x")), user("b", result("x"))],
            [user("a"), assistant(use("x")), user(result("x"), "b")],
        ),
        (
            [
                user("a"),
                assistant(use("x"), use("y")),
                user(result("y"), result("x"), result("z"), result("x")),
            ],
            [
                user("a"),
                assistant(use("x"), use("y")),
                user(result("x"), result("y")),
            ],
        ),
        (
            [user("a"), assistant(use("x")), user("b")],
            [user("a"), assistant(use("x")), user(missing("x"), "b")],
        ),
        (
            [user("a"), assistant(use("x"))],
            [user("a"), assistant(use("x")), user(missing("x"))],
        ),
        (
            [user("a"), assistant(use("x")), assistant("b"), user("c")],
            [user("a"), assistant(use("x"), "b"), user(missing("x"), "c")],
        ),
        ([user("a", result("x"))], [user("a")]),
        (
            [user("a"), assistant("b"), user(result("x")), assistant("c"), user("d")],
            [user("a"), assistant("b", "c"), user("d")],
        ),
        (
            [user("a"), assistant(use("x")), user(result("x", ""))],
            [user("a"), assistant(use("x")), user(result("x", "(no output)"))],
        ),
        # ids
        (
            [
                user("a"),
                assistant(use("x")),
                user(result("x", "first")),
                assistant(use("x"), use("x")),
                user(result("x", "second"), result("x", "third")),
            ],
            [
                user("a"),
                assistant(use("x")),
                user(result("x", "first")),
                assistant(use("x-2"), use("x-3")),
                user(result("x-2", "second"), result("x-3", "third")),
            ],
        ),
        (
            [user("a"), assistant(use("call:0.é")), user(result("call:0.é"))],
            [user("a"), assistant(use("call_0__")), user(result("call_0__"))],
        ),
        (
            [
                user("a"),
                assistant({"type": "tool_use", "name": "f", "input": None}),
                user("b"),
            ],
            [
                user("a"),
                assistant(use("call")),
                user(missing("call"), "b"),
            ],
        ),
        # a provider's own tools
        (
            [user("a"), assistant(SERVER_USE, SERVER_RESULT, "b"), user("c")],
            [user("a"), assistant(SERVER_USE, SERVER_RESULT, "b"), user("c")],
        ),
        (
            [user("a"), assistant(SERVER_USE, "b"), user("c")],
            [user("a"), assistant("b"), user("c")],
        ),
        (
            [user("a"), assistant("b", SERVER_RESULT), user("c")],
            [user("a"), assistant("b"), user("c")],
        ),
        (
            [
                user("a"),
                assistant(SERVER_USE),
                assistant(SERVER_RESULT, "b"),
                user("c"),
            ],
            [user("a"), assistant(SERVER_USE, SERVER_RESULT, "b"), user("c")],
        ),
    ],
)
def test_repair(history: list[Message], expected: list[Message]) -> None:
    before = deepcopy(history)
    repaired = repair(history)
    assert history == before
    assert repaired == expected
    assert repair(repaired) == repaired
    if repaired:
        check(repaired)


@pytest.mark.parametrize(
    ("old", "taken", "new"),
    [
        ("toolu_1", set[str](), "toolu_1"),
        ("toolu_1", {"toolu_1"}, "toolu_1-2"),
        ("toolu_1", {"toolu_1", "toolu_1-2"}, "toolu_1-3"),
        ("", set[str](), "call"),
        ("a b", {"a_b"}, "a_b-2"),
        ("x" * 99, set[str](), "x" * 64),
        ("x" * 99, {"x" * 64}, "x" * 56 + "-2"),
    ],
)
def test_own_id(old: str, taken: set[str], new: str) -> None:
    assert own_id(old, taken) == new


def long_history(turns: int) -> list[Message]:
    history: list[Message] = []
    for turn in range(turns):
        history += [
            user(f"question {turn}"),
            assistant(use(f"c{turn}")),
            user(result(f"c{turn}", "x" * 1_000)),
            assistant(f"answer {turn}"),
        ]
    return [*history, user("the last question")]


def size(history: list[Message]) -> int:
    return len(msgspec.json.encode(history))


def outputs(history: list[Message]) -> list[str]:
    return [
        block["content"]
        for message in history
        for block in message["content"]
        if block["type"] == "tool_result"
    ]


def test_picture_counts_as_what_it_costs_wherever_it_is() -> None:
    def image(data: str) -> Message:
        return {"type": "image", "source": {"type": "base64", "data": data}}

    small, large = image("A" * 8), image("A" * 800_000)
    assert size_bytes(small) == size_bytes(large)
    result: Message = {"type": "tool_result", "content": [large]}
    told = [{"role": "user", "content": [result]}]
    assert 6_400 < size_bytes(told) < 7_000


def test_text_about_a_picture_counts_as_text() -> None:
    text = json.dumps({"type": "base64", "data": "A" * 99}, separators=(",", ":"))
    block = {"type": "text", "text": text}
    assert size_bytes(block) == len(json.dumps(block, separators=(",", ":")))


def test_trim_leaves_alone_what_fits() -> None:
    history = long_history(3)
    assert trim(history, budget_bytes=size(history)) is history


def test_trim_drops_old_tool_outputs_first() -> None:
    history = long_history(10)
    before = deepcopy(history)
    trimmed = trim(history, budget_bytes=10_000)
    assert history == before
    assert size(trimmed) <= 10_000
    assert len(trimmed) == len(history)
    kept = [output == "x" * 1_000 for output in outputs(trimmed)]
    assert kept == sorted(kept)
    assert kept[-1]
    assert not kept[0]
    check(trimmed)


def test_trim_drops_old_messages_next_and_says_so() -> None:
    history = long_history(30)
    trimmed = trim(history, budget_bytes=4_000)
    assert size(trimmed) <= 4_000
    assert trimmed[0]["content"][0]["text"] == CUT
    assert trimmed[0]["content"][1]["text"].startswith("question")
    assert trimmed[-1] == user("the last question")
    check(trimmed)


def test_trim_goes_in_steps_so_that_the_start_stays_the_same() -> None:
    histories = [long_history(turns) for turns in range(1, 25)]
    removed = [
        sum(output != "x" * 1_000 for output in outputs(trim(h, budget_bytes=20_000)))
        for h in histories
    ]
    assert sorted(set(removed)) == [0, 11, 21]


def test_trim_keeps_the_last_question_and_what_follows_it() -> None:
    history = [
        user("x" * 5_000),
        assistant(use("c1")),
        user(result("c1", "y" * 5_000)),
        assistant(use("c2")),
        user(result("c2", "z" * 5_000)),
    ]
    trimmed = trim(history, budget_bytes=2_000)
    assert [message["role"] for message in trimmed] == [m["role"] for m in history]
    assert trimmed[0] == history[0]
    assert outputs(trimmed)[0].startswith("[This tool output was left out")
    assert outputs(trimmed)[1] == "z" * 5_000
    check(trimmed)
