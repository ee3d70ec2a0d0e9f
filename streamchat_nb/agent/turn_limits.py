"""Where a turn stops by itself."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TurnLimits"]


@dataclass(frozen=True, kw_only=True)
class TurnLimits:
    """Where a turn stops by itself.

    Attributes:
        steps: Model requests.
        tool_calls: Tool calls.
        wall_clock_s: Seconds from start to end.
        output_tokens: Output tokens over all steps; ``None`` for no limit.
        tokens: Ceiling of tokens of all kinds; ``None`` for none.
        cost_usd: Ceiling of what it costs in US dollars, estimated; ``None`` for none.
        conversation_tokens: As ``tokens``, for the whole conversation.
        conversation_cost_usd: As ``cost_usd``, for the whole conversation.
        model_tool_output_bytes: Largest tool output given to the model, UTF-8.
    """

    steps: int = 25
    tool_calls: int = 50
    wall_clock_s: float = 1800.0
    output_tokens: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    conversation_tokens: int | None = None
    conversation_cost_usd: float | None = None
    model_tool_output_bytes: int = 32_768
