"""All contenders by name: how each is started, and how it is spoken to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.peers.node_build import lacks_of_node_peer, node_program
from streamchat_nb.protocol.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CONTENDERS", "JWT_SECRET", "OURS", "Contender", "Launch", "Place"]

OURS = "streamchat_nb"
JWT_SECRET = "a secret that every contender of the benchmark knows"  # noqa: S105

_PEERS = Path(__file__).parent.parent / "peers"
_PLENTY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server shall be.

    Attributes:
        port: On 127.0.0.1.
        home: Its home folder, empty.
        api_url: The fake Messages API, as ``base_url``.
        token: Jupyter's token, for servers that are one.
    """

    port: int
    home: Path
    api_url: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a server is started.

    Attributes:
        command: The program and its arguments.
        environment: Variables beside ``PORT``, ``ANTHROPIC_BASE_URL`` and
            ``JWT_SECRET``, which all are given.
    """

    command: Sequence[str]
    environment: dict[str, str]


class _Launcher(Protocol):
    def __call__(self, place: Place) -> Launch: ...


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something that streams a model's answers to clients.

    Attributes:
        name: For people, and for ``--contender``.
        dialect: How it is spoken to, by its name in ``DIALECTS``.
        launch: How it is started; ``None``: it is the fake API itself.
        path: Path of its WebSocket.
        ready_path: Path that answers 200 once it serves; ``None``: it serves as soon
            as it listens.
        is_limit: Whether it does no job, and only shows what the machine allows.
        lacks: Makes it ready, and says what is missing here to start it; ``None``
            where nothing is.
    """

    name: str
    dialect: str
    launch: _Launcher | None
    path: str = "/ws"
    ready_path: str | None = None
    is_limit: bool = False
    lacks: Callable[[], str | None] = lambda: None


def _jupyter(place: Place, extension: str, *arguments: str) -> Launch:
    """Jupyter Server with one extension; what else is installed stays out of it."""
    command = [
        *(sys.executable, "-m", "jupyter_server", "--no-browser"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={place.port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={place.home}",
        f"--ServerApp.jpserver_extensions={{'{extension}': True}}",
        *arguments,
    ]
    environment = {
        "JUPYTER_TOKEN": place.token,
        "JUPYTER_NO_CONFIG": "1",
        "ANTHROPIC_AUTH_TOKEN": "sk-bench",
    }
    return Launch(command=command, environment=environment)


def _ours(place: Place) -> Launch:
    """Ours as installed. Only the limits per person are raised: all load is one's."""
    limits = {
        "sockets_per_user": _PLENTY,
        "pending_sockets_per_address": _PLENTY,
        "frames_per_window": _PLENTY,
        "running_turns_per_user": _PLENTY,
    }
    assert set(limits) <= set(Limits.__struct_fields__)  # noqa: S101 - a typing error
    return _jupyter(
        place,
        "streamchat_nb",
        f"--StreamchatExtension.base_url={place.api_url}",
        "--StreamchatExtension.model=claude-fake",
        f"--StreamchatExtension.limits={limits}",
        "--StreamchatExtension.authenticate_timeout_s=60",
    )


def _jupyter_sdk(place: Place) -> Launch:
    return _jupyter(place, "benchmarks.peers.jupyter_sdk")


def _python(module: str) -> _Launcher:
    def launch(place: Place) -> Launch:
        del place
        command = [sys.executable, "-m", f"benchmarks.peers.{module}"]
        return Launch(command=command, environment={})

    return launch


def _node(script: str) -> _Launcher:
    def launch(place: Place) -> Launch:
        del place
        return Launch(
            command=[node_program(), str(_PEERS / script)],
            environment={"NODE_ENV": "production"},
        )

    return launch


CONTENDERS: tuple[Contender, ...] = (
    Contender(
        name=OURS,
        dialect="streamchat",
        launch=_ours,
        path="/streamchat/api/ws",
        ready_path="/streamchat/api/health",
    ),
    Contender(
        name="NestJS + Socket.IO",
        dialect="socket_io",
        launch=_node("nestjs/dist/main.js"),
        path="/socket.io/?EIO=4&transport=websocket",
        lacks=partial(lacks_of_node_peer, _PEERS / "nestjs"),
    ),
    Contender(
        name="Node ws",
        dialect="json",
        launch=_node("node_ws/server.mjs"),
        lacks=partial(lacks_of_node_peer, _PEERS / "node_ws"),
    ),
    Contender(name="Tornado + SDK", dialect="json", launch=_python("tornado_sdk")),
    Contender(
        name="jupyter_server + SDK",
        dialect="json",
        launch=_jupyter_sdk,
        path="/sdk/ws",
        ready_path="/api/status",
    ),
    Contender(
        name="minimal relay",
        dialect="json",
        launch=_python("relay"),
        is_limit=True,
    ),
    Contender(name="raw upstream", dialect="messages_api", launch=None, is_limit=True),
)
"""Those that stream through a socket, ours first."""
