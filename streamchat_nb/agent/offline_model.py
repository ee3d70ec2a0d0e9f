"""The offline demo: fixed rules behind the real SDK, without a network."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.endpoint import EndpointProfile
from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    import httpx2

    from streamchat_nb.agent.model import ModelDescription

__all__ = ["OFFLINE_MODEL_NAME", "PACE_VARIABLE", "OfflineModel"]

OFFLINE_MODEL_NAME = "offline-demo"
PACE_VARIABLE = "STREAMCHAT_NB_OFFLINE_PACE_S"
"""Environment variable: seconds for each word of the offline demo, 0 for none."""

_DEFAULT_PACE_S = 0.03
_SLOWEST_PACE_S = 10.0


class OfflineModel(AnthropicModel):
    """Follows fixed rules where no language model can be reached.

    It is the ordinary model on an in-process transport, so a demonstration, the
    tests and real use share one path. The same request gives the same answer.

    Args:
        pace_s: Seconds for each word, 0 for none; ``None`` for what
            ``STREAMCHAT_NB_OFFLINE_PACE_S`` says, else 0.03.
        no_progress_timeout_s: As in ``AnthropicModel``.

    Raises:
        UsageError: The pace is not a number of seconds from 0 to 10.
    """

    offline = True

    def __init__(
        self, *, pace_s: float | None = None, no_progress_timeout_s: float = 60.0
    ) -> None:
        super().__init__(
            OFFLINE_MODEL_NAME,
            base_url="https://offline.invalid",
            api_key="offline",
            no_progress_timeout_s=no_progress_timeout_s,
            profile=EndpointProfile(
                images=True, output_format=True, any_schema=True, lenient=False
            ),
        )
        self._pace_s = _default_pace_s() if pace_s is None else pace_s
        if not 0 <= self._pace_s <= _SLOWEST_PACE_S:
            raise UsageError(
                "The offline demo's pace must be a number of seconds from 0 to "
                f"{_SLOWEST_PACE_S:g}; see {PACE_VARIABLE}."
            )

    @override
    async def models(self) -> list[ModelDescription]:
        return []

    @override
    def _make_transport(self) -> httpx2.AsyncBaseTransport:
        from streamchat_nb.agent.offline_transport import (  # noqa: PLC0415 - heavy
            OfflineTransport,
        )

        return OfflineTransport(pace_s=self._pace_s)


def _default_pace_s() -> float:
    given = os.environ.get(PACE_VARIABLE, "").strip()
    try:
        return float(given) if given else _DEFAULT_PACE_S
    except ValueError:
        return math.nan
