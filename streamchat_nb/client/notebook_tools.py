"""Tools that every notebook can lend: its variables, its cells, its interpreter."""

from __future__ import annotations

import base64
import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from streamchat_nb.client.kernel_tools import KernelTool
from streamchat_nb.client.notebook_file import notebook_cells
from streamchat_nb.protocol.content import ImageDisplay, TextDisplay
from streamchat_nb.tools.namespace import (
    describe_variable,
    namespace_overview,
    preview_table,
)
from streamchat_nb.tools.output import cut_middle
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.values import result_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from IPython.core.interactiveshell import InteractiveShell

    from streamchat_nb.client.main_thread import MainThread
    from streamchat_nb.protocol.content import Display
    from streamchat_nb.tools.tool import Tool

__all__ = ["notebook_tools"]

PRINTED_BYTES = 16_384
IMAGE_BASE64_BYTES = 150_000
MOST_IMAGES = 4
MOST_CELLS = 200
CELL_CHARACTERS = 2_000


def notebook_tools(
    shell: InteractiveShell, main_thread: MainThread, names: Iterable[str]
) -> list[Tool]:
    """Return those that are named: what looks at data asks a person first.

    Args:
        shell: The notebook's IPython.
        main_thread: Where they run.
        names: Which.
    """
    notebook = _Notebook(shell)
    made: dict[str, Tool] = {
        "list_variables": KernelTool(
            notebook.list_variables, main_thread=main_thread, idempotent=True
        ),
        "describe_variable": KernelTool(
            notebook.describe_variable,
            main_thread=main_thread,
            needs_approval=True,
            idempotent=True,
        ),
        "preview_data_frame": KernelTool(
            notebook.preview_data_frame,
            main_thread=main_thread,
            needs_approval=True,
            idempotent=True,
        ),
        "read_notebook": KernelTool(
            notebook.read_notebook,
            main_thread=main_thread,
            needs_approval=True,
            idempotent=True,
            thread=True,
        ),
        "run_python": KernelTool(
            notebook.run_python,
            main_thread=main_thread,
            label="Running Python in the notebook…",
            risk="exec",
        ),
    }
    return [made[name] for name in names]


class _Notebook:
    """The functions, over one IPython.

    Args:
        shell: The notebook's IPython.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    @property
    def _namespace(self) -> dict[str, Any]:
        shell: Any = self._shell  # its types say nothing
        hidden: dict[str, Any] = shell.user_ns_hidden
        names: dict[str, Any] = shell.user_ns
        return {name: value for name, value in names.items() if name not in hidden}

    def list_variables(self) -> str:
        """List the variables of the notebook: name, type, size, a short summary."""
        return namespace_overview(self._namespace)

    def describe_variable(self, name: str) -> ToolResult:
        """Describe one variable of the notebook.

        A data frame: its columns, types, missing values and statistics; anything
        else: its type and content.

        Args:
            name: Name of the variable.
        """
        return describe_variable(self._namespace, name)

    def preview_data_frame(
        self,
        name: str,
        rows: Annotated[int, Meta(ge=1, le=50)] = 10,
        columns: list[str] | None = None,
    ) -> ToolResult:
        """Show the first rows of a data frame of the notebook.

        Args:
            name: Name of the variable.
            rows: How many rows.
            columns: Only these columns; all when left out.
        """
        return preview_table(self._namespace, name, rows=rows, columns=columns)

    def read_notebook(self) -> str:
        """Read the cells of this notebook as it was last saved."""
        shell: Any = self._shell
        cells = notebook_cells(shell.user_ns)
        parts = [
            f"[{number}] {cell.get('cell_type', '?')}\n"
            + "".join(cell.get("source", ""))[:CELL_CHARACTERS]
            for number, cell in enumerate(cells[:MOST_CELLS], start=1)
        ]
        more = len(cells) - MOST_CELLS
        if more > 0:
            parts.append(f"({more} more cells)")
        return "\n\n".join(parts) or "The notebook has no cells."

    def run_python(self, code: str) -> ToolResult:
        """Run Python code in the notebook, with its variables.

        Gives what it prints, the value of its last line, and its pictures.

        Args:
            code: The code, as in a cell.
        """
        from IPython.utils.capture import capture_output  # noqa: PLC0415 - heavy

        shell: Any = self._shell
        with capture_output() as captured, _kept_values(shell) as values:
            outcome = shell.run_cell(code, store_history=False)
            _show_open_figures()
        printed, _ = cut_middle(captured.stdout + captured.stderr, PRINTED_BYTES)
        display: list[Display] = [TextDisplay(text=code, language="python")]
        display += _images(captured.outputs)
        error = outcome.error_before_exec or outcome.error_in_exec
        if isinstance(error, KeyboardInterrupt):
            raise error
        parts = [printed.strip(), _text_of(captured.outputs)]
        if error is not None:
            parts.append(f"{type(error).__name__}: {error}")
        elif values:
            value = result_of(values[-1])
            parts.append(value.output)
            display += value.display
        return ToolResult(
            output="\n".join(part for part in parts if part) or "Done; no output.",
            status="ok" if error is None else "error",
            display=tuple(display),
        )


@contextlib.contextmanager
def _kept_values(shell: Any) -> Generator[list[Any]]:  # noqa: ANN401 - IPython's
    """Keep values and tracebacks out of the cell whose turn it is, and out of ``_``.

    Yields:
        The values of expressions that are statements.
    """
    values: list[Any] = []

    def keep(value: object = None) -> None:
        if value is not None:
            values.append(value)

    def show_nothing(*_parts: object) -> None:
        """The tool's result says it."""

    trap, shown_by = shell.display_trap, sys.displayhook
    hook, show_traceback = trap.hook, shell._showtraceback  # noqa: SLF001 - no other way
    # The trap sets its hook where no cell runs; within one, Python's own is in use.
    trap.hook = sys.displayhook = keep
    shell._showtraceback = show_nothing  # noqa: SLF001
    try:
        yield values
    finally:
        trap.hook, sys.displayhook = hook, shown_by
        shell._showtraceback = show_traceback  # noqa: SLF001


def _show_open_figures() -> None:
    """Have figures that the code left open shown, as after a cell."""
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib_inline.backend_inline import flush_figures  # noqa: PLC0415

        flush_figures()


def _images(outputs: list[Any]) -> list[ImageDisplay]:
    images: list[ImageDisplay] = []
    for output in outputs:
        data = output.data.get("image/png")
        if data is None:
            continue
        encoded = data if isinstance(data, str) else base64.b64encode(data).decode()
        encoded = "".join(encoded.split())
        if len(encoded) <= IMAGE_BASE64_BYTES and len(images) < MOST_IMAGES:
            images.append(ImageDisplay(media_type="image/png", data=encoded))
    return images


def _text_of(outputs: list[Any]) -> str:
    texts = [str(output.data.get("text/plain", "")) for output in outputs]
    text, _ = cut_middle("\n".join(text for text in texts if text), PRINTED_BYTES)
    return text
