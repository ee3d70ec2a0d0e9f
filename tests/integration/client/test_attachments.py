"""Files, blocks, settings and approvals by the client, over a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from streamchat_nb.client.kernel_tools import KernelTool
from streamchat_nb.client.main_thread import MainThread
from streamchat_nb.client.sync_client import SyncConversation, connect_sync
from streamchat_nb.errors import Conflict, InvalidInput, NotFound, TooLarge
from streamchat_nb.protocol.content import (
    DataBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)
from streamchat_nb.protocol.events import ToolApprovalRequested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamchat_nb.testing.server_process import ServerProcess

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
CSV = "name,year\nAda,1815\nGrace,1906\n"


@pytest.fixture(params=["auto", "rest"])
def conversation(
    server: ServerProcess, request: pytest.FixtureRequest
) -> Iterator[SyncConversation]:
    address = server.address
    with connect_sync(address.url, address.token, transport=request.param) as client:
        yield client.create()


def test_attached_files_are_sent_and_come_back(
    conversation: SyncConversation, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(CSV)
    document = conversation.attach(path)
    image = conversation.attach(PNG, name="plot.png")
    assert document == conversation.attach(str(path))
    assert document == DocumentBlock(
        artifact=document.artifact, media_type="text/plain", title="people.csv"
    )
    assert isinstance(image, ImageBlock)
    assert (image.media_type, image.alt) == ("image/png", "plot.png")
    assert conversation.download(image.artifact) == PNG
    text = TextBlock(text="Tell me about these.")
    answer = conversation.ask([text, document, image])
    assert "I was given `people.csv`" in answer.text
    assert "Grace,1906" in answer.text
    assert "an image" in answer.text
    sent = [b.content for b in conversation.state.messages[0].blocks]
    assert sent == [text, document, image]


def test_shared_data_reaches_the_model(conversation: SyncConversation) -> None:
    data = DataBlock(name="df", text="df: DataFrame of 3 rows\nquince 17")
    answer = conversation.ask([TextBlock(text="Describe @df"), data])
    assert "quince 17" in answer.text


def test_what_cannot_be_attached_or_sent_is_said(
    conversation: SyncConversation,
) -> None:
    with pytest.raises(InvalidInput, match="kind of file"):
        conversation.attach(b"\x00\x01\x02")
    with pytest.raises(InvalidInput, match="empty"):
        conversation.attach(b"")
    with pytest.raises(TooLarge, match="10485760"):
        conversation.attach(b"x" * 10_485_761)
    with pytest.raises(NotFound):
        conversation.download("a_" + "0" * 40)
    image = conversation.attach(PNG)
    wrong = DocumentBlock(artifact=image.artifact, media_type="image/png")
    with pytest.raises(InvalidInput, match="image block"):
        conversation.send([wrong])
    with pytest.raises(TooLarge):
        conversation.send(
            [TextBlock(text="x"), DataBlock(name="df", text="x" * 70_000)]
        )
    assert conversation.state.messages == []


def test_files_of_one_conversation_are_not_anothers(
    conversation: SyncConversation, server: ServerProcess
) -> None:
    image = conversation.attach(PNG)
    address = server.address
    with connect_sync(address.url, address.token) as client:
        other = client.create()
        with pytest.raises(NotFound):
            other.send([image])
        with pytest.raises(NotFound):
            other.download(image.artifact)
        other.delete()


def test_file_is_never_a_page_of_the_server(
    conversation: SyncConversation, server: ServerProcess
) -> None:
    page = conversation.attach(b"<script>alert(1)</script>", name='a".html')
    url = (
        f"{server.address.api}conversations/{conversation.id}/artifacts/{page.artifact}"
    )
    authorization = {"Authorization": f"token {server.address.token}"}
    with urlopen(Request(url, headers=authorization)) as response:  # noqa: S310
        headers = response.headers
        assert headers["Content-Type"].startswith("text/plain")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith("attachment;")
        assert "sandbox" in headers["Content-Security-Policy"]
    with pytest.raises(HTTPError) as refused:
        urlopen(url)  # noqa: S310
    assert refused.value.code == 403


def test_files_go_with_their_conversation(
    conversation: SyncConversation,
) -> None:
    image = conversation.attach(PNG)
    conversation.delete()
    with pytest.raises(NotFound):
        conversation.download(image.artifact)


def test_settings_choose_who_answers(conversation: SyncConversation) -> None:
    with pytest.raises(InvalidInput, match="no credential"):
        conversation.configure(model="claude-nobody")
    with pytest.raises(InvalidInput, match="no agent 'nobody'"):
        conversation.configure(agent="nobody")
    with pytest.raises(InvalidInput, match="no setting 'allowed_tools'"):
        conversation.configure(allowed_tools="run_python")
    with pytest.raises(InvalidInput, match="within it"):
        conversation.configure(cassette="../outside.jsonl")
    conversation.configure(model="offline-demo", agent="assistant")
    assert conversation.state.settings == {
        "agent": "assistant",
        "model": "offline-demo",
    }
    assert conversation.ask("What is 6*7?").text.endswith("**42**")
    conversation.configure(agent=None, model=None)
    assert conversation.state.settings == {}


def test_chosen_cassette_without_a_credential_says_what_is_missing(
    conversation: SyncConversation,
) -> None:
    conversation.configure(cassette="recordings/chat.jsonl", cassette_mode="replay")
    answer = conversation.ask("Who is Ada?")
    assert answer.status == "failed"
    assert answer.error is not None
    assert answer.error.code == "model_cassette_mismatch"
    assert "chat.jsonl holds nothing yet" in answer.error.message


def test_approvals_are_answered_by_the_client(server: ServerProcess) -> None:
    ran: list[int] = []

    def double(number: int) -> int:
        """Double a number.

        Args:
            number: The number.
        """
        ran.append(number)
        return 2 * number

    address = server.address
    with connect_sync(address.url, address.token) as client:
        conversation = client.create()
        tool = KernelTool(double, main_thread=MainThread(), thread=True, risk="write")
        conversation.lend([tool])
        events = conversation.events(timeout_s=20)
        turn = conversation.send('call double {"number": 4}')
        asked = next(e for e in events if isinstance(e, ToolApprovalRequested))
        approval = asked.approval
        with pytest.raises(InvalidInput, match="double does not take"):
            conversation.approve(approval, edited_input={"number": "four"})
        conversation.approve(approval, edited_input={"number": 5})
        conversation.approve(approval)
        with pytest.raises(Conflict, match="approved"):
            conversation.approve(approval, "denied")
        conversation.finished(turn, timeout_s=20)
        assert ran == [5]
        with pytest.raises(NotFound):
            conversation.approve("p_none")
