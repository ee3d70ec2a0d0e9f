"""What a token costs does not grow: by counts of what the server does, never by times.

``python -m benchmarks --axis growth`` goes to the 100,000th token and takes times, too.
"""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.counting.long_answer import Cost, CountedServer, LongAnswer

FLAT = 1.1
"""A count differs by a few hundredths: how what comes falls into turns of the loop."""
BEGIN = 30


async def first_tokens(
    server: CountedServer, *, viewers: int = 1, history: int = 0
) -> Cost:
    async with LongAnswer(server, viewers=viewers, history=history) as answer:
        await answer.grow(BEGIN)
        return await answer.cost(tokens=10)


@pytest.mark.timeout(180)  # five seconds where nothing else runs
def test_server_token_costs_the_same_however_much_came_before_and_whoever_looks() -> (
    None
):
    async def scenario() -> None:
        async with CountedServer() as server:
            one = await first_tokens(server)
            after_history = await first_tokens(server, history=60)
            assert after_history.own_steps < one.own_steps * FLAT

            some = await first_tokens(server, viewers=4)
            many = await first_tokens(server, viewers=10)
            of_one_more = (some.own_steps - one.own_steps) / 3
            spread = one.own_steps * (FLAT - 1)
            assert many.own_steps - some.own_steps < of_one_more * 6 + spread
            assert many.wire_bytes < one.wire_bytes * FLAT

            async with LongAnswer(server) as answer:
                await answer.grow(3_000, at_once=20)
                late = await answer.cost(tokens=10)
            assert late.own_steps < one.own_steps * FLAT
            assert late.wire_bytes < one.wire_bytes * FLAT

    asyncio.run(scenario())
