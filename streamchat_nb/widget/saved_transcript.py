"""The transcript that a chat leaves in a saved notebook, beside the live widget.

It is an output of its own, after the widget's, because a front end that is told of a
changed output draws it anew: the live chat would lose its place with each answer.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import logging
import secrets
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.tools.secret_filter import SecretFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["SavedTranscript", "kernel_shell"]

logger = logging.getLogger(__name__)

LIMIT_BYTES = 250_000
"""Largest size of each of the three texts."""

_FIRST_TIMEOUT_S = 2.0
_CELL_END_TIMEOUT_S = 5.0
_LEAST_PAUSE_S = 1.0
_BYTES_PER_S = 100_000
"""Of an output that changes often; Jupyter stops a kernel's outputs at 1 MB/s."""
_SHARE_OF_TIME = 0.1

_LIVE = ".streamchat-transcript > :not(.streamchat-empty)"
_STYLE = f"""<style>
.jp-OutputArea-child:has({_LIVE}) + .jp-OutputArea-child:has(.streamchat-saved),
.jp-OutputArea-child:not(:has({_LIVE}, [data-mime-type])):has(+ * .streamchat-saved),
.cell_container:has({_LIVE}) .streamchat-saved {{ display: none; }}
</style>
"""
"""In JupyterLab, Notebook and VS Code: where a live chat shows something, the
transcript after it is not shown; else not the words about a missing widget in
its place. A notebook that is not trusted is shown without style and without widgets."""


class SavedTranscript:
    """Keeps a conversation's transcript in the outputs of the cells that show it.

    It is written by a thread of its own: seldom while much happens, and at the end of
    each cell, so that a notebook that runs without a person is complete.

    The front end is told by the output's display id. A page that was loaded again
    does not know that any more: it asks for the ``version``, and for the ``transcript``
    where the notebook's is another (``frontend/src/saved_transcript.ts``).

    Args:
        read: Returns the conversation as far as it is known, at once; ``None`` before
            anything is. Called on another thread.
        tell: Sends a message to the pages that show the chat.
        secret: A text that never gets into a notebook; for example the server's token.
    """

    def __init__(
        self,
        read: Callable[[], ConversationState | None],
        tell: Callable[[KernelMessage], None],
        *,
        secret: str = "",
    ) -> None:
        self._read = read
        self._tell = tell
        self._secret = secret
        self._id = f"streamchat-{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._shell: Any = None
        self._due = False
        self._shown: dict[str, str] = {}
        self._next_write_at = 0.0

    def show(
        self,
        shell: Any,  # noqa: ANN401 - IPython's, which has no types
        live: dict[str, Any],
        metadata: dict[str, Any],
    ) -> None:
        """Add chat and transcript to the outputs of the cell that runs; on its thread.

        Args:
            shell: From ``kernel_shell``.
            live: The data of the live chat's output.
            metadata: That output's metadata.
        """
        try:
            bundle = _writing_thread().submit(self._make).result(_FIRST_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - the live chat is to be shown
            logger.debug("No transcript yet: %s", type(error).__name__)
            bundle = self._bundle_of(None)
        publish = shell.display_pub.publish
        publish(live, metadata)
        publish(bundle, {}, transient={"display_id": self._id})
        with self._lock:
            self._shown = bundle
            first, self._shell = self._shell is None, shell
        if first:
            shell.events.register("post_run_cell", self._end_cell)
        self.change()

    def change(self) -> None:
        """Write it anew soon; from any thread. Nothing where it was never shown."""
        with self._lock:
            if self._shell is None or self._due:
                return
            self._due = True
            pause_s = self._next_write_at - time.monotonic()
        if pause_s <= 0:
            self._write_now()
            return
        timer = threading.Timer(pause_s, self._write_now)
        timer.daemon = True
        timer.start()

    def take(self, message: KernelMessage) -> None:
        """Answer a page that asks what is to be saved."""
        shown = self._shown
        if not shown:
            return
        if message.get("type") == "look":
            self._tell({"type": "version", **_marks_of(shown)})
        elif message.get("type") == "get":
            self._tell({"type": "transcript", **_marks_of(shown), "data": shown})

    def _write_now(self) -> None:
        with contextlib.suppress(RuntimeError):  # the kernel ends
            _writing_thread().submit(self._write)

    def _end_cell(self, _result: object) -> None:
        """Wait for what is being written; write what is due before the cell ends."""
        with contextlib.suppress(concurrent.futures.TimeoutError):
            _writing_thread().submit(self._write).result(_CELL_END_TIMEOUT_S)

    def _write(self) -> None:
        """Tell the front end; on the writing thread."""
        with self._lock:
            if not self._due:
                return
            self._due = False
        begun_at = time.monotonic()
        try:
            bundle = self._make()
        except Exception as error:  # noqa: BLE001 - the next answer tries again
            logger.debug("The transcript was not written: %s", type(error).__name__)
            return
        now = time.monotonic()
        sending_s = sum(map(len, bundle.values())) / _BYTES_PER_S
        making_s = (now - begun_at) / _SHARE_OF_TIME
        self._next_write_at = now + max(_LEAST_PAUSE_S, sending_s, making_s)
        if bundle == self._shown:
            return
        self._shown = bundle
        self._shell.display_pub.publish(
            bundle, {}, transient={"display_id": self._id}, update=True
        )
        self._tell({"type": "version", **_marks_of(bundle)})

    def _make(self) -> dict[str, str]:
        state = self._read()
        return self._bundle_of(None if state is None else self._without_secrets(state))

    def _bundle_of(self, state: ConversationState | None) -> dict[str, str]:
        if state is None or not state.messages:
            nothing = "Nothing was said in this chat yet."
            html = f'<div data-saved="{self._id} 0"></div>'
            return {"text/plain": nothing, "text/markdown": nothing, "text/html": html}
        version = f"{state.seq}"
        before = f'<div class="streamchat-saved" data-saved="{self._id} {version}">\n'
        after = f"</div>\n{_STYLE}"
        room = LIMIT_BYTES - len(before) - len(after)
        from streamchat_nb.transcript.export import mimebundle  # noqa: PLC0415 - heavy

        bundle = mimebundle(state, limit_bytes=room)
        return {**bundle, "text/html": before + bundle["text/html"] + after}

    def _without_secrets(self, state: ConversationState) -> ConversationState:
        found = SecretFilter()

        def clean(value: Any) -> Any:  # noqa: ANN401 - anything of JSON
            if isinstance(value, str):
                if self._secret:
                    value = value.replace(self._secret, found.left_out())
                return found.without_secrets(value)
            if isinstance(value, dict):
                known = cast("dict[str, Any]", value)
                return {name: clean(inner) for name, inner in known.items()}
            if isinstance(value, list):
                return [clean(inner) for inner in cast("list[Any]", value)]
            return value

        return msgspec.convert(clean(msgspec.to_builtins(state)), ConversationState)


def kernel_shell() -> Any | None:  # noqa: ANN401 - IPython's, which has no types
    """Return the shell of this process where it is a kernel's; else ``None``."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - heavy

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def _marks_of(bundle: dict[str, str]) -> dict[str, str]:
    """Return by what a page knows the output, and this version of it."""
    mark = bundle["text/html"].partition('data-saved="')[2].partition('"')[0]
    output, _, version = mark.partition(" ")
    return {"output": output, "version": version}


@functools.cache
def _writing_thread() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(1, "streamchat transcripts")
