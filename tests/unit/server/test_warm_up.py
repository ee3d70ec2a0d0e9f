from __future__ import annotations

import asyncio
import time

from streamchat_nb.server.warm_up import until_calm


def test_busy_loop_is_waited_for_until_it_is_calm() -> None:
    async def scenario() -> None:
        busy_until = time.monotonic() + 0.4

        async def be_busy() -> None:
            while time.monotonic() < busy_until:
                time.sleep(0.08)  # noqa: ASYNC251 - that is what busy is
                await asyncio.sleep(0)

        work = asyncio.create_task(be_busy())
        await until_calm(calm_s=0.06, timeout_s=30.0)
        assert time.monotonic() > busy_until
        await work

    asyncio.run(scenario())


def test_loop_that_never_calms_down_is_waited_for_no_longer_than_agreed() -> None:
    async def scenario() -> None:
        async def be_busy() -> None:
            while True:
                time.sleep(0.08)  # noqa: ASYNC251 - that is what busy is
                await asyncio.sleep(0)

        work = asyncio.create_task(be_busy())
        begun = time.monotonic()
        await until_calm(calm_s=0.06, timeout_s=0.3)
        assert time.monotonic() - begun >= 0.3
        work.cancel()

    asyncio.run(scenario())
