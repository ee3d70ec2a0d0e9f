"""How much a model reads at once, where its endpoint does not say. Pure."""

from __future__ import annotations

__all__ = ["context_tokens_of"]

_TOKENS = {
    # Anthropic's public overview of models, in November 2026.
    "claude-fable-5": 1_000_000,
    "claude-opus-5": 1_000_000,
    "claude-sonnet-5": 1_000_000,
    "claude-haiku-5": 1_000_000,
    "claude-opus-4-5": 200_000,
    "claude-haiku-4-5": 200_000,
}


def context_tokens_of(model: str) -> int | None:
    """Return the most tokens of a request and its answer; ``None``: not known.

    Args:
        model: Its id; what a cloud puts before or after its name does not matter.
    """
    return next((tokens for name, tokens in _TOKENS.items() if name in model), None)
