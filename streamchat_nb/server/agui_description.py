"""The AG-UI route, as the API's description names it."""

from __future__ import annotations

from typing import Any

__all__ = ["agui_operation"]

_TEXT = {"type": "string"}
_LIST = {"type": "array", "items": {"type": "object"}}
_ID = {"type": "string", "minLength": 1, "maxLength": 256}


def agui_operation(error: dict[str, Any]) -> dict[str, Any]:
    """Return the operation, given what an error looks like.

    It stands beside the API, not below it, and says so by an address of its own.
    """
    given = {
        "type": "object",
        "description": "RunAgentInput of AG-UI 1.0",
        "properties": {
            "threadId": _ID,
            "runId": _ID,
            "messages": _LIST,
            "tools": _LIST,
            "context": _LIST,
            "resume": _LIST,
            "state": {},
            "forwardedProps": {},
        },
        "required": ["messages", "runId", "threadId"],
    }
    return {
        "summary": "Run an agent by AG-UI 1.0",
        "servers": [{"url": "/streamchat"}],
        "externalDocs": {"url": "https://docs.ag-ui.com"},
        "parameters": [
            {
                "name": "agent",
                "in": "query",
                "required": False,
                "description": "Who answers the thread from now on",
                "schema": _TEXT,
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": given}},
        },
        "responses": {
            "200": {
                "description": "The run's events, to RUN_FINISHED or RUN_ERROR",
                "content": {"text/event-stream": {"schema": _TEXT}},
            },
            "default": error,
        },
    }
