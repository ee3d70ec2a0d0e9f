"""The server extension: traits in, one service out, and its routes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

import msgspec
from jupyter_core.paths import jupyter_data_dir, jupyter_runtime_dir
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.extension.application import ExtensionApp
from traitlets import (
    Bool,
    Dict,
    Enum,
    Float,
    Integer,
    List,
    TraitError,
    Unicode,
    validate,
)
from typing_extensions import override

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.errors import StreamchatError, UsageError
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.server.agent_catalog import AGENT_NAME
from streamchat_nb.server.agui import AguiHandler
from streamchat_nb.server.agui_tools import Applications
from streamchat_nb.server.artifacts import ArtifactHandler, ArtifactsHandler
from streamchat_nb.server.auth import TokenAuthority
from streamchat_nb.server.base import Runtime
from streamchat_nb.server.checks import CheckHandler, EndpointChecks
from streamchat_nb.server.connection_file import ConnectionFile
from streamchat_nb.server.connections import Connections, lengthen_queues
from streamchat_nb.server.description import json_schema, openapi
from streamchat_nb.server.heartbeat import Heartbeat
from streamchat_nb.server.messages import EventsHandler, MessagesHandler
from streamchat_nb.server.model_settings import (
    checked_prices,
    checked_server_tools,
    checked_turn_limits,
)
from streamchat_nb.server.page import STATIC_DIRECTORY, PageHandler
from streamchat_nb.server.presence import Audiences
from streamchat_nb.server.rest import (
    AgentsHandler,
    ApprovalHandler,
    CancelHandler,
    ConversationHandler,
    ConversationsHandler,
    DescriptionHandler,
    ExportHandler,
    HealthHandler,
    ModelsHandler,
    NoRouteHandler,
    RestoreHandler,
    SendNowHandler,
    SessionHandler,
    TokenHandler,
    TraceHandler,
    TurnHandler,
)
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import DEFAULT_SYSTEM_PROMPT, Settings
from streamchat_nb.server.token_key import KeyFile
from streamchat_nb.server.websocket import SocketHandler
from streamchat_nb.server.wiring import agent_names, make_agent, make_tools
from streamchat_nb.tools.mcp_settings import read_mcp_servers

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from tornado.web import RequestHandler

    from streamchat_nb.agent.cassette import CassetteMode, CassetteTiming
    from streamchat_nb.agent.model import Effort
    from streamchat_nb.conversation.store import Store

__all__ = ["StreamchatExtension"]

# Clients may write a colon as %3A; Tornado matches a path before it is decoded.
_ID = r"((?:[A-Za-z0-9._:-]|%3[Aa]){1,64})"
MEMORY = "memory"
STOP_S = 5.0
INTERRUPT_S = 0.4
LEAVE_S = 0.6


class _Proposal(TypedDict):
    value: dict[str, Any]


class StreamchatExtension(ExtensionApp):
    """streamchat_nb in a Jupyter server.

    Each trait can be set in a config file (``c.StreamchatExtension.model = "…"``)
    or on the command line (``--StreamchatExtension.model=…``).
    """

    name = "streamchat_nb"
    app_name = "streamchat_nb"
    description = (
        "Streamed agent chat for notebooks: a server with the chat page. "
        "`jupyter streamchat ask TEXT` streams an answer into the terminal."
    )
    extension_url = "/streamchat/"
    default_url = "/streamchat/"
    load_other_extensions = True

    agent = Unicode(
        "",
        help="Agent that answers where a conversation chooses none: a name out of "
        "agents, or module:attribute (as there), which takes the built-in agent's "
        "place. Empty: the built-in tool-using agent, called assistant.",
    ).tag(config=True)
    agents = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="More agents by name, for example {'graph': 'my_module:graph'}: each as "
        "module:attribute of an Agent, a compiled LangGraph graph, an async generator "
        "function, or a function without arguments that returns one of these. "
        "Installed packages register theirs in the entry-point group "
        "streamchat_nb.agents. A conversation chooses by name.",
    ).tag(config=True)
    model = Unicode(
        "",
        help="Model id, for example claude-sonnet-5-5. Empty: the default of the "
        "endpoint, or the offline demo where there is no credential. "
        "offline-demo: always the offline demo.",
    ).tag(config=True)
    base_url = Unicode(
        "",
        help="Endpoint that speaks Anthropic's Messages API, for example "
        "http://127.0.0.1:11434. Empty: ANTHROPIC_BASE_URL or Anthropic's own.",
    ).tag(config=True)
    effort = Enum(
        [None, "low", "medium", "high", "xhigh", "max"],
        default_value=None,
        allow_none=True,
        help="How much work the model puts into an answer, where it lets one choose. "
        "None: as the model does by itself.",
    ).tag(config=True)
    thinking = Bool(
        None,
        allow_none=True,
        help="Whether the model thinks before it answers; its thoughts are shown, "
        "folded. None: as the model does by itself.",
    ).tag(config=True)
    server_tools = List(
        cast("Any", None),
        help="Tools that Anthropic's endpoint runs itself: 'web_search', 'web_fetch', "
        "'code_execution', or a definition as the Messages API takes it, for example "
        "{'type': 'web_search_20250305', 'name': 'web_search', 'max_uses': 3}. "
        "Searches cost extra; other endpoints are sent none.",
    ).tag(config=True)
    prices = Dict(
        help="What models cost in US dollars for a million tokens, by model id, for "
        "example {'my-model': {'input': 0.5, 'output': 2.0}}; also cache_write and "
        "cache_read. Go before Anthropic's list prices, which are known.",
    ).tag(config=True)
    turn_limits = Dict(
        help="Where an answer stops by itself, as far as that differs from the "
        "defaults: steps (25), tool_calls (50), wall_clock_s (1800), output_tokens; "
        "and ceilings that are never passed: tokens and cost_usd for one answer, "
        "conversation_tokens and conversation_cost_usd for a conversation. For "
        "example {'cost_usd': 0.25, 'conversation_cost_usd': 5}.",
    ).tag(config=True)
    system_prompt = Unicode(
        DEFAULT_SYSTEM_PROMPT, help="Instructions for the built-in agent."
    ).tag(config=True)
    tools = List(
        Unicode(),
        help="Server-side tools, each as module:function, besides those that "
        "installed packages register in the entry-point group streamchat_nb.tools.",
    ).tag(config=True)
    mcp_servers = Dict(
        key_trait=Unicode(),
        help="MCP servers whose tools the agent may call, by name: each as {'command': "
        "…, 'args': […], 'env': {…}, 'cwd': …} to start, or {'url': …, 'headers': {…}} "
        "to ask by streamable HTTP. ${NAME} stands for an environment variable. What a "
        "server does not mark as only reading asks a person first.",
    ).tag(config=True)
    mcp_file = Unicode(
        "",
        help="JSON file of more MCP servers, {'mcpServers': {name: {…}}} as other "
        "programs have it; relative to the server's root folder.",
    ).tag(config=True)
    store_path = Unicode(
        "",
        help="SQLite file of the conversations; memory keeps them until the server "
        "ends. Empty: streamchat_nb/conversations.sqlite3 in Jupyter's data folder.",
    ).tag(config=True)
    token_lifetime_s = Integer(
        300, min=5, max=300, help="Life of a chat token in seconds, 5 to 300."
    ).tag(config=True)
    authenticate_timeout_s = Float(
        30.0,
        min=0.1,
        help="Seconds a socket may be open without the authenticate frame.",
    ).tag(config=True)
    limits = Dict(
        help="Limits that differ from the defaults, by name, for example "
        "{'message_bytes': 200000}. docs/reference/protocol.md lists them."
    ).tag(config=True)
    cassette = Unicode(
        "",
        help="File that the built-in agent's model is played from and recorded in, "
        "for example recordings/chat.jsonl; relative to the server's root folder. "
        "Empty: none.",
    ).tag(config=True)
    cassette_mode = Enum(
        ["auto", "record", "replay"],
        default_value="auto",
        help="auto plays what the cassette has and records the rest, where there is a "
        "credential and CI is not set in the environment; replay only plays; record "
        "asks the model again and replaces.",
    ).tag(config=True)
    cassette_timing = Enum(
        ["instant", "recorded"],
        default_value="instant",
        help="Whether a cassette plays at once or at the pace of the recording.",
    ).tag(config=True)
    offline_pace_s = Float(
        0.03,
        min=0.0,
        help="Seconds between two words of the offline demo; 0 for no pause.",
    ).tag(config=True)

    on_no_subscribers = Enum(
        ["continue", "cancel"],
        default_value="continue",
        help="What happens to a turn that nobody follows any more: it goes on "
        "(continue), or it ends after no_subscribers_timeout_s (cancel).",
    ).tag(config=True)
    no_subscribers_timeout_s = Float(
        60.0,
        min=0.0,
        max=86_400.0,
        help="Seconds until a turn that nobody follows ends, where on_no_subscribers "
        "is cancel; whoever comes back before saves it.",
    ).tag(config=True)
    tool_approvals = Dict(
        value_trait=Enum(["ask", "allow"]),
        key_trait=Unicode(),
        help="Tools that ask a person first, or never, by name: for example "
        "{'search_contacts': 'ask', 'write_report': 'allow'}. Others ask unless they "
        "only read. What runs any code always asks.",
    ).tag(config=True)
    approval_timeout_s = Float(
        None,
        min=1.0,
        allow_none=True,
        help="Seconds that a person has to answer a tool that asks; then the answer is "
        "no. None: as long as it takes.",
    ).tag(config=True)
    drain_timeout_s = Float(
        10.0,
        min=0.0,
        max=3_600.0,
        help="Seconds that running turns may go on for when the server is told to "
        "stop; readers go on reading meanwhile. 0 ends them at once.",
    ).tag(config=True)
    trash_days = Float(
        30.0,
        min=0.0,
        max=36_500.0,
        help="Days that a deleted conversation stays in the trash, from where it can "
        "be restored; then it is deleted for good. 0 deletes it at once.",
    ).tag(config=True)

    @validate("limits")
    def _check_limits(self, proposal: _Proposal) -> dict[str, int]:
        try:
            msgspec.convert(proposal["value"], Limits, strict=False)
            unknown = set(proposal["value"]) - set(Limits.__struct_fields__)
        except msgspec.ValidationError as error:
            raise TraitError(f"limits: {error}") from None
        if unknown:
            raise TraitError(
                f"limits: unknown {', '.join(sorted(unknown))}; known are "
                f"{', '.join(Limits.__struct_fields__)}."
            )
        return proposal["value"]

    @validate("server_tools")
    def _check_server_tools(self, proposal: _Proposal) -> list[str | dict[str, Any]]:
        return checked_server_tools(proposal["value"])

    @validate("prices")
    def _check_prices(self, proposal: _Proposal) -> dict[str, Any]:
        checked_prices(proposal["value"])
        return proposal["value"]

    @validate("turn_limits")
    def _check_turn_limits(self, proposal: _Proposal) -> dict[str, Any]:
        checked_turn_limits(proposal["value"])
        return proposal["value"]

    @validate("agents")
    def _check_agents(self, proposal: _Proposal) -> dict[str, str]:
        agents = cast("dict[str, str]", proposal["value"])
        for name, place in agents.items():
            if not AGENT_NAME.fullmatch(name) or ":" not in place:
                raise TraitError(
                    f"agents: {name!r}: {place!r} names no agent; a name is 1 to 64 "
                    "letters, digits, _ and -, a place is module:attribute."
                )
        return agents

    @validate("mcp_servers")
    def _check_mcp_servers(self, proposal: _Proposal) -> dict[str, Any]:
        servers = proposal["value"]
        try:
            read_mcp_servers(servers)
        except UsageError as error:
            raise TraitError(f"mcp_servers: {error.message}") from None
        return servers

    # wiring

    @override
    def initialize_settings(self) -> None:
        """Read the traits once and build the service; nothing starts here."""
        settings = self.read_traits()
        self._tokens = TokenAuthority(
            lifetime_s=settings.token_lifetime_s,
            credential=self._credential,
            key_file=_key_file(settings),
        )
        self._connections = Connections(
            per_user=settings.limits.sockets_per_user,
            pending_per_address=settings.limits.pending_sockets_per_address,
        )
        self._service = Service(
            settings,
            store=_make_store(settings),
            make_agent=partial(make_agent, settings, root=self._root()),
            make_tools=partial(make_tools, settings),
            agent_names=partial(agent_names, settings),
        )
        self._runtime = Runtime(
            service=self._service,
            tokens=self._tokens,
            connections=self._connections,
            heartbeat=Heartbeat(),
            audiences=Audiences(),
            ready=self.ready,
        )
        self._started: asyncio.Task[None] | None = None
        self._connection_file: ConnectionFile | None = None
        self._ending: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    @override
    def initialize_handlers(self) -> None:
        """Route the prefix."""
        api = r"/streamchat/api/"
        one = rf"{api}conversations/{_ID}"
        runtime = {"runtime": self._runtime}
        routes: list[tuple[str, type[RequestHandler], dict[str, object]]] = [
            (r"/streamchat/?", PageHandler, {}),
            (r"/streamchat/agui", AguiHandler, {"applications": Applications()}),
            (f"{api}token", TokenHandler, {}),
            (f"{api}session", SessionHandler, {}),
            (f"{api}ws", SocketHandler, {}),
            (f"{api}health", HealthHandler, {}),
            (f"{api}agents", AgentsHandler, {}),
            (f"{api}check", CheckHandler, {"checks": EndpointChecks()}),
            (f"{api}models", ModelsHandler, {}),
            (f"{api}openapi.json", DescriptionHandler, {"describe": openapi}),
            (f"{api}schema.json", DescriptionHandler, {"describe": json_schema}),
            (f"{api}conversations", ConversationsHandler, {}),
            (one, ConversationHandler, {}),
            (f"{one}/restore", RestoreHandler, {}),
            (f"{one}/export", ExportHandler, {}),
            (f"{one}/messages", MessagesHandler, {}),
            (f"{one}/events", EventsHandler, {}),
            (f"{one}/turns/{_ID}", TurnHandler, {}),
            (f"{one}/turns/{_ID}/send-now", SendNowHandler, {}),
            (f"{one}/turns/{_ID}/cancel", CancelHandler, {}),
            (f"{one}/turns/{_ID}/trace", TraceHandler, {}),
            (f"{one}/approvals/{_ID}", ApprovalHandler, {}),
            (f"{one}/artifacts", ArtifactsHandler, {}),
            (f"{one}/artifacts/{_ID}", ArtifactHandler, {}),
        ]
        self.handlers.extend(
            (path, handler, {**runtime, **more}) for path, handler, more in routes
        )
        self.handlers.append((rf"{api}.*", NoRouteHandler, runtime))  # after all others
        static = {"path": [str(STATIC_DIRECTORY)], "no_cache_paths": ["/"]}
        self.handlers.append((r"/streamchat/static/(.*)", FileFindHandler, static))

    @override
    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Start once the event loop runs and the port is known."""
        listening = getattr(serverapp.http_server, "_sockets", {})  # it does not tell
        lengthen_queues(listening.values())
        directory = Path(jupyter_runtime_dir())
        self._connection_file = ConnectionFile.write(
            directory,
            url=serverapp.connection_url,
            token=serverapp.identity_provider.token or "",
        )
        os.environ[ConnectionFile.VARIABLE] = str(self._connection_file.path)
        # What keeps it from starting is logged, and told to every request.
        with contextlib.suppress(StreamchatError):
            await self.ready()

    @override
    async def stop_extension(self) -> None:
        """Let turns end, end those that do not, commit, let everybody go.

        Jupyter has ceased to listen by then and still serves who is connected. Takes
        a second more than ``drain_timeout_s`` (or than 5 s) at most, whatever hangs,
        and another one for each 2,000 who are connected. A second call, by a second
        signal, ends running turns at once.
        """
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(
                self._end(), name="streamchat stop"
            )
        else:
            self._hurry.set()
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        if self._connection_file is not None:
            self._connection_file.remove()
            os.environ.pop(ConnectionFile.VARIABLE, None)
        if self._started is None:
            return
        loop = asyncio.get_running_loop()
        drain_timeout_s = self._service.settings.drain_timeout_s
        end_by = loop.time() + max(drain_timeout_s, STOP_S) + INTERRUPT_S
        draining = loop.create_task(self._drain(self._started, drain_timeout_s))
        hurry = loop.create_task(self._hurry.wait())
        await asyncio.wait(
            {draining, hurry},
            timeout=drain_timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        stopping = loop.create_task(self._service.stop())
        await asyncio.wait({stopping}, timeout=end_by - loop.time())
        if not stopping.done():
            self.log.warning("streamchat_nb: not all was saved in time")
        elif (error := stopping.exception()) is not None:
            self.log.error("streamchat_nb: stopping failed", exc_info=error)
        await self._connections.close_all(timeout_s=LEAVE_S)
        for task in (draining, hurry, stopping, self._started):
            task.cancel()

    async def _drain(self, started: asyncio.Task[None], timeout_s: float) -> None:
        await asyncio.wait({started})
        if started.cancelled() or started.exception() is not None:
            return
        running = self._service.health().running_turns
        if running:
            self.log.info(
                "streamchat_nb: turns that run (%d) may go on for %g s; a second "
                "signal ends them",
                running,
                timeout_s,
            )
        await self._service.drain(timeout_s=timeout_s)

    async def ready(self) -> None:
        """Wait until the service runs; the first caller starts it.

        Raises:
            StreamchatError: It cannot start; every request says why.
        """
        if self._started is None or (
            self._started.done() and self._started.exception() is not None
        ):
            self._started = asyncio.get_running_loop().create_task(
                self._start(), name="streamchat start"
            )
        await asyncio.shield(self._started)

    async def _start(self) -> None:
        try:
            await self._service.start()
        except StreamchatError as error:
            self.log.critical("streamchat_nb cannot start: %s", error.message)
            raise
        await asyncio.to_thread(self._tokens.begin)
        health = self._service.health()
        self.log.info(
            "streamchat_nb %s: %s, conversations in %s",
            health.version,
            "offline demo (no credential found)" if health.offline else health.model,
            health.store,
        )
        if health.notice:
            self.log.warning("streamchat_nb: %s", health.notice)

    def read_limits(self) -> Limits:
        """Return the limits: the defaults, and what the trait says of them."""
        return msgspec.convert(dict(self.limits), Limits, strict=False)

    def read_traits(self) -> Settings:
        """Return what the traits say, as one value."""
        return Settings(
            agent=self.agent,
            agents=dict(self.agents),
            model=self.model,
            base_url=self.base_url,
            effort=cast("Effort | None", self.effort),
            thinking=self.thinking,
            server_tools=tuple(checked_server_tools(self.server_tools)),
            prices=checked_prices(self.prices),
            turn_limits=checked_turn_limits(self.turn_limits),
            system_prompt=self.system_prompt,
            tools=tuple(self.tools),
            mcp_servers=read_mcp_servers(self.mcp_servers),
            mcp_file=self._below_root(self.mcp_file),
            store_path=_store_path(self.store_path),
            token_lifetime_s=self.token_lifetime_s,
            authenticate_timeout_s=self.authenticate_timeout_s,
            limits=self.read_limits(),
            cassette=self._below_root(self.cassette),
            cassette_mode=cast("CassetteMode", self.cassette_mode),
            cassette_timing=cast("CassetteTiming", self.cassette_timing),
            offline_pace_s=self.offline_pace_s,
            on_no_subscribers=cast(
                "Literal['continue', 'cancel']", self.on_no_subscribers
            ),
            no_subscribers_timeout_s=self.no_subscribers_timeout_s,
            tool_approvals=dict(self.tool_approvals),
            approval_timeout_s=self.approval_timeout_s,
            drain_timeout_s=self.drain_timeout_s,
            trash_days=self.trash_days,
        )

    def _below_root(self, path: str) -> Path | None:
        return self._root() / Path(path).expanduser() if path else None

    def _root(self) -> Path:
        return Path(cast("ServerApp", self.serverapp).root_dir).expanduser()

    def _credential(self) -> str:
        provider = cast("ServerApp", self.serverapp).identity_provider
        password = getattr(provider, "hashed_password", "")
        return f"{provider.token}:{password}"


def _store_path(text: str) -> Path | None:
    if text == MEMORY:
        return None
    if text:
        return Path(text).expanduser()
    return Path(jupyter_data_dir()) / "streamchat_nb" / "conversations.sqlite3"


def _make_store(settings: Settings) -> Store:
    if settings.store_path is None:
        return MemoryStore()
    return SqliteStore(settings.store_path)


def _key_file(settings: Settings) -> KeyFile | None:
    """Return the file beside the database, which one process at a time has."""
    path = settings.store_path
    return None if path is None else KeyFile(path.with_name(f"{path.name}.key"))
