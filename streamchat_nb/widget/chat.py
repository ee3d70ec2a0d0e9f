"""The chat as a widget: ``Chat()`` in a notebook cell.

The browser talks to the server directly; this class only says which conversation it
is and lets Python ask and read. Its synced traits are few and carry no secret.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import logging
import threading
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import anywidget
import msgspec
import traitlets
from typing_extensions import override

from streamchat_nb.client.answer import Answer, answer_of
from streamchat_nb.client.discovery import ServerAddress, find_server
from streamchat_nb.client.structured_output import StructuredOutput
from streamchat_nb.client.sync_client import SyncClient, SyncConversation
from streamchat_nb.conversation.branches import shown_messages
from streamchat_nb.errors import ConnectError, StreamchatError, UsageError
from streamchat_nb.protocol.events import TurnFinished
from streamchat_nb.widget.cassette_path import cassette_settings
from streamchat_nb.widget.kernel_channel import KernelChannel
from streamchat_nb.widget.lent_agents import LentAgents, wanted_agent
from streamchat_nb.widget.lent_tools import (
    LentTools,
    as_kernel_tool,
    main_thread,
    user_namespace,
    wanted_notebook_tools,
)
from streamchat_nb.widget.local_server import local_server
from streamchat_nb.widget.relay import Relay
from streamchat_nb.widget.saved_transcript import SavedTranscript, kernel_shell
from streamchat_nb.widget.sharing import DataSharing

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from langchain_core.tools import BaseTool

    from streamchat_nb.client.check_report import CheckReport
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.tools.tool import Tool
    from streamchat_nb.transcript.export import Format
    from streamchat_nb.widget.kernel_channel import KernelMessage

__all__ = ["Answer", "Chat", "ChatMessage", "conversation_of", "newest_chat"]

logger = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_clients: dict[ServerAddress, SyncClient] = {}
_lent = LentTools()
_lent_agents = LentAgents()
_clients_lock = threading.Lock()
_JOIN_TIMEOUT_S = 2.0
_made: list[weakref.ref[Chat]] = []
_connecting = concurrent.futures.ThreadPoolExecutor(
    max_workers=2, thread_name_prefix="streamchat connect"
)


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation, for Python.

    Attributes:
        role: ``user`` or ``assistant``.
        text: Its text.
        status: ``complete``, ``partial``, ``streaming`` or ``discarded``.
        author: Name of who wrote it.
    """

    role: str
    text: str
    status: str
    author: str


class Chat(anywidget.AnyWidget):
    """A chat with the server's agent, in a notebook cell.

    Args:
        conversation: Id of a conversation to join; a new one when ``None``. Two
            widgets on the same conversation show the same thing.
        url: Base address of the Jupyter server, where it cannot be found by itself.
        token: The server's token for that case. Kept out of every trait.
        local: Whether this kernel runs a server of its own, which nobody else uses;
            where there is no Jupyter server, or one without streamchat_nb.
        agent: Who answers: the name of one of the server's agents; or an ``Agent``, a
            compiled LangGraph graph or a function that yields text, which then runs in
            this kernel. ``None``: as the conversation chose, or the server's default.
        tools: Functions of this notebook, or LangChain tools, that the agent may call;
            see ``tool``.
        notebook_tools: Whether the agent may list variables, describe them, preview
            data frames, read this notebook's cells and run Python here: all, none, or
            those named. Whatever shows data or runs code asks first.
        cassette: File that the model's answers are recorded in and played from, with
            no key; a path from the notebook, within the server's folder, that ends in
            ``.jsonl``. The conversation keeps it.
        cassette_mode: ``auto`` plays what is there and records the rest, ``replay``
            only plays, ``record`` asks again.
        theme: ``auto`` follows the page, or ``light``, ``dark``.
        language: ``auto`` follows the page, then the browser; or a language's tag, for
            example ``de``. English in place of one that there is not.
        direction: Where lines begin: ``auto`` follows the page, or ``ltr``, ``rtl``.
        height: Height of the chat as a CSS length, for example ``"480px"``.

    Attributes:
        conversation: Id of the conversation; empty until the server gave one.
        status: How the browser is connected: ``connecting``, ``connected`` or
            ``offline``.
        last_answer: ``{"text", "status", "turn"}`` of the last finished turn.
        theme: As above.
        language: As above.
        direction: As above.
        height: As above.
        base_url: Path of the server, a hint for the browser.
        through_kernel: Whether only the kernel reaches the server, and passes on what
            the browser and the server say to each other.
    """

    _esm = _STATIC / "widget.js"

    conversation = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("connecting").tag(sync=True)
    last_answer = traitlets.Dict().tag(sync=True)
    theme = traitlets.Enum(["auto", "light", "dark"], "auto").tag(sync=True)
    language = traitlets.Unicode("auto").tag(sync=True)
    direction = traitlets.Enum(["auto", "ltr", "rtl"], "auto").tag(sync=True)
    height = traitlets.Unicode("").tag(sync=True)
    base_url = traitlets.Unicode("").tag(sync=True)
    through_kernel = traitlets.Bool(default_value=False).tag(sync=True)

    _relay: Relay | None = None

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        conversation: str | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        local: bool = False,
        agent: object = None,
        tools: Iterable[Callable[..., Any] | Tool | BaseTool] = (),
        notebook_tools: bool | Iterable[str] = True,
        cassette: str | os.PathLike[str] | None = None,
        cassette_mode: str = "auto",
        theme: str = "auto",
        language: str = "auto",
        direction: str = "auto",
        height: str = "",
    ) -> None:
        self._tools = {
            made.name: made
            for made in (
                *wanted_notebook_tools(notebook_tools),
                *(as_kernel_tool(function) for function in tools),
            )
        }
        self._agent = None if agent is None else wanted_agent(agent)
        self._server: ServerAddress | None = None
        self._problem: StreamchatError | None = None
        self._followed: SyncConversation | None = None
        self._follow_lock = threading.Lock()
        self._is_local = local
        if local and (url or token):
            raise UsageError("A local chat has its own server: give no url and token.")
        try:
            self._server = _start_local() if local else find_server(url, token)
        except ConnectError as error:
            self._problem = error
        self._saved = SavedTranscript(
            self._known_state,
            self._tell_page,
            secret="" if self._server is None else self._server.token,
        )
        self._settings = (
            cassette_settings(cassette, cassette_mode, self._find_server())
            if cassette is not None
            else {}
        )
        known = None if local else self._server
        path = "" if known is None else urlsplit(known.url).path
        super().__init__(
            conversation=conversation or "",
            theme=theme,
            language=language,
            direction=direction,
            height=height,
            base_url=path,
            through_kernel=local,
        )
        self._kernel_channel = KernelChannel(cast("Any", self).send)
        self._kernel_channel.listen(
            "share", DataSharing(self._kernel_channel.sender("share"), user_namespace)
        )
        self._relay = Relay(self._kernel_channel.sender("relay"), self._find_server)
        self._kernel_channel.listen("relay", self._relay)
        self._kernel_channel.listen("saved", self._saved)
        cast("Any", self).on_msg(self._take_kernel_message)
        if self._server is not None:
            if self._settings or self._agent is not None:
                self._follow()  # no question is to go to the model unnoticed
            elif not conversation:
                self._create_conversation()
            _connecting.submit(self._follow_quietly)
        _made[:] = [*(known for known in _made if known()), weakref.ref(self)]

    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        **options: Any,  # noqa: ANN401 - each is described below
    ) -> Any:  # noqa: ANN401 - the function as it was
        """Let the agent call a function of this notebook: ``@chat.tool``.

        It runs in this kernel, with the notebook's data: on the main thread when no
        cell runs, and inside ``ask`` while that waits. A cell that runs again replaces
        its tools. What it returns is shown: a data frame as a table, a figure as a
        picture.

        Args:
            function: The function, synchronous or not; its hints and docstring tell
                the model what it is for.
            **options: ``name``, ``label``, ``timeout_s`` (120), ``risk`` (``read``;
                ``write`` and ``exec`` ask a person first), ``needs_approval``,
                ``thread`` (run beside a busy cell, on a thread of its own) and
                ``idempotent`` (may be started again when the kernel was lost).

        Returns:
            The function as it was.

        Raises:
            UsageError: It cannot be a tool; says why.
            StreamchatError: The server does not take it, for example because one of
                its own tools has that name.
        """
        if function is None:
            return functools.partial(self._add_tool, **options)
        return self._add_tool(function)

    def _add_tool(self, function: Any, /, **options: Any) -> Any:  # noqa: ANN401
        made = as_kernel_tool(function, **options)
        if self._server is not None:
            _lent.lend(self._follow(), [*self._tools.values(), made])
        self._tools[made.name] = made
        return function

    def export(
        self,
        format: Format = "md",  # noqa: A002 - the word for it
        path: str | os.PathLike[str] | None = None,
    ) -> str:
        """Return the conversation as text, and write it to a file if asked to.

        Args:
            format: ``md``, ``html`` (a page), ``ipynb``, ``json`` or ``txt``.
            path: File to write in UTF-8.

        Raises:
            UsageError: There is no such format.
            ConnectError: The server cannot be found or reached.
        """
        from streamchat_nb.transcript.export import export  # noqa: PLC0415 - heavy

        return export(self._state(), format, path)

    def ask(
        self,
        text: str,
        *,
        output: Any = None,  # noqa: ANN401 - a type, or a schema
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a message and wait for the whole answer.

        The answer streams into every screen of the conversation meanwhile. The
        kernel's stop button ends the turn.

        Args:
            text: The message.
            output: What the answer is to be, in place of prose: a pydantic model, a
                dataclass, a ``TypedDict``, an msgspec ``Struct``, or a JSON Schema of
                an object. ``Answer.output`` is then a value of it.
            timeout_s: Longest wait in seconds; no limit when ``None``. The turn goes
                on at the server.

        Raises:
            ConnectError: The server cannot be found or reached.
            StreamchatError: The server refused the message; it says why.
        """
        if not text.strip():
            raise UsageError("ask needs a text.")
        wanted = None if output is None else StructuredOutput(output)
        conversation = self._follow()
        turn = conversation.send(text, output_schema=wanted and wanted.schema)
        try:
            conversation.finished(turn, timeout_s=timeout_s)
        except KeyboardInterrupt:
            with contextlib.suppress(StreamchatError):
                conversation.cancel(turn)
            raise
        answer = conversation.answer(turn)
        return answer if wanted is None else wanted.of(answer)

    def check(self) -> CheckReport:
        """Try the model's endpoint, and each way from this kernel to the server.

        Takes up to 40 s, and about 100 tokens of the model. The report shows as a
        table; ``print`` it where there is none.

        Raises:
            ConnectError: The server cannot be found or reached.
            StreamchatError: The server does not let this user check it.
        """
        with contextlib.closing(SyncClient(self._find_server())) as client:
            return client.check()

    @property
    def messages(self) -> list[ChatMessage]:
        """The messages of the branch that is shown, oldest first.

        Raises:
            ConnectError: The server cannot be found or reached.
        """
        return [
            ChatMessage(
                role=message.role,
                text="\n\n".join(
                    block.text for block in message.blocks if block.kind == "text"
                ),
                status=message.status,
                author=message.author.name,
            )
            for message in shown_messages(self._state())
        ]

    def _state(self) -> ConversationState:
        return self._follow().state

    def _known_state(self) -> ConversationState | None:
        """What is known now of the conversation; does not wait for the server."""
        conversation = self._followed
        return None if conversation is None else conversation.state

    def _tell_page(self, message: KernelMessage) -> None:
        self._kernel_channel.sender("saved")(message)

    def _ipython_display_(self) -> None:
        """Show the live chat, and the transcript that stays in a saved notebook."""
        shell = kernel_shell()
        if shell is None:
            raise NotImplementedError  # IPython shows it in another way
        if self._server is not None:
            joining = _connecting.submit(self._follow_quietly)
            concurrent.futures.wait([joining], timeout=_JOIN_TIMEOUT_S)
        live, metadata = cast("Any", self)._repr_mimebundle_()
        self._saved.show(shell, {**live, "text/plain": ""}, metadata)

    @override
    def close(self) -> None:
        """Take the widget off every screen; the conversation stays at the server."""
        if self._relay is not None:  # it was made to the end
            self._relay.close()
        cast("Any", super()).close()

    def _find_server(self) -> ServerAddress:
        """Return where the server is.

        Raises:
            ConnectError: It was not found.
        """
        if self._is_local:
            return local_server().address()
        if self._server is None:
            raise self._problem or ConnectError("No server was found.")
        return self._server

    def _take_kernel_message(
        self,
        widget: object,
        content: object,
        buffers: object,
    ) -> None:
        """Take what the browser says to the kernel; ipywidgets calls it."""
        del widget, buffers
        self._kernel_channel.take(content)

    def _create_conversation(self) -> None:
        """Make a conversation; where that fails the browser does it."""
        try:
            self._follow()
        except StreamchatError as error:
            self._problem = error

    def _follow_quietly(self) -> None:
        try:
            self._follow()
        except StreamchatError as error:
            logger.debug("Not following yet: %s", error.message)

    def _follow(self) -> SyncConversation:
        with self._follow_lock:
            known = self._followed
            wanted = self.conversation
            if known is None or known.failure or wanted not in ("", known.id):
                client = _client_for(self._find_server())
                client.open()
                known = client.conversation(wanted) if wanted else client.create()
                self._choose(known)
                self._followed = known
                known.watch(self._take_event)
                self.conversation = known.id
                _lent.lend(known, self._tools.values())
            known.current()
            return known

    def _choose(self, conversation: SyncConversation) -> None:
        """Let the conversation be answered as this chat was asked to."""
        settings: dict[str, str | None] = {**self._settings}
        match self._agent:
            case None:
                pass
            case str() as name:
                settings["agent"] = name
            case agent:
                settings["agent"] = _lent_agents.lend(conversation, agent)
        if settings:
            conversation.configure(**settings)

    @traitlets.observe("conversation")
    def _conversation_changed(self, change: Any) -> None:  # noqa: ANN401 - traitlets
        if change["new"] and self._server is not None:
            _connecting.submit(self._follow_quietly)

    def _take_event(self, event: Event | UnknownEvent | None) -> None:
        """Keep ``last_answer`` current; runs on the client's thread."""
        conversation = self._followed
        if conversation is None or not isinstance(event, TurnFinished | None):
            return
        self._saved.change()
        state = conversation.state
        ended = [turn for turn in state.turns if turn.finished_ts is not None]
        if ended:
            last = max(ended, key=lambda turn: turn.finished_ts or 0)
            answer = answer_of(state, last.turn)
            self.last_answer = {
                "text": answer.text,
                "status": answer.status,
                "turn": answer.turn,
            }


def newest_chat() -> Chat | None:
    """Return the chat that was made last in this process and was not closed."""
    chats = (known() for known in reversed(_made))
    return next((chat for chat in chats if chat and cast("Any", chat).comm), None)


def conversation_of(chat: Chat) -> SyncConversation:
    """Return a chat's conversation, followed and up to date.

    Raises:
        ConnectError: The server cannot be found or reached.
    """
    own: Any = chat
    followed: SyncConversation = own._follow()  # noqa: SLF001 - of this module
    return followed


def _start_local() -> ServerAddress:
    """Return the address of this kernel's own server; says what it has to say."""
    server = local_server()
    address = server.address()
    if server.notice:
        warnings.warn(server.notice, stacklevel=3)
    return address


def _client_for(server: ServerAddress) -> SyncClient:
    """Return this process's client for a server; one serves all widgets."""
    with _clients_lock:
        known = _clients.get(server)
        if known is None or not known.is_alive:
            _clients[server] = SyncClient(server, kind="kernel", name="notebook")
            _clients[server].serve_on(main_thread())
        return _clients[server]
