"""What an AG-UI client sends, checked and reduced to what this server acts on.

The history in ``messages`` is not taken over: it is kept here. Of it are read the
newest message of the user, the results of the application's tools at its end, and the
ids by which it shows what the client has already.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from ag_ui.core import (  # noqa: TID253 - imported late, with this module
    AssistantMessage,
    DataSource,
    DocumentPart,
    ImagePart,
    ReasoningMessage,
    RunAgentInput,
    TextPart,
    ToolMessage,
    UserMessage,
)
from pydantic import ValidationError

from streamchat_nb.errors import InvalidInput, TooLarge
from streamchat_nb.protocol.codec import nesting_depth
from streamchat_nb.protocol.commands import ToolOffer
from streamchat_nb.protocol.content import DataBlock, TextBlock
from streamchat_nb.server.agui_events import NAMESPACE, KnownMessages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ag_ui.core import Context, Message, ResumeEntry, Tool

__all__ = [
    "ApprovalAnswer",
    "File",
    "Question",
    "RunRequest",
    "ToolAnswer",
    "read_request",
]

MOST_BODY_BYTES = 16_777_216
MOST_ID_CHARACTERS = 256
MOST_TOOLS = 64
MOST_TOOL_BYTES = 32_768
MOST_CONTEXTS = 32
MOST_ANSWERS = 64
MOST_FILES = 16
MOST_DEPTH = 32
ANSWER_TIMEOUT_MS = 3_600_000
"""How long the application may take to answer a call, in milliseconds."""
_NAME_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class File:
    """A file in a message."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Question:
    """A message of the user; ``is_last``: nothing was said after it."""

    id: str
    parts: tuple[TextBlock | DataBlock | File, ...]
    is_last: bool

    @property
    def text(self) -> str:
        """What was written, without context and files."""
        texts = [part.text for part in self.parts if isinstance(part, TextBlock)]
        return "\n\n".join(texts)


@dataclass(frozen=True, kw_only=True)
class ApprovalAnswer:
    """An answer to an interrupt; ``is_cancelled``: nobody wanted to answer."""

    decision: Literal["approved", "denied"]
    is_cancelled: bool = False
    edited_input: dict[str, Any] | None = None
    remember: Literal["once", "conversation"] = "once"
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ToolAnswer:
    """What a tool of the application gave."""

    call: str
    output: str
    is_error: bool


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run, as it is asked for.

    Attributes:
        thread: Id of the thread, as the client calls it.
        run: Id of the run, as the client calls it.
        question: The newest message of the user, with the context of this run.
        known: What the client shows already.
        tools: The application's tools.
        approvals: Answers by the id of their interrupt.
        results: Results at the end of the messages.
        cancel_on_disconnect: Whether the turn ends when the client goes away.
    """

    thread: str
    run: str
    question: Question | None
    known: KnownMessages
    tools: tuple[ToolOffer, ...]
    approvals: dict[str, ApprovalAnswer]
    results: tuple[ToolAnswer, ...]
    cancel_on_disconnect: bool


def read_request(body: bytes) -> RunRequest:
    """Read the body of a request. Takes its time for a large one: use a thread.

    Raises:
        TooLarge: It, or something in it, is over a limit.
        InvalidInput: It is not a ``RunAgentInput``, or not one that can be acted on.
    """
    if len(body) > MOST_BODY_BYTES:
        raise TooLarge(f"A body may have at most {MOST_BODY_BYTES} bytes.")
    try:
        given = RunAgentInput.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InvalidInput(
            f"This is no RunAgentInput of AG-UI 1.0: {place} ({first['type']})."
        ) from None
    for name, id_ in (("threadId", given.thread_id), ("runId", given.run_id)):
        if not 0 < len(id_) <= MOST_ID_CHARACTERS:
            raise InvalidInput(
                f"{name} must have 1 to {MOST_ID_CHARACTERS} characters."
            )
    for name, entries, most in (
        ("tools", given.tools, MOST_TOOLS),
        ("context", given.context, MOST_CONTEXTS),
        ("resume", given.resume, MOST_ANSWERS),
    ):
        if len(entries or ()) > most:
            raise TooLarge(f"{name} may have at most {most} entries.")
    return RunRequest(
        thread=given.thread_id,
        run=given.run_id,
        question=_question(given.messages, given.context or []),
        known=_known(given.messages),
        tools=tuple(_offer(tool) for tool in given.tools or ()),
        approvals={entry.interrupt_id: _answer(entry) for entry in given.resume or ()},
        results=_results(given.messages),
        cancel_on_disconnect=_wants_cancel(given.forwarded_props),
    )


def _known(messages: Sequence[Message]) -> KnownMessages:
    thoughts = {m.id for m in messages if isinstance(m, ReasoningMessage)}
    answers = {m.id for m in messages if isinstance(m, AssistantMessage)}
    results = {m.tool_call_id for m in messages if isinstance(m, ToolMessage)}
    return KnownMessages(
        ids=frozenset(answers | thoughts),
        results=frozenset(results),
        thoughts=frozenset(thoughts),
    )


def _question(
    messages: Sequence[Message], context: Sequence[Context]
) -> Question | None:
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            parts = _parts(message.content)
            shared = [
                DataBlock(
                    name=entry.description[:_NAME_CHARACTERS] or "context",
                    text=entry.value,
                )
                for entry in context
                if entry.value
            ]
            return Question(
                id=message.id,
                parts=(*parts, *shared),
                is_last=message is messages[-1],
            )
    return None


def _parts(content: str | list[Any]) -> list[TextBlock | File]:
    if isinstance(content, str):
        return [TextBlock(text=content)]
    if sum(not isinstance(part, TextPart) for part in content) > MOST_FILES:
        raise TooLarge(f"A message may have at most {MOST_FILES} files.")
    return [
        TextBlock(text=part.text) if isinstance(part, TextPart) else _file(part)
        for part in content
    ]


def _file(part: object) -> File:
    if not isinstance(part, ImagePart | DocumentPart):
        raise InvalidInput("Only text, images and documents can be sent here.")
    if not isinstance(part.source, DataSource):
        raise InvalidInput(
            "Send a file in the message, as a data source: this server fetches nothing."
        )
    try:
        data = base64.b64decode(part.source.value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("A file in the message is not base64.") from None
    return File(name=part.type, data=data)


def _offer(tool: Tool) -> ToolOffer:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {},
        **_object(tool.parameters, tool),
    }
    data = msgspec.json.encode([schema, tool.description])
    if len(data) > MOST_TOOL_BYTES:
        raise TooLarge(f"A tool may have at most {MOST_TOOL_BYTES} bytes.")
    if nesting_depth(data, limit=MOST_DEPTH) > MOST_DEPTH:
        raise TooLarge(f"A tool nests deeper than {MOST_DEPTH} levels.")
    given: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": schema,
        # The application asks its user itself, and runs what stands side by side.
        "risk": "read",
        "needs_approval": False,
        "sequential": False,
        "timeout_ms": ANSWER_TIMEOUT_MS,
    }
    try:
        return msgspec.convert(given, ToolOffer)
    except msgspec.ValidationError:
        raise InvalidInput(
            "The name of a tool must be 1 to 64 letters, digits and ._:-"
        ) from None


def _object(value: object, tool: Tool) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"The parameters of {tool.name[:64]} are no JSON Schema.")
    return cast("dict[str, Any]", value)


def _answer(entry: ResumeEntry) -> ApprovalAnswer:
    if entry.status == "cancelled":
        return ApprovalAnswer(
            decision="denied", is_cancelled=True, reason="Nobody answered."
        )
    payload = msgspec.to_builtins(entry.payload)
    try:
        if nesting_depth(msgspec.json.encode(payload), limit=MOST_DEPTH) > MOST_DEPTH:
            raise TooLarge(f"An answer nests deeper than {MOST_DEPTH} levels.")
        given = msgspec.convert(payload, _Payload)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2].strip("`$.") or "payload"
        raise InvalidInput(
            "The payload of a resume entry must be as the interrupt's responseSchema "
            f'says, for example {{"approved": true}}; wrong is {place[:64]}.'
        ) from None
    return ApprovalAnswer(
        decision="approved" if given.approved else "denied",
        edited_input=given.editedArgs,
        remember=given.remember,
        reason=given.reason,
    )


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    approved: bool
    editedArgs: dict[str, Any] | None = None  # noqa: N815 - AG-UI's name
    remember: Literal["once", "conversation"] = "once"
    reason: str | None = None


def _results(messages: Sequence[Message]) -> tuple[ToolAnswer, ...]:
    answers: list[ToolAnswer] = []
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            break
        answers.append(
            ToolAnswer(
                call=message.tool_call_id,
                output=_text_of(message),
                is_error=message.error is not None,
            )
        )
    return tuple(reversed(answers))


def _text_of(message: ToolMessage) -> str:
    content = message.content
    if not isinstance(content, str):
        texts = [part.text for part in content if isinstance(part, TextPart)]
        left_out = len(content) - len(texts)
        note = [f"[{left_out} parts that are no text]"] if left_out else []
        content = "\n\n".join([*texts, *note])
    return content or message.error or ""


def _wants_cancel(forwarded: object) -> bool:
    ours = (
        cast("dict[str, Any]", forwarded).get(NAMESPACE)
        if isinstance(forwarded, dict)
        else None
    )
    return isinstance(ours, dict) and (
        cast("dict[str, Any]", ours).get("cancelOnDisconnect") is True
    )
