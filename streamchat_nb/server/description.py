"""What the API is, for programs: JSON Schema and OpenAPI 3.1 from the types."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from streamchat_nb._version import __version__
from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.protocol.checks import Check
from streamchat_nb.protocol.commands import Command
from streamchat_nb.protocol.content import ErrorBody
from streamchat_nb.protocol.events import Event
from streamchat_nb.protocol.frames import Frame, ShortDelta
from streamchat_nb.protocol.trace import TurnTrace
from streamchat_nb.server.agui_description import agui_operation
from streamchat_nb.server.answers import (
    Accepted,
    Answer,
    AnswerApproval,
    CancelTurn,
    ConversationPage,
    ConversationSummary,
    CreateConversation,
    EditMessage,
    EventPage,
    PostMessage,
    UpdateConversation,
)
from streamchat_nb.server.model_choices import ModelList
from streamchat_nb.server.service import Health

__all__ = ["json_schema", "openapi"]


_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_NUMBER = {"type": "integer"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999}
_IDENTIFIER = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"}
_READER = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{0,64}$"}
_CURSOR = {"type": "string", "pattern": "^([A-Za-z0-9._-]{1,64}:[0-9]{1,15})?$"}
_PLACE = {"type": "string", "pattern": "^([01]:[0-9]{1,15}:.+)?$"}
_FORMAT = {"enum": ["md", "html", "ipynb", "json", "txt"]}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_EXPORTED = {
    "text/markdown": _FILE,
    "text/html": _FILE,
    "text/plain": _FILE,
    "application/json": {"schema": {"type": "object"}},
    "application/x-ipynb+json": {"schema": {"type": "object"}},
}
_KIND = {"enum": ["widget", "page", "kernel", "tool"]}
_ANY_OBJECT = {"type": "object"}
_CONVERSATION = {
    "name": "conversation",
    "in": "path",
    "required": True,
    "schema": _IDENTIFIER,
}
_TURN = {**_CONVERSATION, "name": "turn"}


def _query(
    name: str, description: str, schema: dict[str, Any] = _TEXT
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {**_query(name, description, schema), "in": "header"}


@cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of events, commands, frames and state."""
    schemas, components = msgspec.json.schema_components(
        [Event, Command, Frame, ShortDelta, ConversationState],
        ref_template="#/$defs/{name}",
    )
    names = ("Event", "Command", "Frame", "ShortDelta", "State")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streamchat.v1",
        "$defs": {**components, **dict(zip(names, schemas, strict=True))},
    }


@cache
def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the REST routes."""
    bodies = [
        Check,
        ErrorBody,
        Accepted,
        Answer,
        AnswerApproval,
        CancelTurn,
        ConversationPage,
        ConversationSummary,
        CreateConversation,
        EditMessage,
        EventPage,
        Health,
        ModelList,
        PostMessage,
        TurnTrace,
        UpdateConversation,
        ConversationState,
    ]
    _, components = msgspec.json.schema_components(
        bodies, ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamchat_nb",
            "version": __version__,
            "description": "Streamed agent chat in a Jupyter server. All routes need "
            "a Jupyter identity: a login cookie with the X-XSRFToken header, or "
            "Authorization: token.",
        },
        "servers": [{"url": "/streamchat/api"}],
        "security": [{"jupyter_token": []}],
        "paths": _paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "jupyter_token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "token <the server's token>",
                }
            },
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def _error() -> dict[str, Any]:
    return _json("What went wrong, in one shape", _ref("ErrorBody"))


def _operation(
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: str | None = None,
    body_required: bool = True,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            **responses,
            "default": _error(),
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {
            "required": body_required,
            "content": {"application/json": {"schema": _ref(body)}},
        }
    return operation


_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}
_HEAD = _object(id=_TEXT, log=_TEXT, head=_NUMBER, title=_TEXT)
_TOOL = _object(name=_TEXT, description=_TEXT)
_AGENT = _object(
    name=_TEXT,
    description=_TEXT,
    model=_TEXT,
    offline=_FLAG,
    where={"enum": ["server", "kernel"]},
    default=_FLAG,
    problem={"type": ["string", "null"]},
    tools={"type": "array", "items": _TOOL},
)


def _paths() -> dict[str, Any]:
    messages = _operation(
        "Send a message and get the answer: whole, streamed, or later",
        {
            "200": {
                "description": "The answer; with Accept: text/event-stream the "
                "turn's events",
                "content": {"application/json": {"schema": _ref("Answer")}, **_STREAM},
            },
            "202": _json(
                "Accepted; Location is where to read it (Prefer: respond-async)",
                _ref("Accepted"),
            ),
        },
        parameters=[
            _CONVERSATION,
            _header("Idempotency-Key", "Stands for client_message_id", _IDENTIFIER),
            _header("Prefer", "respond-async, or wait=<seconds>", _TEXT),
        ],
        body="PostMessage",
    )
    events = _operation(
        "Read the log from a cursor",
        {
            "200": {
                "description": "A page, or with Accept: text/event-stream the stream",
                "content": {
                    "application/json": {"schema": _ref("EventPage")},
                    **_STREAM,
                },
            }
        },
        parameters=[
            _CONVERSATION,
            _query("since", "Cursor log:seq; absent: a snapshot", _CURSOR),
            _header("Last-Event-ID", "The cursor of a stream that broke", _CURSOR),
            _query("wait_ms", "Hold an empty page back, at most 25000", _COUNT),
            _query("client", "Id of the reader of a stream", _READER),
            _query("kind", "What the reader is", _KIND),
            _query("name", "What the reader is called"),
        ],
    )
    return {
        **_server_paths(),
        **_conversation_paths(),
        **_artifact_paths(),
        "/conversations/{conversation}/messages": {"post": messages},
        "/conversations/{conversation}/events": {"get": events},
        **_turn_paths(),
        "/agui": {"post": agui_operation(_error())},
    }


def _turn_paths() -> dict[str, Any]:
    def operation(
        summary: str, seq: str, *, body: str | None, required: bool = True
    ) -> dict[str, Any]:
        return _operation(
            summary,
            {"200": _json(seq, _object(seq=_NUMBER))},
            parameters=[_CONVERSATION, _TURN],
            body=body,
            body_required=required,
        )

    one = "/conversations/{conversation}/turns/{turn}"
    return {
        "/conversations/{conversation}/approvals/{approval}": {
            "post": _operation(
                "Answer a tool call that waits for approval",
                {
                    "200": _json(
                        "Where the log says so; null when it was given before",
                        _object(
                            seq={"type": ["integer", "null"]},
                            duplicate={"type": "boolean"},
                        ),
                    )
                },
                parameters=[_CONVERSATION, {**_CONVERSATION, "name": "approval"}],
                body="AnswerApproval",
            )
        },
        one: {
            "patch": operation(
                "Change a message that waits for its turn",
                "Where the log says so",
                body="EditMessage",
            )
        },
        f"{one}/trace": {
            "get": _operation(
                "Where the time of a turn went, and what was sent to a model for it",
                {"200": _json("The trace", _ref("TurnTrace"))},
                parameters=[_CONVERSATION, _TURN],
            )
        },
        f"{one}/send-now": {
            "post": operation(
                "Let a turn that waits go next; the running one makes room",
                "Where the log says so",
                body=None,
            )
        },
        f"{one}/cancel": {
            "post": operation(
                "End a turn",
                "The head once its end is written",
                body="CancelTurn",
                required=False,
            )
        },
    }


def _server_paths() -> dict[str, Any]:
    def read(
        summary: str,
        schema: dict[str, Any] = _ANY_OBJECT,
        parameters: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        answer = {"200": _json(summary, schema)}
        return {"get": _operation(summary, answer, parameters=parameters)}

    return {
        "/token": {
            "post": _operation(
                "Get a short-lived JWT for the socket",
                {
                    "200": _json(
                        "The token; expires_at in seconds since the epoch",
                        _object(token=_TEXT, expires_at=_NUMBER),
                    )
                },
            )
        },
        "/session": read(
            "Who am I, and what is served here",
            _object(
                user=_TEXT, principal=_TEXT, server=_TEXT, model=_TEXT, offline=_FLAG
            ),
        ),
        "/health": {
            "get": _operation(
                "State of the service",
                {
                    "200": _json("All is well", _ref("Health")),
                    "503": _json("Nothing can be saved", _ref("Health")),
                },
            )
        },
        "/agents": read(
            "The agents that can be talked to, and their tools",
            _object(agents={"type": "array", "items": _AGENT}),
            [_query("conversation", "Those that are lent to it, too", _IDENTIFIER)],
        ),
        "/check": {
            "post": _operation(
                "Try the endpoint of the server's model; takes up to 30 s",
                {
                    "200": _json(
                        "What was found",
                        _object(checks={"type": "array", "items": _ref("Check")}),
                    )
                },
            )
        },
        "/models": read(
            "The models that a conversation can choose from", _ref("ModelList")
        ),
        "/openapi.json": read("This description"),
        "/schema.json": read("JSON Schema of streamchat.v1"),
        "/ws": {
            "get": {
                "summary": "WebSocket, subprotocol streamchat.v1",
                "responses": {
                    "101": {"description": "Switching protocols"},
                    "default": {
                        "description": "Refused; the body says why",
                        "content": {"text/html": {"schema": _TEXT}},
                    },
                },
            }
        },
    }


def _artifact_paths() -> dict[str, Any]:
    all_ = "/conversations/{conversation}/artifacts"
    file = {"schema": {"type": "string", "format": "binary"}}
    return {
        all_: {
            "post": {
                **_operation(
                    "Attach a file: an image, a PDF, or text in UTF-8",
                    {
                        "201": _json(
                            "What image and document blocks name it by",
                            _object(
                                artifact=_TEXT,
                                media_type=_TEXT,
                                name=_TEXT,
                                bytes=_NUMBER,
                            ),
                        )
                    },
                    parameters=[
                        _CONVERSATION,
                        _query("name", "The file's name"),
                    ],
                ),
                "requestBody": {
                    "required": True,
                    "content": {"application/octet-stream": file},
                },
            }
        },
        f"{all_}/{{artifact}}": {
            "get": _operation(
                "Get an attached file",
                {"200": {"description": "The file", "content": {"*/*": file}}},
                parameters=[_CONVERSATION, {**_CONVERSATION, "name": "artifact"}],
            )
        },
    }


def _conversation_paths() -> dict[str, Any]:
    state = _object(log=_TEXT, head=_NUMBER, state=_ref("ConversationState"))
    return {
        "/conversations": {
            "get": _operation(
                "List or search conversations: the pinned first, then the last updated",
                {"200": _json("One page", _ref("ConversationPage"))},
                parameters=[
                    _query("q", "Words, or parts of words, to search for"),
                    _query("archived", "Whether they are archived", _FLAG),
                    _query("deleted", "Whether they are in the trash", _FLAG),
                    _query("limit", "50, at most 200", _COUNT),
                    _query("cursor", "next of the page before", _PLACE),
                ],
            ),
            "post": _operation(
                "Create a conversation",
                {"201": _json("The new conversation", _HEAD)},
                body="CreateConversation",
                body_required=False,
            ),
        },
        "/conversations/{conversation}": {
            "get": _operation(
                "Get the state at the head",
                {"200": _json("State and cursor", state)},
                parameters=[_CONVERSATION],
            ),
            "patch": _operation(
                "Rename, choose who answers from the next turn on, or show another "
                "branch",
                {"200": _json("The conversation", _HEAD)},
                parameters=[_CONVERSATION],
                body="UpdateConversation",
                body_required=False,
            ),
            "delete": _operation(
                "Put into the trash, or delete for good",
                {"204": {"description": "It is not listed any more"}},
                parameters=[
                    _CONVERSATION,
                    _query("forever", "Whether it cannot be restored", _FLAG),
                ],
            ),
        },
        "/conversations/{conversation}/export": {
            "get": _operation(
                "Get a conversation as a file",
                {"200": {"description": "The file", "content": _EXPORTED}},
                parameters=[_CONVERSATION, _query("format", "md if absent", _FORMAT)],
            )
        },
        "/conversations/{conversation}/restore": {
            "post": _operation(
                "Take out of the trash",
                {"200": _json("The conversation", _ref("ConversationSummary"))},
                parameters=[_CONVERSATION],
            ),
        },
    }
