"""Running one tool call: whatever the tool does, there is one result."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from streamchat_nb.errors import LeaseLost, StreamchatError, ToolError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import Display
from streamchat_nb.protocol.events import ToolStatus
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.tools.output import clean_text, cut_middle, is_blank
from streamchat_nb.tools.progress import ProgressReports
from streamchat_nb.tools.tool import ToolContext, ToolResult
from streamchat_nb.tools.validation import faults_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamchat_nb.protocol.content import Action, ToolUseBlock
    from streamchat_nb.tools.tool import Tool

__all__ = ["Outcome", "refusal_of", "run_tool"]

logger = logging.getLogger(__name__)

_MOST_ERROR_CHARACTERS = 2_000
_MOST_KNOWN_NAMES = 50
_MOST_DISPLAY_BYTES = 200_000
_MOST_RESULT_BYTES = 240_000
"""What fits into a frame and an event, with room for what is around it."""
_GRACE_S = 0.05
_STATUSES = frozenset(get_args(ToolStatus))
_display_decoder = msgspec.json.Decoder(Display)

_abandoned: set[asyncio.Task[ToolResult]] = set()
"""Calls that were told to stop and have not yet; kept so that they are not lost."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The one end of a tool call.

    Attributes:
        status: How it ended.
        output: For the model and the user; never empty, at most the limit and a
            marker where something was left out.
        truncated: Whether something was.
        actions: Links and buttons that can be shown, at most eight.
        display: What people are shown beside the text.
        is_lease_lost: Nobody can tell whether it ran.
    """

    status: ToolStatus
    output: str
    truncated: bool = False
    actions: list[Action] = field(default_factory=list["Action"])
    display: list[Display] = field(default_factory=list["Display"])
    is_lease_lost: bool = False


def refusal_of(
    tool: Tool | None, call: ToolUseBlock, *, known: Iterable[str]
) -> Outcome | None:
    """Return why a call cannot run at all, ``None`` when it can.

    Args:
        tool: The tool of that name, ``None`` when there is none.
        call: What the model asked for.
        known: Names of all tools, for the model's next try.
    """
    if tool is None:
        return _failed(_unknown_tool(call.name, list(known)))
    faults = faults_of(call.input, tool.input_schema)
    if faults:
        listed = "".join(f"\n- {clean_text(fault)}" for fault in faults)
        return _failed(f"The input of {tool.name} is not valid:{listed}")
    return None


async def run_tool(  # noqa: PLR0913 (facts of one call, by keyword)
    tool: Tool,
    call: ToolUseBlock,
    *,
    conversation: str,
    turn: str,
    report: Callable[[str, float | None], None],
    timeout_s: float,
    output_limit_bytes: int,
    lease: str = "",
    attempt: int = 1,
    wait: Callable[[str], None] | None = None,
    begin: Callable[[], None] | None = None,
) -> Outcome:
    """Run a call that ``refusal_of`` let through, to its one end.

    What the tool raises becomes an error outcome; so do a result of a wrong type
    and an attempt to end the process. After ``timeout_s`` the tool is told to stop
    and not waited for: what it still gives is dropped.

    Cancellation: the tool is cancelled, gets a moment to end, and the cancellation
    goes on.

    Args:
        tool: What to run.
        call: Its id and its valid input.
        conversation: For the tool's context.
        turn: For the tool's context.
        report: Gets the tool's progress on the loop, at most about 20 times a
            second, the last report always; must not raise.
        timeout_s: Longest run, in seconds.
        output_limit_bytes: As ``cut_middle`` takes it.
        lease: For the tool's context.
        attempt: For the tool's context.
        wait: For the tool's context.
        begin: For the tool's context.
    """
    over = False
    reports = ProgressReports(report)
    context = ToolContext(
        conversation=conversation,
        turn=turn,
        tool_call=call.id,
        report=reports.report,
        is_cancelled=lambda: over,
        lease=lease,
        attempt=attempt,
        wait=wait,
        begin=begin,
    )
    task = asyncio.get_running_loop().create_task(
        _contained(tool, call, context), name=f"streamchat tool {call.id}"
    )
    try:
        await asyncio.wait({task}, timeout=timeout_s)
        finished = task.done()
    finally:
        over = True
        reports.close()
        if not task.done():
            await _abandon(task)
    if not finished:
        return Outcome(
            status="timeout",
            output=f"{tool.name} did not finish within {timeout_s:g} s. It may still "
            "be running; its result will be dropped.",
        )
    return _outcome(tool, task, output_limit_bytes)


async def _contained(
    tool: Tool, call: ToolUseBlock, context: ToolContext
) -> ToolResult:
    """Call the tool; nothing but an ordinary exception leaves its task."""
    try:
        return await tool.call(call.input, context)
    except Exception:
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ToolError("The tool cancelled itself.") from None
    except (SystemExit, KeyboardInterrupt):
        raise ToolError("The tool tried to end the process.") from None
    except BaseException as error:  # noqa: BLE001 (nobody above takes those)
        raise ToolError(f"The tool raised {type(error).__name__}.") from None


async def _abandon(task: asyncio.Task[ToolResult]) -> None:
    task.cancel()
    _abandoned.add(task)
    task.add_done_callback(_forget)
    await asyncio.wait({task}, timeout=_GRACE_S)


def _forget(task: asyncio.Task[ToolResult]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # seen: nobody is left to tell


def _outcome(
    tool: Tool, task: asyncio.Task[ToolResult], output_limit_bytes: int
) -> Outcome:
    try:
        result = _checked(task.result())
        output, truncated = cut_middle(
            _nothing_said(result.status) if is_blank(result.output) else result.output,
            output_limit_bytes,
        )
        return Outcome(
            status=result.status,
            output=output,
            truncated=truncated,
            actions=usable_actions(result.actions),
            display=_bounded(result.display, _MOST_RESULT_BYTES - len(encode(output))),
        )
    except LeaseLost as error:
        return Outcome(status="unknown", output=error.message, is_lease_lost=True)
    except StreamchatError as error:
        logger.info("Tool %s failed: %s", tool.name, error.code)
        return _failed(error.message or "The tool failed.")
    except Exception as error:  # noqa: BLE001 (whatever a tool raises is its result)
        # The places, not the message: it may hold what the user wrote.
        places = "".join(traceback.format_tb(error.__traceback__))
        logger.warning("Tool %s raised %s\n%s", tool.name, type(error).__name__, places)
        return _failed(_described(error))


def _checked(result: Any) -> ToolResult:  # noqa: ANN401 - whatever a tool gives
    """Return a result whose text and status can be told.

    Raises:
        ToolError: It is none; says why.
    """
    if not isinstance(result, ToolResult):
        raise ToolError(f"The tool gave a {type(result).__name__}, not a ToolResult.")
    output: Any = result.output
    if not isinstance(output, str):
        raise ToolError(f"The output of a ToolResult is text, not {type(output)}.")
    if result.status not in _STATUSES:
        raise ToolError(f"The status of a ToolResult is one of {sorted(_STATUSES)}.")
    return result


def _bounded(display: Iterable[Display], left_bytes: int) -> list[Display]:
    """Return what fits into an event, in order.

    Raises:
        ToolError: Something of it cannot be shown; says why.
    """
    kept: list[Display] = []
    left_bytes = min(left_bytes, _MOST_DISPLAY_BYTES)
    for item in display:
        data = encode(item)
        left_bytes -= len(data)
        if left_bytes < 0:
            break
        try:
            kept.append(_display_decoder.decode(data))
        except msgspec.ValidationError as error:
            raise ToolError(f"The display of a ToolResult: {error}.") from None
    return kept


def _described(error: Exception) -> str:
    kind = type(error).__name__
    try:
        message = str(error).strip()
    except Exception:  # noqa: BLE001 (an exception's own text may fail, too)
        message = ""
    return f"{kind}: {message}" if message else kind


def _failed(text: str) -> Outcome:
    text = clean_text(text)
    if len(text) > _MOST_ERROR_CHARACTERS:
        text = f"{text[:_MOST_ERROR_CHARACTERS]}…"
    return Outcome(status="error", output=text)


def _nothing_said(status: ToolStatus) -> str:
    return "Done." if status == "ok" else f"The tool ended as {status} and said no why."


def _unknown_tool(name: str, known: list[str]) -> str:
    if not known:
        return f"There is no tool {name[:64]!r}; this conversation has no tools."
    shown = ", ".join(known[:_MOST_KNOWN_NAMES])
    more = len(known) - _MOST_KNOWN_NAMES
    and_more = f" and {more} more" if more > 0 else ""
    return f"There is no tool {name[:64]!r}. There are: {shown}{and_more}."
