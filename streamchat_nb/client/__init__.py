"""Clients of a streamchat server in Python: scripts, terminals and kernels."""

from __future__ import annotations

from streamchat_nb.client.answer import Answer
from streamchat_nb.client.answer_stream import AnswerStream
from streamchat_nb.client.check_report import CheckReport
from streamchat_nb.client.client import Client, ConversationSummary, connect
from streamchat_nb.client.conversation import ClientConversation, Message
from streamchat_nb.client.events import ConversationEvents, StateReplaced
from streamchat_nb.client.sync_client import (
    SyncAnswerStream,
    SyncClient,
    SyncConversation,
    SyncConversationEvents,
    connect_sync,
)

__all__ = [
    "Answer",
    "AnswerStream",
    "CheckReport",
    "Client",
    "ClientConversation",
    "ConversationEvents",
    "ConversationSummary",
    "Message",
    "StateReplaced",
    "SyncAnswerStream",
    "SyncClient",
    "SyncConversation",
    "SyncConversationEvents",
    "connect",
    "connect_sync",
]
