"""What agents say happens: the events of a turn that an agent makes, wherever it runs.

They are durable events without an envelope. Who runs the turn stamps conversation,
turn and time; the log gives numbers.
"""

from __future__ import annotations

from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolApprovalRequested,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnStatus,
)

__all__ = ["AgentEvent"]

AgentEvent = (
    MessageCreated
    | MessageCompleted
    | MessageDiscarded
    | BlockStarted
    | BlockDelta
    | BlockCompleted
    | ToolRequested
    | ToolApprovalRequested
    | ToolStarted
    | ToolProgress
    | ToolCompleted
    | TurnStatus
)
"""The closed union of events that an agent may yield."""
