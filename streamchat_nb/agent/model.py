"""What a model is: a request goes in, a stream of events comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streamchat_nb.protocol.content import AssistantBlock, Usage
    from streamchat_nb.protocol.events import BlockKind

__all__ = [
    "DEFAULT_MODEL",
    "Effort",
    "Model",
    "ModelBlockDelta",
    "ModelBlockStart",
    "ModelBlockStop",
    "ModelDescription",
    "ModelEvent",
    "ModelMessageStop",
    "ModelRequest",
]


DEFAULT_MODEL = "claude-sonnet-5-5"
"""The model at Anthropic where nobody chooses another."""
Effort = Literal["low", "medium", "high", "xhigh", "max"]
"""How much work a model puts into an answer."""


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """A model that an endpoint has.

    Attributes:
        id: How it is asked for.
        name: For people; the id where there is none.
        efforts: Those that it takes; empty where it takes none, or nothing is known.
        thinking: Whether it can think before it answers, as far as is known.
        context_tokens: The most tokens of a request and its answer; ``None`` where the
            endpoint does not say.
    """

    id: str
    name: str
    efforts: tuple[Effort, ...] = ()
    thinking: bool = False
    context_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """One request to a model.

    Attributes:
        messages: In the shape of Anthropic's Messages API; the last is the user's.
        system: System prompt; empty for none.
        tools: ``{"name", "description", "input_schema"}`` each, sorted by name.
        max_tokens: Most output tokens.
        tool_choice: ``none`` asks for an answer without tools.
        server_tools: Tools that the endpoint runs itself, as it names them or as it
            defines them; those it cannot have are left out.
        thinking: Whether it thinks before it answers; ``None``: as the model does.
        effort: How much work it puts in; ``None``: as the model does.
        output_schema: JSON Schema that an endpoint which can is held to.
    """

    messages: list[dict[str, Any]]
    system: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    max_tokens: int = 8192
    tool_choice: Literal["auto", "none"] = "auto"
    server_tools: tuple[str | dict[str, Any], ...] = ()
    thinking: bool | None = None
    effort: Effort | None = None
    output_schema: dict[str, Any] | None = None


class ModelBlockStart(msgspec.Struct, frozen=True, kw_only=True):
    """A block begins; ``index`` counts the blocks of this message from 0."""

    index: int
    kind: BlockKind


class ModelBlockDelta(msgspec.Struct, frozen=True, kw_only=True):
    """More text, thinking or input JSON of block ``index``; never empty."""

    index: int
    kind: BlockKind
    text: str


class ModelBlockStop(msgspec.Struct, frozen=True, kw_only=True):
    """Block ``index`` is whole."""

    index: int
    kind: BlockKind
    content: AssistantBlock


class ModelMessageStop(msgspec.Struct, frozen=True, kw_only=True):
    """The message is whole; always the last event, exactly once, of a good stream.

    Attributes:
        content: All blocks in order.
        stop_reason: As the endpoint says, ``tool_use`` where a lenient endpoint
            calls tools under another name, ``end_turn`` where it says nothing.
        usage: What the endpoint counted.
        request_id: The endpoint's id of the request, if it gave one.
        model: The model that answered, as the endpoint names it.
    """

    content: list[AssistantBlock]
    stop_reason: str
    usage: Usage
    request_id: str | None = None
    model: str = ""


ModelEvent = ModelBlockStart | ModelBlockDelta | ModelBlockStop | ModelMessageStop
"""The closed union of what a model's stream yields."""


class Model(ABC):
    """A language model, or something that speaks like one.

    Attributes:
        name: The model's id at its endpoint.
        offline: No language model runs.
    """

    name: str
    offline: bool = False

    @property
    def transport(self) -> str:
        """What carries its requests.

        ``direct`` is this program's own transport, ``sdk`` that of the SDK. Empty
        where another one does, where none go out, and before it is known.
        """
        return ""

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Send one request and yield what comes, as it comes. One try, no retry.

        A stream that ends without ``ModelMessageStop`` always raises. Cancel safe:
        closing the iterator closes the connection.

        Raises:
            ModelError: Anything that went wrong, with ``retryable`` set by whether
                the same request may succeed later. Codes: ``model_credential_missing``,
                ``model_authentication``, ``model_permission``, ``model_not_found``,
                ``model_request_invalid``, ``model_request_too_large``,
                ``model_rate_limited``, ``model_overloaded``, ``model_server_error``,
                ``model_unreachable``, ``model_timeout``, ``model_stalled``,
                ``model_stream_truncated``, ``model_stream_malformed``; of a cassette
                also ``model_cassette_mismatch``, ``model_cassette_invalid``,
                ``model_cassette_unwritable``.
        """

    def stream_showing(
        self,
        request: ModelRequest,
        show: Callable[[ModelBlockDelta], bool],  # noqa: ARG002 - optional to use
    ) -> AsyncIterator[ModelEvent]:
        """Send one request as ``stream`` does; deltas may take a short cut.

        Where a delta is all that a read of the network brings, waking the task that
        iterates costs more than the delta. A model that can gives it to ``show``
        instead, in the order of all events, and only while its iterator is waited
        for. A model that wraps another one and looks at its events does not.

        Args:
            request: What to send.
            show: Takes a delta of a block that has begun, or returns ``False``: then
                it is yielded. Must not raise.
        """
        return self.stream(request)

    async def models(self) -> list[ModelDescription]:
        """Return the models that its endpoint has; empty where none can be listed.

        Raises:
            ModelError: The endpoint failed.
        """
        return []

    def secrets(self) -> tuple[str, ...]:
        """Return the credentials it uses, to keep them out of what is written."""
        return ()

    async def warm(self) -> None:  # noqa: B027 - optional to override
        """Do now what would slow down the first answer. Best effort.

        Raises:
            ModelError: It cannot answer as it is set up; the first turn will say so.
        """

    async def close(self) -> None:  # noqa: B027 - optional to override
        """Release connections. Idempotent."""
