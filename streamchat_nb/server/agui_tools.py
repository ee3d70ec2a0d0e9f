"""Applications that talk AG-UI, as lenders of their tools.

An application is there while a request of it is open. Between two requests it stays a
lender as long as a call waits for it; the next request brings the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.protocol.commands import AcceptTool, FinishTool, ReportTool
from streamchat_nb.protocol.frames import CallTool, CancelTool
from streamchat_nb.server.agui_waiting import WAITS_FOR_APPLICATION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamchat_nb.protocol.commands import ToolOffer
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.turns import ConversationTurns

__all__ = ["Application", "Applications"]

CLIENT = "agui"
"""By this id applications lend; one conversation has one application."""


class Application:
    """The application of one conversation.

    Args:
        turns: Where its tools are lent and called.
        forget: Called when it is gone and nothing waits for it.

    Attributes:
        calls: The leases of the calls that wait for it, by their ids.
    """

    def __init__(self, turns: ConversationTurns, forget: Callable[[], None]) -> None:
        self.calls: dict[str, str] = {}
        self._turns = turns
        self._forget = forget
        self._requests = 0

    def join(self, tools: Sequence[ToolOffer]) -> None:
        """Note a request, with the tools that the application has now.

        Raises:
            InvalidInput: A tool cannot be used as it is described.
            Conflict: A name is one of the server's tools (``tool_name_taken``).
        """
        self._turns.offer_tools(CLIENT, list(tools), self.hear)
        self._requests += 1

    def leave(self) -> None:
        """Note the end of a request."""
        self._requests -= 1
        self._forget_if_gone()

    def hear(self, frame: Frame) -> None:
        """Take a call: the log says at once that it waits for the application."""
        match frame:
            case CallTool():
                self.calls[frame.tool_call] = frame.lease
                self._note(frame)
            case CancelTool():
                self.calls.pop(frame.tool_call, None)
                self._forget_if_gone()
            case _:
                pass

    def give(self, call: str, output: str, *, is_error: bool) -> None:
        """Give the result of a call; of one that does not wait it goes nowhere."""
        lease = self.calls.pop(call, None)
        if lease is None:
            return
        finished = FinishTool(
            id=0,
            conversation=self._turns.log.id,
            tool_call=call,
            lease=lease,
            status="error" if is_error else "ok",
            output=output,
        )
        self._turns.desk.finish(CLIENT, finished)

    def _note(self, call: CallTool) -> None:
        accepted = AcceptTool(
            id=0,
            conversation=call.conversation,
            tool_call=call.tool_call,
            lease=call.lease,
        )
        waits = ReportTool(
            conversation=call.conversation,
            tool_call=call.tool_call,
            lease=call.lease,
            message=WAITS_FOR_APPLICATION,
        )
        self._turns.desk.accept(CLIENT, accepted)
        self._turns.desk.report(CLIENT, waits)

    def _forget_if_gone(self) -> None:
        if self._requests == 0 and not self.calls:
            self._turns.desk.leave(CLIENT, self.hear)
            self._forget()


class Applications:
    """The applications that are there or that calls wait for, by conversation."""

    def __init__(self) -> None:
        self._applications: dict[str, Application] = {}

    def __len__(self) -> int:
        return len(self._applications)

    def join(self, turns: ConversationTurns, tools: Sequence[ToolOffer]) -> Application:
        """Note a request of the application of a conversation; it ends by ``leave``.

        Raises:
            InvalidInput: As ``Application.join``.
            Conflict: As ``Application.join``.
        """
        conversation = turns.log.id

        def forget() -> None:
            self._applications.pop(conversation, None)

        application = self._applications.get(conversation)
        if application is None:
            application = Application(turns, forget)
        application.join(tools)
        self._applications[conversation] = application
        return application
