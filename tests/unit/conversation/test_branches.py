"""The tree of a conversation's messages: paths, versions, what is shown."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest

from streamchat_nb.conversation.branches import Branches, shown_messages
from streamchat_nb.conversation.message_tree import newest_in_branch
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol.codec import decode_event

LOGS = sorted((Path(__file__).parents[2] / "fixtures" / "logs").glob("*.json"))


def fold_of(name: str) -> Fold:
    [path] = [path for path in LOGS if path.stem == name]
    fold = Fold()
    for event in json.loads(path.read_text("utf-8"))["events"]:
        fold.apply(decode_event(msgspec.json.encode(event)))
    return fold


def branches_of(name: str) -> Branches:
    return Branches(fold_of(name).state)


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_recorded_logs_have_the_branches_that_are_recorded(path: Path) -> None:
    recorded = json.loads(path.read_text("utf-8"))

    branches = branches_of(path.stem)

    assert branches.shown == recorded["shown"]
    for message, siblings in recorded["siblings"].items():
        assert branches.siblings(message) == siblings


def test_messages_of_a_log_without_parents_follow_each_other() -> None:
    state = fold_of("failed").state

    assert [m.parent for m in state.messages if m.role == "user"] == ["", "m1"]
    assert state.tip == "m2"
    assert shown_messages(state) == state.messages


def test_state_of_before_there_were_branches_is_one_branch() -> None:
    old = msgspec.to_builtins(fold_of("failed").state)
    del old["tip"]
    for message in old["messages"]:
        message.pop("parent", None)
    decoded = msgspec.convert(old, ConversationState)

    assert shown_messages(decoded) == decoded.messages
    assert Branches(Fold(decoded).state).shown == ["m1", "m2"]


def test_shown_branch_leaves_out_what_other_versions_led_to() -> None:
    state = fold_of("branches").state

    shown = [message.message for message in shown_messages(state)]

    assert shown == ["m1", "a1", "m3", "a3", "m4", "a4"]


def test_unknown_parent_and_an_agents_message_count_as_none() -> None:
    fold = fold_of("branches")
    parents = {m.message: m.parent for m in fold.state.messages if m.role == "user"}

    assert parents["m7"] == "m6"
    assert parents["m8"] == "m7"


def test_message_that_was_moved_ahead_is_known_to_the_one_it_overtook() -> None:
    branches = branches_of("steered_queue")

    assert branches.path_to("m3") == ["m1", "m2", "m3"]
    assert set(branches.line_to("m2")) >= {"m1", "m2", "m3"}
    assert branches.siblings("m4") == ["m4"]


def test_memory_leaves_the_line_where_another_version_was_answered_first() -> None:
    branches = branches_of("branches")

    assert branches.left_line_at("m1") == ""
    assert branches.left_line_at("m6") == ""
    assert branches.left_line_at("m3") == "m3"
    assert branches.left_line_at("m4") == "m3"
    assert branches.left_line_at("m5") == "m5"


def test_newest_in_a_random_tree_is_what_walking_up_from_each_says() -> None:
    chance = random.Random(31)  # noqa: S311 - the same trees each time
    for _ in range(200):
        parents: dict[str, str] = {}
        for number in range(chance.randint(0, 25)):
            parents[f"m{number}"] = chance.choice(["", *parents])
        removed = {one for one in parents if chance.random() < 0.3}

        def ups(one: str, parents: dict[str, str] = parents) -> list[str]:
            return [one, *ups(parents[one])] if one in parents else [""]

        for start in ["", *parents]:
            alive = next(one for one in ups(start) if one not in removed)
            below = [o for o in parents if alive in ups(o) and o not in removed]
            expected = below[-1] if below else alive
            assert newest_in_branch(parents, removed, start) == expected
