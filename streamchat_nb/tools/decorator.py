"""``@tool``: a Python function as something a model may call."""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from typing_extensions import override

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.figures import pyplot_figures
from streamchat_nb.tools.schema import describe_function
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult
from streamchat_nb.tools.values import result_of
from streamchat_nb.tools.worker_threads import WorkerThreads

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.protocol.events import Risk

__all__ = ["TOOL_NAME", "FunctionTool", "tool"]

ParametersT = ParamSpec("ParametersT")
ReturnT = TypeVar("ReturnT")

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a tool may be called: all of it must match."""

RISKS = ("read", "write", "exec")
_MOST_THREADS = 32
_threads = WorkerThreads(_MOST_THREADS)


class FunctionTool(Tool, Generic[ParametersT, ReturnT]):
    """A function as a tool; calling the object calls the function as ever.

    A synchronous function runs on a worker thread (at most 32 of all such tools at
    once) in a copy of the context variables, an asynchronous one on the loop. It may
    return text, a ``ToolResult``, or any value, of which ``result_of`` makes one.

    Args:
        function: The function; its hints and docstring describe it.
        name: Its name for the model; the function's own when ``None``.
        label: Shown while it runs; ``"Using {name}…"`` when ``None``.
        timeout_s: Longest run, in seconds, above 0.
        sequential: Never run beside another call of the same turn.
        risk: What it may do: ``read``, ``write`` or ``exec``.
        needs_approval: A person must agree before it runs; ``None``: unless it only
            reads.

    Raises:
        UsageError: The function cannot be a tool; says why.
    """

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        function: Callable[ParametersT, ReturnT],
        *,
        name: str | None = None,
        label: str | None = None,
        timeout_s: float = 120.0,
        sequential: bool = False,
        risk: Risk = "read",
        needs_approval: bool | None = None,
    ) -> None:
        self.name = _checked_name(function, name)
        if risk not in RISKS:
            raise UsageError(f"risk of tool {self.name} must be one of {RISKS}.")
        if timeout_s <= 0:
            raise UsageError(f"timeout_s of tool {self.name} must be above 0.")
        if _is_generator(function):
            raise UsageError(
                f"{self.name} yields; a tool returns its result once and tells what "
                "it does by ToolContext.progress()."
            )
        self._schema = describe_function(function)
        self._is_async = _is_coroutine(function)
        self.function = function
        self.description = self._schema.description
        self.input_schema = self._schema.input_schema
        self.label = label if label is not None else f"Using {self.name}…"
        self.timeout_s = timeout_s
        self.sequential = sequential
        self.risk = risk
        changes = risk != "read"
        self.needs_approval = changes if needs_approval is None else needs_approval
        functools.update_wrapper(self, function, updated=())

    def __call__(
        self, *args: ParametersT.args, **kwargs: ParametersT.kwargs
    ) -> ReturnT:
        """Call the function itself, outside any conversation."""
        return self.function(*args, **kwargs)

    @override
    def __repr__(self) -> str:
        return f"<tool {self.name}: {self.origin}>"

    @property
    def origin(self) -> str:
        """Where the function is, as ``module:qualified name``."""
        function = inspect.unwrap(self.function)
        module = getattr(function, "__module__", "?")
        return f"{module}:{getattr(function, '__qualname__', self.name)}"

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        positional, keywords = self._schema.arguments(input_, context)
        bound: functools.partial[Any] = functools.partial(
            self.function, *positional, **keywords
        )
        value: object
        figures = pyplot_figures()
        if self._is_async:
            value = await bound()
        else:
            # Encoded there, too: a large result must not hold up the loop.
            value = await _threads.run(lambda: _result_of(bound(), figures))
            if inspect.isawaitable(value):
                value = await value
        return cast("ToolResult", _result_of(value, figures))


@overload
def tool(
    function: Callable[ParametersT, ReturnT], /
) -> FunctionTool[ParametersT, ReturnT]: ...


@overload
def tool(
    *,
    name: str | None = None,
    label: str | None = None,
    timeout_s: float = 120.0,
    sequential: bool = False,
    risk: Risk = "read",
    needs_approval: bool | None = None,
) -> Callable[[Callable[ParametersT, ReturnT]], FunctionTool[ParametersT, ReturnT]]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: ``@tool`` or ``@tool(label="Looking…")``.

    Args:
        function: The function, when used without parentheses.
        **options: As ``FunctionTool`` takes them.

    Raises:
        UsageError: The function cannot be a tool; says why.
    """
    if function is not None:
        return FunctionTool(function)
    return functools.partial(FunctionTool[..., Any], **options)


def _result_of(value: object, figures: frozenset[int]) -> object:
    """Return a value as a ``ToolResult``; one that is yet to be awaited stays."""
    if isinstance(value, ToolResult) or inspect.isawaitable(value):
        return value
    return result_of(value, figures_before=figures)


def _checked_name(function: Callable[..., Any], name: str | None) -> str:
    if not callable(function):
        raise UsageError(f"@tool takes a function, not a {type(function).__name__}.")
    given = name if name is not None else getattr(function, "__name__", "")
    if not TOOL_NAME.fullmatch(given):
        raise UsageError(
            f"{given!r} cannot be the name of a tool; use 1 to 64 letters, digits, "
            "'_' and '-', for example @tool(name='search_contacts')."
        )
    return given


def _is_coroutine(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )


def _is_generator(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
