"""A server for one program: reached from this machine only, gone when its owner is.

Started as a module, with a line of JSON on its standard input: ``port`` and ``token``
of a server whose place it takes, or ``{}``. Where it listens then stands in the
connection file of its ``JUPYTER_RUNTIME_DIR``. It ends when its standard input does,
or when the process that started it is gone, however that came about.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.serverapp import ServerApp

from streamchat_nb.conversation.file_lock import FileLock
from streamchat_nb.server.extension import StreamchatExtension

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["main"]

OWNER_LOOK_S = 1.0
END_TIMEOUT_S = 8.0
STORE_TIMEOUT_S = 3.0


class _LocalServerApp(ServerApp):
    """A Jupyter server without notebooks, kernels and files."""

    default_services = ("api", "auth", "security")


def main() -> None:
    """Serve until the owner is gone."""
    owner = os.getppid()
    order = json.loads(sys.stdin.readline() or "{}")
    threading.Thread(target=_end_with_input, daemon=True).start()
    threading.Thread(target=_end_with_owner, args=(owner,), daemon=True).start()
    try:
        application = cast("Any", StreamchatExtension)
        application.load_other_extensions = False
        application.serverapp_class = _LocalServerApp
        serverapp = application.initialize_server(_arguments(order))
        extension = serverapp.extension_manager.extension_apps["streamchat_nb"].pop()
        _await_predecessor(extension.read_traits().store_path)
        serverapp.start()
    finally:
        shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)


def _arguments(order: dict[str, Any]) -> list[str]:
    """What no settings of the user may change; seen by nobody but this process."""
    token = order.get("token") or secrets.token_urlsafe(32)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": order.get("port") or 0,
        "ServerApp.sock": "",
        "ServerApp.certfile": "",
        "ServerApp.keyfile": "",
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.allow_origin": "",
        "ServerApp.allow_origin_pat": "",
        "ServerApp.log_level": "WARN",
        "IdentityProvider.token": token,
        "PasswordIdentityProvider.hashed_password": "",
        # Nobody would read what goes on without the owner.
        "StreamchatExtension.drain_timeout_s": 0,
    }
    return [f"--{name}={value}" for name, value in options.items()]


def _await_predecessor(store: Path | None) -> None:
    """Let who had the store before us let go of it: a kernel that was restarted."""
    if store is None or not store.parent.is_dir():
        return
    deadline = time.monotonic() + STORE_TIMEOUT_S
    lock = FileLock(store)
    with contextlib.suppress(OSError):  # the store itself says what is wrong
        while not lock.acquire() and time.monotonic() < deadline:
            time.sleep(0.05)
    lock.release()


def _end_with_input() -> None:
    while sys.stdin.readline():
        pass
    _end()


def _end_with_owner(owner: int) -> None:
    # A fork of the owner may keep the other end of our standard input open.
    while os.getppid() == owner:
        time.sleep(OWNER_LOOK_S)
    _end()


def _end() -> None:
    signal.raise_signal(signal.SIGTERM)
    time.sleep(END_TIMEOUT_S)
    shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
