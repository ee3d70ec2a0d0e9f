"""An output of a notebook's cell that is shown again and again while it grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.transcript.answer import answer_html, answer_mimebundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamchat_nb.transcript.outline import Entry

__all__ = ["LiveOutput", "display_in_cell"]

_LEAST_CHARACTERS = 16
_GROWTH = 32
_LEAST_INTERVAL_S = 0.1
_LEAST_REST_S = 0.5
_REST_BYTES_PER_S = 8_192
_LARGEST_BYTES = 200_000
"""Of what is shown meanwhile."""


class LiveOutput:
    """Shows an answer in the cell that runs, while it is written and at its end.

    However long an answer gets, what is sent stays in proportion to it: it is shown
    again when it has grown by a thirty-second, or when nothing came for a while.

    What is written while it grows is gone at the end, when the whole is shown as an
    output of its own. So a notebook's outputs are the same on each run, also to
    programs that do not know of outputs that change.

    Args:
        before: What stands above the answer, for good.
        clock: The time in seconds.
    """

    def __init__(
        self, before: Sequence[Entry], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._before = list(before)
        self._clock = clock
        self._shown_s = clock()
        self._shown_bytes = 0
        self._grown = 0
        self._is_behind = False
        self._handle: Any = display_in_cell(
            self._beginning(), raw=True, display_id=True
        )

    def grow(self, characters: int) -> None:
        """Note that there is more to show; what has no length counts as none."""
        self._grown += characters
        self._is_behind = True

    @property
    def is_due(self) -> bool:
        """Whether to show it again now."""
        waited_s = self._clock() - self._shown_s
        if self._grown >= max(_LEAST_CHARACTERS, self._shown_bytes / _GROWTH):
            return waited_s >= _LEAST_INTERVAL_S
        rest_s = max(_LEAST_REST_S, self._shown_bytes / _REST_BYTES_PER_S)
        return self._is_behind and waited_s >= rest_s

    def show(self, entries: Sequence[Entry]) -> None:
        """Show the answer as far as it is there."""
        shown = answer_html([*self._before, *entries], limit_bytes=_LARGEST_BYTES)
        self._shown_s = self._clock()
        self._shown_bytes = len(shown)
        self._grown = 0
        self._is_behind = False
        self._handle.update({"text/html": shown}, raw=True)

    def finish(self, entries: Sequence[Entry]) -> None:
        """Show the whole answer, to stay."""
        display_in_cell(answer_mimebundle(entries), raw=True)
        self._handle.update(self._beginning(), raw=True)

    def _beginning(self) -> dict[str, str]:
        return answer_mimebundle(self._before) if self._before else {"text/plain": ""}


def display_in_cell(value: object, **options: Any) -> Any:  # noqa: ANN401 - IPython's
    """Show a value in the output of the cell that runs; options are IPython's."""
    from IPython.core import display_functions  # noqa: PLC0415 - heavy

    return cast("Any", display_functions).display(value, **options)
