from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
import time
from typing import Any

import pytest

from streamchat_nb.client.kernel_tools import KernelTool, offer_of
from streamchat_nb.client.main_thread import MainThread
from streamchat_nb.errors import ToolError
from streamchat_nb.tools.tool import ToolContext, ToolResult


def background(work: Any) -> concurrent.futures.Future[Any]:
    """Run a coroutine on a loop of another thread, as a client has."""
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def context(began: list[str] | None = None) -> ToolContext:
    return ToolContext(
        conversation="c",
        turn="t",
        tool_call="tc",
        report=lambda _text, _fraction: None,
        is_cancelled=lambda: False,
        begin=None if began is None else lambda: began.append("began"),
    )


def where() -> str:
    """Say on which thread this is."""
    return threading.current_thread().name


def test_work_runs_on_the_thread_that_pumps() -> None:
    main_thread = MainThread()
    began: list[str] = []
    tool = KernelTool(where, main_thread=main_thread)
    calling = background(tool.call({}, context(began)))
    result = main_thread.pump(calling, timeout_s=5)
    assert result == ToolResult(output=threading.current_thread().name)
    assert began == ["began"]


def test_thread_tool_runs_beside_a_busy_main_thread() -> None:
    main_thread = MainThread()
    tool = KernelTool(where, main_thread=main_thread, thread=True)
    calling = background(tool.call({}, context()))
    # Nobody pumps: the main thread is busy.
    result = calling.result(timeout=5)
    assert result.output != threading.current_thread().name
    assert not tool.sequential


def test_work_runs_between_cells_on_the_loop() -> None:
    async def kernel() -> None:
        main_thread = MainThread(asyncio.get_running_loop())
        assert main_thread.runs_between_cells
        tool = KernelTool(where, main_thread=main_thread)
        calling = background(tool.call({}, context()))
        time.sleep(0.05)  # a cell is busy  # noqa: ASYNC251
        assert not calling.done()
        result = await asyncio.wrap_future(calling)
        assert result.output == threading.current_thread().name

    asyncio.run(kernel())


def test_asynchronous_function_runs_on_the_loop_or_beside_a_cell() -> None:
    async def later() -> str:
        """Say where, later."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    async def kernel() -> None:
        main_thread = MainThread(asyncio.get_running_loop())
        tool = KernelTool(later, main_thread=main_thread)
        result = await asyncio.wrap_future(background(tool.call({}, context())))
        assert result.output == threading.current_thread().name

    asyncio.run(kernel())
    main_thread = MainThread()
    tool = KernelTool(later, main_thread=main_thread)
    result = main_thread.pump(background(tool.call({}, context())), timeout_s=5)
    assert result.output == "streamchat tool"


def test_raising_function_raises_where_it_was_called_from() -> None:
    def fail() -> None:
        """Fail."""
        raise ValueError("no such thing")

    main_thread = MainThread()
    tool = KernelTool(fail, main_thread=main_thread)
    calling = background(tool.call({}, context()))
    with pytest.raises(ValueError, match="no such thing"):
        main_thread.pump(calling, timeout_s=5)


def test_cancelled_call_interrupts_what_runs_and_drops_what_waits() -> None:
    main_thread = MainThread()
    ran: list[str] = []

    def long() -> None:
        """Take long."""
        ran.append("long")
        time.sleep(30)
        ran.append("never")

    def second() -> None:
        """Come second."""
        ran.append("second")

    async def client() -> None:
        first = asyncio.ensure_future(
            KernelTool(long, main_thread=main_thread).call({}, context())
        )
        while not ran:
            await asyncio.sleep(0.01)
        waiting = asyncio.ensure_future(
            KernelTool(second, main_thread=main_thread).call({}, context())
        )
        await asyncio.sleep(0.05)
        for task in (waiting, first):
            task.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)

    begun = time.monotonic()
    main_thread.pump(background(client()), timeout_s=20)
    assert ran == ["long"]
    assert time.monotonic() - begun < 5


def test_interrupt_of_what_runs_is_one_of_who_waits_for_it() -> None:
    main_thread = MainThread()

    def long() -> None:
        """Take long."""
        signal.raise_signal(signal.SIGINT)

    calling = background(KernelTool(long, main_thread=main_thread).call({}, context()))
    with pytest.raises(KeyboardInterrupt):
        main_thread.pump(calling, timeout_s=5)
    with pytest.raises(ToolError, match="interrupted in the kernel"):
        calling.result(5)


def test_pump_has_a_deadline_and_lets_an_interrupt_through() -> None:
    main_thread = MainThread()
    never: concurrent.futures.Future[None] = concurrent.futures.Future()
    with pytest.raises(TimeoutError):
        main_thread.pump(never, timeout_s=0.05)


def test_offer_says_what_the_server_has_to_know() -> None:
    def drop(table: str) -> None:
        """Drop a table.

        Args:
            table: Its name.
        """

    tool = KernelTool(
        drop, main_thread=MainThread(), risk="write", idempotent=True, timeout_s=3
    )
    offer = offer_of(tool)
    assert (offer.name, offer.description) == ("drop", "Drop a table.")
    assert (offer.risk, offer.needs_approval, offer.idempotent) == ("write", True, True)
    assert (offer.timeout_ms, offer.sequential) == (3000, True)
    assert offer.input_schema["required"] == ["table"]


def test_wait_that_ended_by_itself_holds_up_no_later_work() -> None:
    async def scenario() -> str:
        main_thread = MainThread(asyncio.get_running_loop())
        waited: concurrent.futures.Future[None] = concurrent.futures.Future()
        main_thread.serve(waited, timeout_s=0.01)
        waited.set_result(None)  # and nobody looks any more
        work = main_thread.submit(where, lambda: None)
        return await asyncio.wait_for(asyncio.wrap_future(work), 5)

    assert asyncio.run(scenario()) == threading.current_thread().name
