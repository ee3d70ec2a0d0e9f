"""A trace: where the time of one turn went, and what a model was sent for it.

Spans come from the times in the log, so there are spans of every turn. Requests are
kept in memory only, by the server that sent them, and not for long.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from streamchat_nb.protocol.content import ErrorBody, Usage

__all__ = [
    "RequestSource",
    "RequestsKept",
    "SpanKind",
    "TraceSpan",
    "TracedRequest",
    "TurnTrace",
]

SpanKind = Literal["queue", "step", "retry", "tool", "approval", "kernel", "run"]
"""What a turn spent time on; the last three are parts of a tool call."""
RequestSource = Literal["endpoint", "demo", "cassette"]
"""Who answered a request: an endpoint, the offline demo, or a cassette."""
RequestsKept = Literal["kept", "forgotten", "unseen"]
"""Whether there are requests: they are kept, are not kept any more, or went out
where they cannot be seen (or none did)."""


class TraceSpan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stretch of a turn. Times are milliseconds since the message was sent.

    Attributes:
        id: Unique in its trace.
        kind: What it was spent on.
        name: For people: of a tool its name.
        start_ms: When it began.
        end_ms: When it ended; absent: it goes on.
        parent: Id of the span that it is a part of.
        first_ms: Of a step, when the first of its answer came.
        status: How it ended, as its events say; empty while it goes on.
        detail: More about that, in a line.
        usage: Of a step, what it used.
        cost: Of a step, in US dollars, estimated; absent: not known.
        message: Of a step, the message that it wrote.
        tool_call: Of a tool call and its parts, its id.
        where: Of a tool call, who runs it.
    """

    id: str
    kind: SpanKind
    name: str
    start_ms: int
    end_ms: int | None = None
    parent: str | None = None
    first_ms: int | None = None
    status: str = ""
    detail: str = ""
    usage: Usage | None = None
    cost: float | None = None
    message: str | None = None
    tool_call: str | None = None
    where: Literal["server", "kernel", "provider"] | None = None


class TracedRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a model, as it went out, without any credential.

    Attributes:
        source: Who answered it.
        start_ms: When it went out; times as in ``TraceSpan``.
        method: Of HTTP; empty where a cassette answered.
        url: Where to, without user name, password and values of its query.
        headers: By name; the value of one that may be secret is ``[hidden]``.
        body: What was sent, from JSON. Secrets are ``[removed]``, and of files and
            pictures there stands how large they were.
        body_bytes: Its size as it went out.
        response_ms: When the head of a response came.
        first_ms: When the first of the answer came.
        end_ms: When the answer was whole, or broke off.
        status: Of the response.
        request_id: The endpoint's own id of it.
        error: Why there is no whole answer.
        is_cut: The body was too large to be kept.
    """

    source: RequestSource
    start_ms: int
    method: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    body: Any = None
    body_bytes: int = 0
    response_ms: int | None = None
    first_ms: int | None = None
    end_ms: int | None = None
    status: int | None = None
    request_id: str | None = None
    error: ErrorBody | None = None
    is_cut: bool = False


class TurnTrace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the time of a turn went.

    Attributes:
        conversation: Id of the conversation.
        turn: Id of the turn.
        sent_ts: When its message was sent, in milliseconds since the epoch.
        now_ms: How long ago that was, by the clock of the server.
        status: As of a ``TurnState``.
        agent: Who answers.
        model: With which model; empty when it has none.
        spans: In the order in which they began, each after the one it is a part of.
        requests: In the order in which they went out.
        requests_kept: Whether ``requests`` has them.
    """

    conversation: str
    turn: str
    sent_ts: int
    now_ms: int
    status: str
    agent: str = ""
    model: str = ""
    spans: list[TraceSpan] = []
    requests: list[TracedRequest] = []
    requests_kept: RequestsKept = "kept"
