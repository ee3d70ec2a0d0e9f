"""What does it take until a server serves, and until ``Chat`` can be used?

CPU time of a process from its start until it answers its first request; a server of
Jupyter's also without the extension, to say what the extension adds. Modules are
compiled before, as an installer does. ``detail["seconds"]`` has the time on the clock
of the middle one.

The import is that of ``from streamchat_nb import Chat`` in a process that is a kernel
with anywidget already.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rig.contenders import OURS, Contender, Launch
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.processes import SERVER_CORE, pinned
from benchmarks.rig.rig import RigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.rig.contenders import Place
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

START_UP = Axis(
    name="start_up",
    title="CPU time until a server serves",
    unit="s",
)
ADDED = Axis(
    name="start_up_added",
    title="CPU time that an extension adds to the start of `jupyter server`",
    unit="s",
    ahead=0.3,
)
IMPORT = Axis(
    name="import_chat",
    title="CPU time to import the chat in a kernel with anywidget",
    unit="s",
    ahead=0.15,
)
AXES = (START_UP, ADDED, IMPORT)

BARE = "jupyter_server"
IMPORT_TIMEOUT_S = 60.0
_IMPORT = """
import time
import anywidget, ipykernel.ipkernel
began = time.process_time()
from streamchat_nb import Chat
print(time.process_time() - began)
"""


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that are servers.

    Args:
        rig: Has the contenders.
        quick: Each once.
    """
    repeats = 1 if quick else rig.repeats
    load_before = await rig.foreign_load()
    with tempfile.TemporaryDirectory(prefix="streamchat-compiled-") as compiled:
        environment = {
            "PYTHONPYCACHEPREFIX": compiled,
            "PYTHONDONTWRITEBYTECODE": "",
        }
        starts = await _starts(rig, environment, repeats)
        imports = await asyncio.to_thread(_imports, environment, repeats)
    found = [
        _told(START_UP, name, [cpu_s for cpu_s, _ in values], values, load_before)
        for name, values in starts.items()
        if name != BARE
    ]
    for name in _extensions(rig):
        added = [
            cpu_s - bare_s
            for (cpu_s, _), (bare_s, _) in zip(
                starts.get(name, ()), starts.get(BARE, ()), strict=False
            )
        ]
        found.append(_told(ADDED, name, added, starts.get(name, []), load_before))
    if OURS in starts:
        found.append(_told(IMPORT, OURS, imports, [], load_before))
    return found


async def _starts(
    rig: Rig, environment: dict[str, str], repeats: int
) -> dict[str, list[tuple[float, float]]]:
    """Start each server; return CPU seconds and seconds of each, without the first."""
    contenders = [
        dataclasses.replace(one, launch=_with(one, environment))
        for one in (*rig.contenders, *_bare(rig))
        if one.launch is not None
    ]
    starts: dict[str, list[tuple[float, float]]] = {}
    for attempt in range(repeats + 1):
        for contender in contenders:
            try:
                async with rig.running(contender) as server:
                    taken = server.cpu_seconds(), server.ready_after_s
            except RigError as error:
                rig.missing[contender.name] = str(error)
                continue
            if attempt:
                starts.setdefault(contender.name, []).append(taken)
    return starts


def _extensions(rig: Rig) -> list[str]:
    """Return the contenders that are extensions of a Jupyter server."""
    return [
        one.name for one in rig.contenders if one.name in (OURS, "jupyter_server + SDK")
    ]


def _bare(rig: Rig) -> list[Contender]:
    """Return Jupyter's server as ours is started, without the extension; once."""
    ours = next((one for one in rig.contenders if one.name == OURS), None)
    if ours is None or ours.launch is None:
        return []
    start = ours.launch

    def launch(place: Place) -> Launch:
        whole = start(place)
        ours_only = ("--StreamchatExtension.", "--ServerApp.jpserver_extensions=")
        kept = [part for part in whole.command if not part.startswith(ours_only)]
        off = "--ServerApp.jpserver_extensions={'streamchat_nb': False}"
        return Launch(command=[*kept, off], environment=whole.environment)

    return [
        dataclasses.replace(
            ours, name=BARE, launch=launch, path="", ready_path="/api/status"
        )
    ]


def _with(
    contender: Contender, environment: dict[str, str]
) -> Callable[[Place], Launch]:
    start = contender.launch
    assert start is not None  # noqa: S101 - only servers come here

    def launch(place: Place) -> Launch:
        whole = start(place)
        return Launch(
            command=whole.command, environment={**whole.environment, **environment}
        )

    return launch


def _imports(environment: dict[str, str], repeats: int) -> list[float]:
    """Import in new processes; return the CPU seconds of each, without the first."""
    found: list[float] = []
    for _ in range(repeats + 1):
        with pinned(SERVER_CORE):
            done = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", _IMPORT],
                cwd=Path(__file__).parents[2],
                env={**os.environ, **environment},
                capture_output=True,
                check=True,
                timeout=IMPORT_TIMEOUT_S,
            )
        found.append(float(done.stdout))
    return found[1:]


def _told(
    axis: Axis,
    contender: str,
    values: Sequence[float],
    starts: Sequence[tuple[float, float]],
    load_before: float,
) -> Measurement:
    detail: dict[str, float | str | list[float]] = {}
    if starts:
        seconds = sorted(taken_s for _, taken_s in starts)
        detail["seconds"] = seconds[len(seconds) // 2]
    return Measurement(
        axis=axis.name,
        contender=contender,
        values=tuple(values),
        detail=detail,
        load_before=load_before,
    )
