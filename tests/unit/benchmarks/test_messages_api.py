from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

import anthropic

from benchmarks.rig.messages_api import MessagesApi, Pacer, question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def with_api(scenario: Callable[[str], Awaitable[None]]) -> None:
    async def main() -> None:
        pacers: dict[float, Pacer] = {}
        server = await asyncio.get_running_loop().create_server(
            lambda: MessagesApi(pacers), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        try:
            async with asyncio.timeout(20):
                await scenario(f"http://127.0.0.1:{port}")
        finally:
            server.close()

    asyncio.run(main())


async def answer(
    client: anthropic.AsyncAnthropic, *texts: str
) -> anthropic.types.Message:
    async with client.messages.stream(
        model="claude-fake",
        max_tokens=10,
        messages=[{"role": "user", "content": text} for text in texts],
    ) as stream:
        return await stream.get_final_message()


def text_of(message: anthropic.types.Message) -> str:
    return cast("anthropic.types.TextBlock", message.content[0]).text


def test_question_to_the_fake_api_is_answered_as_the_sdk_expects() -> None:
    async def scenario(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            paced = await answer(client, question(rate_per_s=1000, deltas=30))
            stamps = [int(stamp) for stamp in re.findall(r"~(\d+)~", text_of(paced))]
            assert len(stamps) == 30
            assert stamps == sorted(stamps)
            assert paced.stop_reason == "end_turn"
            assert paced.usage.output_tokens == 30

    with_api(scenario)


def test_fake_api_obeys_the_last_question_of_a_conversation() -> None:
    async def scenario(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            first = question(rate_per_s=1, deltas=1000)
            last = question(rate_per_s=0, deltas=2000, plain=True)
            whole = await answer(client, first, last)
            assert len(text_of(whole)) == 12_000

    with_api(scenario)


def test_streams_of_one_rate_share_a_pacer_and_all_end() -> None:
    async def scenario(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            text = question(rate_per_s=500, deltas=25)
            answers = await asyncio.gather(*(answer(client, text) for _ in range(8)))
            counts = [len(re.findall(r"~\d+~", text_of(one))) for one in answers]
            assert counts == [25] * 8

    with_api(scenario)


def test_paced_answers_end_when_they_are_told_to() -> None:
    async def scenario(url: str) -> None:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as client:
            text = question(rate_per_s=50, deltas=10_000)
            async with client.messages.stream(
                model="claude-fake",
                max_tokens=10,
                messages=[{"role": "user", "content": text}],
            ) as stream:
                texts = aiter(stream.text_stream)
                await anext(texts)
                await client.post("/bench/finish", cast_to=object)
                message = await stream.get_final_message()
            assert message.stop_reason == "end_turn"
            assert len(re.findall(r"~\d+~", text_of(message))) < 100

    with_api(scenario)
