"""The ceilings of a turn, in tokens and money, and what is left below them. Pure.

A ceiling is hard: a request is sent only with so few output tokens that even its
dearest answer stays below. What an endpoint does not count is estimated upwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import structs

from streamchat_nb.errors import Conflict, UsageError

if TYPE_CHECKING:
    from streamchat_nb.agent.prices import Price
    from streamchat_nb.agent.turn_limits import TurnLimits
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import Usage

__all__ = ["LEAST_ANSWER_TOKENS", "Budget", "Spent", "refuse_over_budget"]

BYTES_PER_TOKEN = 3
"""Of JSON in UTF-8, on the side of more tokens: English prose has over four."""
LEAST_ANSWER_TOKENS = 128
"""With less room than this, a request is not worth sending."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What was used before a turn in its conversation.

    Attributes:
        tokens: Of all kinds.
        cost_usd: US dollars, estimated.
    """

    tokens: int = 0
    cost_usd: float = 0.0

    @classmethod
    def by(cls, state: ConversationState) -> Spent:
        """Return what the turns of a conversation used that have ended."""
        return cls(tokens=_all_tokens(state.usage), cost_usd=state.cost or 0.0)


@dataclass(frozen=True, kw_only=True)
class _Ceiling:
    """One ceiling, and what was used of it before the turn."""

    unit: Literal["tokens", "usd"]
    amount: float
    before: float
    scope: str

    def left(self, used: float) -> float:
        return self.amount - self.before - used

    @property
    def words(self) -> str:
        is_money = self.unit == "usd"
        amount = f"${self.amount:g}" if is_money else f"{self.amount:,.0f} tokens"
        return f"the ceiling of {amount} for {self.scope}"


class Budget:
    """What one turn has used, and what its next request may use.

    Args:
        limits: The ceilings.
        spent: What the conversation used before.
        price: Of the model; ``None`` where it is not known.

    Raises:
        UsageError: There is a ceiling in money, and no price.
    """

    def __init__(self, limits: TurnLimits, spent: Spent, price: Price | None) -> None:
        self._ceilings = _ceilings_of(limits, spent)
        if price is None and any(c.unit == "usd" for c in self._ceilings):
            raise UsageError(
                "There is a ceiling in money, and what this model costs is not known. "
                "Set StreamchatExtension.prices for it, or a ceiling in tokens instead."
            )
        self._price = price
        self._tokens = 0
        self._cost_usd = 0.0
        self._last_input_tokens = 0
        self._last_input_bytes = 0

    def count(
        self, usage: Usage, *, input_bytes: int, output_bytes: int
    ) -> float | None:
        """Take note of a request; returns its cost in US dollars, if that is known.

        Args:
            usage: What the endpoint counted.
            input_bytes: The request as JSON; see ``needs_sizes``.
            output_bytes: Its answer, likewise.
        """
        counted = _all_tokens(usage) - (usage.output_tokens or 0)
        input_tokens = counted or _estimated(input_bytes)
        output_tokens = usage.output_tokens
        if output_tokens is None:
            output_tokens = _estimated(output_bytes)
        self._tokens += input_tokens + output_tokens
        self._last_input_tokens = input_tokens
        self._last_input_bytes = input_bytes
        if self._price is None:
            return None
        if not counted:
            usage = structs.replace(usage, input_tokens=input_tokens)
        usage = structs.replace(usage, output_tokens=output_tokens)
        cost_usd = self._price.cost_usd(usage)
        self._cost_usd += cost_usd
        return cost_usd

    def needs_sizes(self, usage: Usage) -> bool:
        """Say whether ``count`` looks at the sizes, which take a while to find out.

        Args:
            usage: What the endpoint counted.
        """
        output_tokens = usage.output_tokens
        is_counted = output_tokens is not None and _all_tokens(usage) > output_tokens
        return not (self.is_open and is_counted)

    @property
    def is_open(self) -> bool:
        """Whether there is no ceiling."""
        return not self._ceilings

    def room(self, input_bytes: int) -> int | None:
        """Return the most output tokens of the next request; ``None``: no ceiling.

        Args:
            input_bytes: The request as JSON.
        """
        grown = max(0, input_bytes - self._last_input_bytes)
        input_tokens = self._last_input_tokens + _estimated(grown)
        rooms = [self._room_below(ceiling, input_tokens) for ceiling in self._ceilings]
        return max(0, min(rooms)) if rooms else None

    @property
    def nearest(self) -> str:
        """The ceiling that is nearest to being reached, in words."""
        return min(self._ceilings, key=self._share_left).words

    def reached(self) -> Conflict:
        """Return the error of a turn that has no room for another request."""
        return _reached(min(self._ceilings, key=self._share_left))

    def _room_below(self, ceiling: _Ceiling, input_tokens: int) -> int:
        if ceiling.unit == "tokens":
            return int(ceiling.left(self._tokens)) - input_tokens
        if self._price is None:  # it was refused when this was made
            return 0
        left_usd = ceiling.left(self._cost_usd)
        return self._price.most_output_tokens(left_usd, input_tokens=input_tokens)

    def _share_left(self, ceiling: _Ceiling) -> float:
        used = self._tokens if ceiling.unit == "tokens" else self._cost_usd
        return ceiling.left(used) / ceiling.amount


def refuse_over_budget(limits: TurnLimits, spent: Spent) -> None:
    """Refuse a message where the conversation's ceiling is reached already.

    Raises:
        Conflict: ``budget_reached``.
    """
    for ceiling in _ceilings_of(limits, spent):
        if ceiling.left(0) <= 0:
            raise _reached(ceiling)


def _ceilings_of(limits: TurnLimits, spent: Spent) -> list[_Ceiling]:
    tokens, usd = spent.tokens, spent.cost_usd
    turn, conversation = "one answer", "this conversation"
    wanted: list[tuple[Literal["tokens", "usd"], float | None, float, str]] = [
        ("tokens", limits.tokens, 0, turn),
        ("usd", limits.cost_usd, 0, turn),
        ("tokens", limits.conversation_tokens, tokens, conversation),
        ("usd", limits.conversation_cost_usd, usd, conversation),
    ]
    return [
        _Ceiling(unit=unit, amount=amount, before=before, scope=scope)
        for unit, amount, before, scope in wanted
        if amount is not None
    ]


def _reached(ceiling: _Ceiling) -> Conflict:
    way_out = (
        "Start a new conversation"
        if ceiling.scope == "this conversation"
        else "Ask for less at once"
    )
    words = ceiling.words
    return Conflict(
        f"{words[0].upper()}{words[1:]} is reached. {way_out}; the administrator of "
        "this server sets it by StreamchatExtension.turn_limits.",
        code="budget_reached",
    )


def _estimated(size_bytes: int) -> int:
    return math.ceil(size_bytes / BYTES_PER_TOKEN)


def _all_tokens(usage: Usage | None) -> int:
    if usage is None:
        return 0
    return (
        (usage.input_tokens or 0)
        + (usage.output_tokens or 0)
        + (usage.cache_creation_input_tokens or 0)
        + (usage.cache_read_input_tokens or 0)
    )
