"""What a turn waits for from outside: people's approvals, tools of the application."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamchat_nb.protocol import events as e

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["WAITS_FOR_APPLICATION", "TurnCalls", "Waiting"]

WAITS_FOR_APPLICATION = "Waiting for the application…"
"""The progress by which the log says that a call is with an AG-UI application."""


@dataclass(kw_only=True)
class CallInTurn:
    """A tool call, as far as it is known who has to do something."""

    id: str
    name: str
    input: dict[str, Any]
    has_begun: bool = False
    is_over: bool = False
    is_decided: bool = False
    awaits_application: bool = False
    asked: e.ToolApprovalRequested | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What a turn waits for; one of both is empty.

    Attributes:
        approvals: Questions to a person.
        calls: Ids of calls that the application has to answer.
    """

    approvals: tuple[e.ToolApprovalRequested, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass
class TurnCalls:
    """The calls of one turn, from its events.

    Args:
        answered: Ids of approvals and calls whose answers are on their way.
        is_open: Says whether an approval or a call is still to be answered.
    """

    answered: Collection[str]
    is_open: Callable[[str], bool]
    calls: dict[str, CallInTurn] = field(default_factory=dict[str, CallInTurn])

    def take(self, event: e.Event) -> CallInTurn | None:
        """Note an event; returns the call that it is about, if it is about one."""
        if isinstance(event, e.ToolRequested):
            call = CallInTurn(id=event.tool_call, name=event.name, input=event.input)
            self.calls[call.id] = call
            return call
        call = self.calls.get(getattr(event, "tool_call", ""))
        if call is None:
            return None
        match event:
            case e.ToolApprovalRequested():
                call.asked = event
            case e.ToolApprovalResolved():
                call.is_decided = True
                call.input = event.edited_input or call.input
            case e.ToolStarted():
                call.has_begun = True
            case e.ToolProgress():
                call.awaits_application |= event.message == WAITS_FOR_APPLICATION
            case e.ToolCompleted():
                call.is_over = True
            case _:
                pass
        return call

    def waiting(self) -> Waiting | None:
        """Return what the turn waits for; ``None`` while it can go on by itself.

        Calls that run here come first; one of the application's counts once the log
        says that it is there, which it does after all calls beside it have begun.
        """
        left = [call for call in self.calls.values() if not call.is_over]
        begun = [call for call in left if call.has_begun]
        if begun:
            if all(c.awaits_application and self._is_due(c.id) for c in begun):
                return Waiting(calls=tuple(call.id for call in begun))
            return None
        asked = [call.asked for call in left if call.asked and not call.is_decided]
        if any(call.asked is None for call in left):
            return None
        due = tuple(ask for ask in asked if self._is_due(ask.approval))
        return Waiting(approvals=due) if due else None

    def _is_due(self, id_: str) -> bool:
        return id_ not in self.answered and self.is_open(id_)
