"""What tokens cost, so that a turn's cost can be estimated and bounded. Pure.

Prices change and accounts have discounts: every figure here is an estimate, and an
administrator's own prices go before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamchat_nb.protocol.content import Usage

__all__ = ["FREE", "Price", "price_of"]

_MILLION = 1_000_000
_WEB_SEARCH_USD = 0.01
_DATED = re.compile(r"(-\d{8}|@\d{8}|-latest)\Z")


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars for a million tokens of a model.

    Attributes:
        input: Input tokens.
        output: Output tokens.
        cache_write: Input tokens written to the endpoint's cache; a quarter above
            ``input`` when ``None``.
        cache_read: Input tokens read from it; a tenth of ``input`` when ``None``.
        long_prompt_tokens: Above so many input tokens of all kinds a request costs
            ``long_prompt_factor`` times as much; ``None``: it never does.
        long_prompt_factor: How much more.
    """

    input: float
    output: float
    cache_write: float | None = None
    cache_read: float | None = None
    long_prompt_tokens: int | None = None
    long_prompt_factor: float = 1.0

    def cost_usd(self, usage: Usage) -> float:
        """Return what one request cost, in US dollars; what was not counted is 0."""
        plain = usage.input_tokens or 0
        written = usage.cache_creation_input_tokens or 0
        read = usage.cache_read_input_tokens or 0
        tokens_usd = (
            plain * self.input
            + written * self._cache_write
            + read * (self.input / 10 if self.cache_read is None else self.cache_read)
            + (usage.output_tokens or 0) * self.output
        ) / _MILLION
        searches_usd = (usage.web_search_requests or 0) * _WEB_SEARCH_USD
        return tokens_usd * self._factor(plain + written + read) + searches_usd

    def most_output_tokens(self, left_usd: float, *, input_tokens: int) -> int:
        """Return how many output tokens a request may have, at its dearest.

        Args:
            left_usd: What it may cost, in US dollars.
            input_tokens: What it sends; none of it is taken to be in a cache.
        """
        factor = self._factor(input_tokens)
        input_usd = input_tokens * max(self.input, self._cache_write) * factor
        left = left_usd * _MILLION - input_usd
        dearest = self.output * factor
        return max(0, int(left / dearest)) if dearest > 0 else _MILLION

    @property
    def _cache_write(self) -> float:
        return self.input * 1.25 if self.cache_write is None else self.cache_write

    def _factor(self, input_tokens: int) -> float:
        most = self.long_prompt_tokens
        return 1.0 if most is None or input_tokens <= most else self.long_prompt_factor


FREE = Price(input=0, output=0)
"""Of a model that nobody is billed for."""

_ANTHROPIC = {
    # Anthropic's public price list, https://claude.com/pricing, in November 2026.
    "claude-fable-5-1": Price(input=10, output=50, cache_read=0.25),
    "claude-fable-5": Price(input=10, output=50),
    "claude-opus-5-5": Price(input=4, output=20, cache_read=0.2),
    "claude-opus-5": Price(input=5, output=25),
    "claude-opus-4-8": Price(input=5, output=25),
    "claude-opus-4-7": Price(input=5, output=25),
    "claude-opus-4-6": Price(input=5, output=25),
    "claude-opus-4-5": Price(input=5, output=25),
    "claude-sonnet-5-5": Price(input=2, output=10, cache_read=0.1),
    "claude-sonnet-5": Price(input=2, output=10),
    "claude-haiku-5-5": Price(
        input=0.1, output=0.5, long_prompt_tokens=100_000, long_prompt_factor=5
    ),
    "claude-haiku-4-5": Price(input=1, output=5),
}


def price_of(
    model: str, *, own: Mapping[str, Price], at_anthropic: bool
) -> Price | None:
    """Return the price of a model; ``None`` where it is not known.

    Args:
        model: Its id; a date at its end does not matter.
        own: Prices of the administrator by model id, which go before all others.
        at_anthropic: It is asked at Anthropic; others have prices of their own.
    """
    plain = _DATED.sub("", model)
    for prices in (own, _ANTHROPIC if at_anthropic else {}):
        for name in (model, plain):
            if name in prices:
                return prices[name]
    return None
