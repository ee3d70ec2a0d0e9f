"""Commands as plain requests, where there is no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamchat_nb.protocol.commands import (
    Approve,
    Cancel,
    EditQueued,
    SelectBranch,
    Send,
    SendNow,
)
from streamchat_nb.protocol.frames import Ack

if TYPE_CHECKING:
    from streamchat_nb.client.http import HttpApi

__all__ = ["ConversationCommand", "perform_by_request"]

ConversationCommand = Send | Cancel | EditQueued | SendNow | SelectBranch | Approve
"""What may be asked of a conversation."""


async def perform_by_request(http: HttpApi, command: ConversationCommand) -> Ack:
    """Carry out a command and return what a socket would have answered.

    Raises:
        ConnectError: It may not have arrived; send it again.
        StreamchatError: The server refused it.
    """
    conversation = f"conversations/{command.conversation}"
    match command:
        case Send():
            body: dict[str, Any] = {
                "content": command.content,
                "client_message_id": command.client_message_id,
                "if_active": command.if_active,
            }
            if command.output_schema is not None:
                body["output_schema"] = command.output_schema
            if command.parent is not None:
                body["parent"] = command.parent
            # An answer at once: the message is in the log, its turn goes on.
            headers = {"Prefer": "respond-async"}
            answer = await http.request(
                "POST", f"{conversation}/messages", body, headers=headers
            )
            return Ack(
                re=command.id,
                seq=answer.get("seq"),
                duplicate=bool(answer.get("duplicate")),
                result={"message": answer.get("message"), "turn": answer.get("turn")},
            )
        case Cancel():
            body = {"and_queued": True} if command.and_queued else {}
            method, path = "POST", f"turns/{command.turn}/cancel"
        case EditQueued():
            body = {"content": command.content}
            method, path = "PATCH", f"turns/{command.turn}"
        case SendNow():
            body = {}
            method, path = "POST", f"turns/{command.turn}/send-now"
        case SelectBranch():
            answer = await http.request("PATCH", conversation, {"tip": command.message})
            return Ack(re=command.id, seq=answer.get("head"))
        case Approve():
            body = {
                "decision": command.decision,
                "edited_input": command.edited_input,
                "remember": command.remember,
                "reason": command.reason,
            }
            method, path = "POST", f"approvals/{command.approval}"
    answer = await http.request(method, f"{conversation}/{path}", body)
    return Ack(re=command.id, seq=answer.get("seq"))
