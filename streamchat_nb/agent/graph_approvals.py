"""What a LangGraph graph asks a person, and the answers as it takes them. Pure."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.agent.approvals import input_hash
from streamchat_nb.protocol.events import ToolApprovalRequested
from streamchat_nb.tools.output import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.protocol.content import ToolUseBlock
    from streamchat_nb.protocol.events import ToolApprovalResolved

__all__ = ["ASK_TOOL", "Question", "questions_of", "resume_of"]

ASK_TOOL = "ask_user"
"""What a question that belongs to no tool call is shown as."""

_ALL = ("approve", "edit", "reject")
_MOST_PROMPT_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing that a person is asked.

    Attributes:
        interrupt: Id of the interrupt that it belongs to.
        name: The tool's name.
        input: What the person looks at, and may edit.
        prompt: What to ask.
        allowed: The decisions that the graph takes; empty for a plain interrupt, which
            takes any value.
        tool_call: Id of the call in the graph, where the interrupt names it.
        is_alone: The answer is the decision itself, not one in a list.
    """

    interrupt: str
    name: str
    input: dict[str, Any]
    prompt: str
    allowed: tuple[str, ...] = ()
    tool_call: str | None = None
    is_alone: bool = False

    def request(
        self, call: ToolUseBlock, *, timeout_s: float | None
    ) -> ToolApprovalRequested:
        """Return the event that asks it.

        Args:
            call: The call as the conversation knows it.
            timeout_s: How long a person has, in seconds; ``None``: as long as it takes.
        """
        now_ms = time.time_ns() // 1_000_000
        return ToolApprovalRequested(
            approval=f"a_{secrets.token_hex(10)}",
            tool_call=call.id,
            input_hash=input_hash(call.input),
            prompt=self.prompt,
            risk="write",
            may_remember=False,
            expires_at=None if timeout_s is None else now_ms + round(timeout_s * 1_000),
        )


def questions_of(interrupts: Iterable[Any]) -> list[Question]:
    """Return what interrupts ask, in order.

    Known are the requests of LangChain's ``HumanInTheLoopMiddleware``; any other value
    is a plain question.

    Args:
        interrupts: LangGraph's ``Interrupt``s: ``id`` and ``value``.
    """
    questions: list[Question] = []
    for interrupt in interrupts:
        value = cast("object", interrupt.value)
        fields = _fields(value)
        if isinstance(fields.get("action_requests"), list):
            questions += _reviews(interrupt.id, fields)
        elif fields.get("type") == "tool_approval":
            questions.append(_single_review(interrupt, fields))
        else:
            shown = {"question": _as_json(value), "answer": True}
            questions.append(
                Question(
                    interrupt=interrupt.id,
                    name=ASK_TOOL,
                    input=shown,
                    prompt=_words(value),
                )
            )
    return questions


def resume_of(
    answers: Iterable[tuple[Question, ToolApprovalResolved | None]],
) -> dict[str, Any]:
    """Return what the graph is resumed with: a value for each interrupt, by its id.

    Args:
        answers: Every question, in order, with its answer; ``None`` where nobody could
            be asked, which is a no.
    """
    resume: dict[str, Any] = {}
    for question, answer in answers:
        if not question.allowed:
            resume[question.interrupt] = _value(answer)
        elif question.is_alone:
            resume[question.interrupt] = _decision(question, answer)
        else:
            group = resume.setdefault(question.interrupt, {"decisions": []})
            group["decisions"].append(_decision(question, answer))
    return resume


def _reviews(interrupt: str, value: dict[str, Any]) -> list[Question]:
    allowed = {
        config["action_name"]: tuple(config["allowed_decisions"])
        for config in value.get("review_configs", ())
    }
    return [
        Question(
            interrupt=interrupt,
            name=action["name"],
            input=action["args"],
            prompt=_prompt(action["name"], action.get("description")),
            allowed=allowed.get(action["name"], _ALL),
        )
        for action in value["action_requests"]
    ]


def _single_review(interrupt: Any, value: dict[str, Any]) -> Question:  # noqa: ANN401
    text = _text(interrupt.response_schema)
    every = ("approve", "edit", "reject", "respond")
    found = tuple(kind for kind in every if f'"{kind}"' in text)
    return Question(
        interrupt=interrupt.id,
        name=value["name"],
        input=value["args"],
        prompt=_prompt(value["name"], value.get("description")),
        allowed=found or _ALL,
        tool_call=value["tool_call_id"],
        is_alone=True,
    )


def _decision(
    question: Question, answer: ToolApprovalResolved | None
) -> dict[str, Any]:
    if answer is None:
        return _refusal(question, "Nobody can be asked here.")
    reason = clean_text(answer.reason or "").strip()
    if answer.decision != "approved":
        return _refusal(question, reason)
    edited = answer.edited_input
    if edited == question.input:
        edited = None
    wanted = "approve" if edited is None else "edit"
    if wanted not in question.allowed and "respond" in question.allowed:
        said = (reason or "Yes.") if edited is None else _text(edited)
        return {"type": "respond", "message": said}
    if wanted not in question.allowed:
        return _refusal(question, f"It cannot be answered by {wanted!r} here.")
    if edited is None:
        return {"type": "approve"}
    return {"type": "edit", "edited_action": {"name": question.name, "args": edited}}


def _refusal(question: Question, reason: str) -> dict[str, Any]:
    if "reject" not in question.allowed and "respond" in question.allowed:
        return {"type": "respond", "message": f"No. {reason}".strip()}
    return {"type": "reject", **({"message": reason} if reason else {})}


def _value(answer: ToolApprovalResolved | None) -> object:
    """Return the value of a plain interrupt: what was answered, yes or no."""
    if answer is None or answer.decision != "approved":
        return False
    edited = answer.edited_input
    if edited is None:
        return True
    return edited.get("answer", edited)


def _prompt(name: str, description: object) -> str:
    asked = f"Let the agent use {name}?"
    if not isinstance(description, str) or not description.strip():
        return asked
    # The middleware's own words repeat what the screen shows anyway.
    if description.startswith("Tool execution requires approval"):
        return asked
    return _cut(description.strip())


def _words(value: object) -> str:
    fields = _fields(value)
    for key in ("question", "prompt", "message", "text"):
        words = fields.get(key)
        if isinstance(words, str) and words.strip():
            return _cut(words.strip())
    words = value if isinstance(value, str) else _text(value)
    return _cut(words.strip()) or "Go on?"


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _cut(text: str) -> str:
    return clean_text(text[:_MOST_PROMPT_CHARACTERS])


def _text(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _as_json(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
