"""Run notebooks and keep what they print, as they are committed.

Usage: ``python scripts/run_notebooks.py [--record] [NAME ...]``, from the root of the
repository; without names it runs all of them. ``--record`` makes their cassettes anew,
with an endpoint on this machine that answers as the offline demo does; that of
``local_model`` with the small language model that its text tells to install.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any, cast

import nbformat as untyped_nbformat
from nbclient import NotebookClient

from streamchat_nb.client.discovery import CONNECTION_VARIABLE
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.local_model import running_local_model
from streamchat_nb.testing.server_process import ServerProcess

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
RECORDINGS = NOTEBOOKS / "recordings"
CELL_TIMEOUT_S = 120
MODEL = "claude-sonnet-5-5"
# Recordings hold what tools there were: a server with more of them is another one.
OWN_OPTIONS = {"mcp": ["--StreamchatExtension.mcp_file=mcp_servers.json"]}
LOCAL_MODEL = "local_model"
nbformat = cast("Any", untyped_nbformat)


def main() -> int:
    """Run the notebooks that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--record", action="store_true", help="make cassettes anew")
    arguments = parser.parse_args()
    paths = [NOTEBOOKS / f"{name}.ipynb" for name in arguments.names]
    with contextlib.ExitStack() as stack:
        options = ["--StreamchatExtension.offline_pace_s=0"]
        if arguments.record:
            wanted = [RECORDINGS / f"{name}.jsonl" for name in arguments.names]
            for cassette in wanted or RECORDINGS.glob("*.jsonl"):
                cassette.unlink(missing_ok=True)
            if not arguments.names or LOCAL_MODEL in arguments.names:
                # The servers of kernels find it by their environment.
                os.environ["ANTHROPIC_BASE_URL"] = stack.enter_context(
                    running_local_model()
                )
                os.environ["CI"] = ""
            endpoint = stack.enter_context(running_fake_endpoint())
            options += [
                f"--StreamchatExtension.base_url={endpoint}",
                f"--StreamchatExtension.model={MODEL}",
            ]
        server = stack.enter_context(
            ServerProcess(options, work=NOTEBOOKS, environment={"CI": ""})
        )
        os.environ[CONNECTION_VARIABLE] = str(server.connection_file)
        for path in paths or sorted(NOTEBOOKS.glob("*.ipynb")):
            print(path.name, flush=True)
            if path.stem in OWN_OPTIONS:
                run_on_its_own(path, options)
            else:
                run(path)
    return 0


def run_on_its_own(path: Path, options: list[str]) -> None:
    """Run a notebook with a server that has options of its own."""
    others = os.environ[CONNECTION_VARIABLE]
    with ServerProcess([*options, *OWN_OPTIONS[path.stem]], work=NOTEBOOKS) as server:
        os.environ[CONNECTION_VARIABLE] = str(server.connection_file)
        run(path)
    os.environ[CONNECTION_VARIABLE] = others


def run(path: Path) -> None:
    """Run a notebook and write its outputs into it."""
    notebook = nbformat.read(path, 4)
    client: Any = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran: different each time
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    sys.exit(main())
