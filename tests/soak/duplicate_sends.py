"""Messages that are sent again because their answer was lost, and by two tabs at once.

Eight senders send to one conversation after the other. One answer in five is dropped:
it is thrown away, or the connection is closed before it can come; then the message is
sent again under the same id. Each sender has two tabs with one outbox: one message in
ten is sent by both. Each message has to be in the log once, in its sender's order.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.frames import Ack, ErrorFrame
from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import ENDED, open_socket
from tests.soak.real_server import real_server
from tests.soak.talk import Talk

if TYPE_CHECKING:
    from streamchat_nb.testing.history import Sent
    from tests.soak.raw_client import Line
    from tests.soak.real_server import RealServer

__all__ = ["FAULT", "run"]

SENDERS = 8
MESSAGES_PER_CONVERSATION = 200
CLOSED = 0.1
THROWN_AWAY = 0.1
BY_BOTH_TABS = 0.1
ANSWER_S = 30.0
ATTEMPTS = 100


def run(count: int, seed: int, *, bug: str = "") -> Outcome:
    """Send ``count`` messages, to a server with a bug if one is named."""
    return asyncio.run(_run(count, seed, bug))


async def _run(count: int, seed: int, bug: str) -> Outcome:
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    violations: list[str] = []
    messages = attempts = 0
    with real_server(bug=bug, agent="tests.soak.brief_agent:BriefAgent") as server:
        while messages < count and not violations:
            most = min(MESSAGES_PER_CONVERSATION, count - messages)
            talk = await _send_all(server, -(-most // SENDERS), dice)
            violations += map(str, check(await talk.close_the_books()))
            messages += len(talk.history.sends)
            attempts += sum(sent.attempts for sent in talk.history.sends)
    return Outcome(
        fault=FAULT.name,
        count=messages,
        violations=violations,
        figures={"senders": str(SENDERS), "attempts": str(attempts)},
    )


async def _send_all(server: RealServer, each: int, dice: random.Random) -> Talk:
    """Let all senders send to a new conversation, and wait for all answers."""
    talk = await Talk.begin(server)

    async def send(sender: str) -> None:
        tabs = [_Tab(talk, dice), _Tab(talk, dice)]
        for number in range(each):
            sent = talk.record(f"{sender} says {number}", seat=sender)
            sent.attempts = 0
            using = tabs if dice.random() < BY_BOTH_TABS else [dice.choice(tabs)]
            await asyncio.gather(*(tab.deliver(sent) for tab in using))
        for tab in tabs:
            tab.close()

    async with talk:
        await asyncio.gather(*(send(f"sender {number}") for number in range(SENDERS)))
        turns = {
            str((sent.acks[0].result or {})["turn"]) for sent in talk.history.sends
        }
        await talk.until(lambda: turns <= talk.finished.keys())
    return talk


class _Tab:
    """A connection over which messages are sent until an answer arrives."""

    def __init__(self, talk: Talk, dice: random.Random) -> None:
        self._talk = talk
        self._dice = dice
        self._line: Line | None = None
        self._last_id = 0

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    async def deliver(self, sent: Sent) -> None:
        """Send a message until an answer to it arrives.

        Raises:
            AssertionError: The server refused it, or ended all connections.
        """
        while True:
            sent.attempts += 1
            try:
                answer = await self._attempt(sent)
            except ENDED:
                assert sent.attempts < ATTEMPTS, "the server ends every connection"
                self.close()
                continue
            if self._dice.random() >= THROWN_AWAY:
                sent.answers.append(answer)
                assert isinstance(answer, Ack), answer.code
                return

    async def _attempt(self, sent: Sent) -> Ack | ErrorFrame:
        talk = self._talk
        self._last_id += 1
        if self._line is None:
            self._line = await open_socket(talk.server.address, talk.token)
        self._line.say(
            type="send",
            id=self._last_id,
            conversation=talk.conversation,
            client_message_id=sent.client_message_id,
            content=msgspec.to_builtins(sent.content),
        )
        if self._dice.random() < CLOSED:
            raise ConnectionResetError
        async with asyncio.timeout(ANSWER_S):
            while True:
                answer = decode_frame(await self._line.message())
                if isinstance(answer, Ack | ErrorFrame) and answer.re == self._last_id:
                    return answer


FAULT = Fault(name="duplicate_sends", in_ci=4_000, in_soak=40_000, run=run)
