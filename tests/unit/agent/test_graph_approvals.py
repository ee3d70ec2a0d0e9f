from __future__ import annotations

from typing import Any

import pytest
from langgraph.types import Interrupt

from streamchat_nb.agent.graph_approvals import questions_of, resume_of
from streamchat_nb.agent.graph_messages import messages_of
from streamchat_nb.protocol.events import ToolApprovalResolved

EDIT = {"a": 2}


def review(*allowed: str) -> Interrupt:
    value = {
        "action_requests": [{"name": "add", "args": {"a": 1}, "description": "Sure?"}],
        "review_configs": [{"action_name": "add", "allowed_decisions": [*allowed]}],
    }
    return Interrupt(value=value, id="i1")


def answer(decision: Any, **more: Any) -> ToolApprovalResolved:
    return ToolApprovalResolved(approval="a", tool_call="c", decision=decision, **more)


@pytest.mark.parametrize(
    ("allowed", "given", "decision"),
    [
        (["approve"], answer("approved"), {"type": "approve"}),
        (["approve"], answer("denied"), {"type": "reject"}),
        (["approve"], None, {"type": "reject", "message": "Nobody can be asked here."}),
        (
            ["approve"],
            answer("approved", edited_input=EDIT),
            {"type": "reject", "message": "It cannot be answered by 'edit' here."},
        ),
        (["approve"], answer("approved", edited_input={"a": 1}), {"type": "approve"}),
        (
            ["edit"],
            answer("approved", edited_input=EDIT),
            {"type": "edit", "edited_action": {"name": "add", "args": EDIT}},
        ),
        (
            ["respond"],
            answer("approved", edited_input=EDIT),
            {"type": "respond", "message": '{"a":2}'},
        ),
        (["respond"], answer("approved"), {"type": "respond", "message": "Yes."}),
        (
            ["respond"],
            answer("denied", reason="Later."),
            {"type": "respond", "message": "No. Later."},
        ),
    ],
)
def test_an_answer_becomes_a_decision_that_the_graph_takes(
    allowed: list[str], given: ToolApprovalResolved | None, decision: dict[str, Any]
) -> None:
    (question,) = questions_of([review(*allowed)])
    assert question.prompt == "Sure?"
    assert resume_of([(question, given)]) == {"i1": {"decisions": [decision]}}


@pytest.mark.parametrize(
    ("value", "prompt"),
    [("Really?", "Really?"), ({"message": "Go?"}, "Go?"), ([1], "[1]"), ("", "Go on?")],
)
def test_any_value_is_a_question(value: object, prompt: str) -> None:
    (question,) = questions_of([Interrupt(value=value, id="i1")])
    assert question.prompt == prompt
    assert question.input == {"question": value, "answer": True}
    assert resume_of([(question, None)]) == {"i1": False}
    edited = answer("approved", edited_input={"answer": 42})
    assert resume_of([(question, edited)]) == {"i1": 42}


def test_files_and_results_go_along_in_a_history() -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    text = {"type": "text", "media_type": "text/plain", "data": "notes"}
    use = {"type": "tool_use", "id": "t1", "name": "draw", "input": {"x": 1}}
    shown = [{"type": "image", "source": picture}, {"type": "text", "text": "drawn"}]
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": shown,
        "is_error": True,
    }
    first, second, third, fourth = messages_of(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image", "source": picture},
                    {"type": "document", "source": text},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking"}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": "And?"}]},
        ]
    )
    image = {"type": "image", "base64": "iVBO", "mime_type": "image/png"}
    assert first.content == [
        {"type": "text", "text": "Look"},
        image,
        {"type": "text", "text": "notes"},
    ]
    assert getattr(second, "tool_calls")[0]["args"] == {"x": 1}  # noqa: B009
    assert third.content == [image, {"type": "text", "text": "drawn"}]
    assert (third.name, getattr(third, "status")) == ("draw", "error")  # noqa: B009
    assert fourth.content == "And?"
