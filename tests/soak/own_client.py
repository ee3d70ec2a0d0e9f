"""The product's own client as one of those who follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from streamchat_nb.client.client import Client
from streamchat_nb.client.discovery import ServerAddress
from streamchat_nb.client.events import StateReplaced
from streamchat_nb.errors import ConnectError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.frames import Snapshot, Subscribed
from tests.soak.raw_client import Follower

if TYPE_CHECKING:
    from typing import Literal

    from streamchat_nb.client.conversation import ClientConversation
    from streamchat_nb.conversation.state import ConversationState
    from tests.soak.talk import Talk

__all__ = ["OwnClient"]


class OwnClient(Follower):
    """Follows by the product's client, which mends what breaks by itself.

    What its iterator gives is written down as if it had come over one connection.

    Args:
        talk: The conversation.
        port: Where the server is, or a proxy before it.
        transport: The client's only transport.
    """

    def __init__(
        self, talk: Talk, port: int, transport: Literal["websocket", "sse"]
    ) -> None:
        seat = talk.history.seat(f"our client by {transport}")
        super().__init__(talk.server.at(port), talk.conversation, seat)
        self._talk = talk
        self._transport: Literal["websocket", "sse"] = transport

    @override
    async def follow(self) -> None:
        url = f"http://127.0.0.1:{self.address.port}/"
        server = ServerAddress(url=url, token=self.address.token)
        try:
            async with Client(server, transport=self._transport) as client:
                await self._listen(client.conversation(self.conversation))
        except ConnectError:
            raise ConnectionResetError from None

    async def _listen(self, conversation: ClientConversation) -> None:
        """Write down what the client says, and what it shows at the end."""
        await conversation.current()
        self._connection = self.seat.connect(None)
        # No await in between: the events are those after this state.
        self._take_state(conversation.state)
        events = conversation.events()
        try:
            async for item in events:
                if isinstance(item, StateReplaced):
                    self._take_state(item.state)
                else:
                    self._connection.receive(encode(item))
        finally:
            self._talk.history.snapshots[self.seat.name] = conversation.state

    def _take_state(self, state: ConversationState) -> None:
        """Write down a state as the snapshot that it stands for."""
        log = self._talk.log
        begin = Subscribed(
            re=0,
            conversation=self.conversation,
            log=log,
            mode="snapshot",
            head=state.seq,
        )
        snapshot = Snapshot(
            conversation=self.conversation,
            log=log,
            seq=state.seq,
            part=1,
            parts=1,
            state=msgspec.Raw(encode(state)),
        )
        self._connection.receive(encode(begin))
        self._connection.receive(encode(snapshot))
