"""Functions of a notebook as tools that run in its kernel."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from typing_extensions import override

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.commands import ToolOffer
from streamchat_nb.tools.decorator import FunctionTool
from streamchat_nb.tools.figures import pyplot_figures
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.values import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.client.main_thread import MainThread
    from streamchat_nb.protocol.events import Risk
    from streamchat_nb.tools.tool import Tool, ToolContext

__all__ = ["KernelTool", "offer_of"]

ParametersT = ParamSpec("ParametersT")
ReturnT = TypeVar("ReturnT")
_Later = concurrent.futures.Future[ToolResult]


class KernelTool(FunctionTool[ParametersT, ReturnT]):
    """A function that runs where cells run: on the main thread, when it is free.

    Args:
        function: The function, synchronous or not; its hints and docstring describe
            it. What it returns is turned into what a model can read and a person
            wants to see.
        main_thread: Where it runs.
        name: Its name for the model; the function's own when ``None``.
        label: Shown while it runs; ``"Using {name}…"`` when ``None``.
        timeout_s: Longest run, in seconds, from when it begins.
        risk: What it may do: ``read``, ``write`` or ``exec``.
        needs_approval: A person must agree; ``None``: unless it only reads.
        thread: Run it on a thread of its own, beside a cell that is busy.
        idempotent: Running it twice does no more than running it once: it may be
            started again when the kernel was lost.

    Raises:
        UsageError: The function cannot be a tool; says why.
    """

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        function: Callable[ParametersT, ReturnT],
        *,
        main_thread: MainThread,
        name: str | None = None,
        label: str | None = None,
        timeout_s: float = 120.0,
        risk: Risk = "read",
        needs_approval: bool | None = None,
        thread: bool = False,
        idempotent: bool = False,
    ) -> None:
        super().__init__(
            function,
            name=name,
            label=label,
            timeout_s=timeout_s,
            sequential=not thread,
            risk=risk,
            needs_approval=needs_approval,
        )
        self.where = "kernel"
        self.idempotent = idempotent
        self._thread = thread
        self._main_thread = main_thread

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        """Run it; on the main thread unless it is to run beside.

        Cancellation: what waits for the main thread never runs; what runs there is
        interrupted as by the kernel's stop button.
        """
        if self._thread:
            context.running()
            return await super().call(input_, context)
        positional, keywords = self._schema.arguments(input_, context)
        work = self._main_thread.submit(
            lambda: self._begin(positional, keywords), context.running
        )
        try:
            value: Any = await asyncio.wrap_future(work)
            if isinstance(value, concurrent.futures.Future):
                value = await asyncio.wrap_future(cast("_Later", value))
        except asyncio.CancelledError:
            self._main_thread.interrupt(work)
            raise
        except KeyboardInterrupt:
            raise ToolError("It was interrupted in the kernel.") from None
        return cast("ToolResult", value)

    def _begin(
        self, positional: list[Any], keywords: dict[str, Any]
    ) -> ToolResult | concurrent.futures.Future[ToolResult]:
        """Call the function; returns a future where it is asynchronous."""
        function = cast("Callable[..., object]", self.function)
        figures = pyplot_figures()
        value = function(*positional, **keywords)
        if not inspect.isawaitable(value):
            return _result_of(value, figures)

        async def finish() -> ToolResult:
            return _result_of(await value, figures)

        return _run_on_a_loop(finish())


def _result_of(value: object, figures_before: frozenset[int]) -> ToolResult:
    if isinstance(value, ToolResult):
        return value
    return result_of(value, figures_before=figures_before)


def _run_on_a_loop(
    work: Coroutine[None, None, ToolResult],
) -> concurrent.futures.Future[ToolResult]:
    """Run a coroutine on this thread's loop; on another's while a cell blocks it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _on_a_thread(work)
    done: concurrent.futures.Future[ToolResult] = concurrent.futures.Future()
    task = loop.create_task(work)

    def settle(task: asyncio.Task[ToolResult]) -> None:
        if not task.cancelled() and done.set_running_or_notify_cancel():
            error = task.exception()
            if error is None:
                done.set_result(task.result())
            else:
                done.set_exception(error)
        else:
            done.cancel()

    task.add_done_callback(settle)
    # Cancelled from the client's thread: stop it there where it runs.
    done.add_done_callback(
        lambda done: done.cancelled() and loop.call_soon_threadsafe(task.cancel)
    )
    return done


def _on_a_thread(
    work: Coroutine[None, None, ToolResult],
) -> concurrent.futures.Future[ToolResult]:
    done: concurrent.futures.Future[ToolResult] = concurrent.futures.Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits
            done.set_exception(error)

    threading.Thread(target=run, name="streamchat tool", daemon=True).start()
    return done


def offer_of(tool: Tool) -> ToolOffer:
    """Return what is told to the server of a tool that a client lends."""
    return ToolOffer(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        label=tool.label,
        risk=tool.risk,
        needs_approval=tool.needs_approval,
        timeout_ms=max(1, round(tool.timeout_s * 1000)),
        idempotent=tool.idempotent,
        sequential=tool.sequential,
    )
