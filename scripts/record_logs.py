"""Write the recorded logs that the folds of both languages are tested with.

Each ``tests/fixtures/logs/*.json`` is ``{"description", "events", "state", "shown",
"siblings"}``: events as they travel, and what the Python fold makes of them: the state,
defaults left off, the path that is shown, and the versions of each message of a user.
Run it again after a deliberate change of the fold, and read the difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from branch_logs import branches, grown_tree, queued_branches
from log_recorder import ADA, Recorder

from streamchat_nb.conversation.branches import Branches
from streamchat_nb.conversation.state import Fold
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import (
    Action,
    DocumentBlock,
    ErrorBody,
    ImageBlock,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "logs"


def answer(log: Recorder, turn: str, question: str, message: str) -> None:
    """Append a plain streamed answer in its turn."""
    log.start_turn(turn, question)
    log.begin(turn, message)
    log.status(turn, "responding", "")
    block = log.text(turn, message, "b0", "Hel", "lo ", "there.")
    log.add(
        e.MessageCompleted(
            turn=turn,
            message=message,
            content=[block],
            stop_reason="end_turn",
            usage=Usage(input_tokens=21, output_tokens=8, cache_read_input_tokens=0),
        )
    )
    log.finish(turn)


def simple_answer(log: Recorder) -> None:
    """A question and a streamed answer."""
    log.ask("m1", "Hi")
    answer(log, "t1", "m1", "m2")


def tool_turn(log: Recorder) -> None:
    """A tool with progress, then a final answer with a link and a button."""
    link = Action(kind="link", label="Profile", href="https://example.org/ada")
    button = Action(kind="button", label="Draft a mail to Ada…", send="Draft a mail")
    log.ask("m1", "Who is Ada?")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    spoken = log.text("t1", "m2", "b0", "Let me ", "look.")
    used = log.use("t1", "m2", "b1", "toolu_1", "Ada")
    log.add(
        e.MessageCompleted(
            turn="t1", message="m2", content=[spoken, used], stop_reason="tool_use"
        )
    )
    log.request("t1", "m2", "b1", used)
    log.status("t1", "using_tool", "Using search_contacts…")
    log.add(e.ToolStarted(turn="t1", tool_call="toolu_1", executor="server"))
    log.add(
        e.ToolProgress(turn="t1", tool_call="toolu_1", message="Reading", fraction=0)
    )
    log.add(e.ToolProgress(turn="t1", tool_call="toolu_1", fraction=0.5))
    log.add(e.ToolProgress(turn="t1", tool_call="toolu_1", message="Nearly there"))
    log.tool_end("t1", "toolu_1", '[{"name": "Ada"}]', actions=[link])
    log.begin("t1", "m3")
    final = log.text("t1", "m3", "b0", "Ada is ", "**a contact**.")
    log.add(
        e.MessageCompleted(
            turn="t1",
            message="m3",
            content=[final],
            stop_reason="end_turn",
            actions=[link, button],
        )
    )
    log.finish("t1")


def parallel_tools(log: Recorder) -> None:
    """Three calls of one message; they end in another order, two of them badly."""
    log.ask("m1", "Ada, Alan and Grace?")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    used = [
        log.use("t1", "m2", f"b{index}", f"toolu_{index}", name)
        for index, name in enumerate(("Ada", "Alan", "Grace"))
    ]
    log.add(
        e.MessageCompleted(
            turn="t1", message="m2", content=[*used], stop_reason="tool_use"
        )
    )
    for index, content in enumerate(used):
        log.request("t1", "m2", f"b{index}", content)
    for content in used:
        log.add(e.ToolStarted(turn="t1", tool_call=content.id))
    log.tool_end("t1", "toolu_2", "Grace Hopper")
    log.tool_end("t1", "toolu_0", "The tool raised ValueError.", "error")
    log.add(
        e.ToolStarted(
            turn="t1", tool_call="toolu_1", attempt=2, executor="kernel", lease="l-2"
        )
    )
    log.add(
        e.ToolCompleted(
            turn="t1",
            tool_call="toolu_1",
            status="timeout",
            output="No answer in 30 s.",
            truncated=True,
            artifact="a-7",
        )
    )
    log.begin("t1", "m3")
    final = log.text("t1", "m3", "b0", "Grace was found.")
    log.add(e.MessageCompleted(turn="t1", message="m3", content=[final]))
    log.finish("t1")


def retry_discarded(log: Recorder) -> None:
    """A stream that breaks: its message is discarded and the answer tried again."""
    log.ask("m1", "Hi")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.stream("t1", "m2", "b0", "Half an ans")
    log.add(e.MessageDiscarded(turn="t1", message="m2", reason="The connection broke."))
    log.status("t1", "retrying", "The model is busy; trying again…", retry_in_ms=800)
    log.begin("t1", "m3")
    final = log.text("t1", "m3", "b0", "A whole ", "answer.")
    log.status("t1", "responding", "")
    log.add(e.MessageCompleted(turn="t1", message="m3", content=[final]))
    log.finish("t1")


def cancelled(log: Recorder) -> None:
    """A turn stopped in the middle of a tool and of a sentence."""
    log.ask("m1", "Tell me everything")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    used = log.use("t1", "m2", "b0", "toolu_1", "everything")
    log.request("t1", "m2", "b0", used)
    log.add(e.ToolStarted(turn="t1", tool_call="toolu_1"))
    log.stream("t1", "m2", "b1", "Once upon ", "a ti")
    log.tool_end("t1", "toolu_1", "Cancelled by the user.", "cancelled")
    kept = TextBlock(text="Once upon a ti")
    log.add(
        e.BlockCompleted(
            turn="t1", message="m2", block="b1", kind="text", content=kept, partial=True
        )
    )
    log.add(
        e.MessageCompleted(turn="t1", message="m2", content=[used, kept], partial=True)
    )
    log.finish("t1", "cancelled", None)


def failed(log: Recorder) -> None:
    """A model that cannot be reached, and a turn that a crash cut off."""
    log.ask("m1", "Hi")
    log.start_turn("t1", "m1")
    problem = ErrorBody(
        code="model_unreachable",
        message="The model's endpoint cannot be reached. Check the base URL.",
        retryable=True,
        retry_after_ms=2000,
        details={"attempts": 3},
    )
    log.finish("t1", "failed", None, problem)
    log.ask("m2", "Again")
    log.start_turn("t2", "m2")
    log.begin("t2", "m3")
    log.stream("t2", "m3", "b0", "It was a da")
    log.finish("t2", "interrupted", None)


def newer_peer(log: Recorder) -> None:
    """Types and fields that this version does not know."""
    log.add_raw({"type": "message.starred", "message": "m1", "by": {"id": "u-ada"}})
    log.ask("m1", "Hi")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.add(
        e.BlockStarted(turn="t1", message="m2", block="b0", kind="text"),
        language="en",
    )
    delta = e.BlockDelta(
        turn="t1", message="m2", block="b0", kind="text", delta="Hello."
    )
    log.add(delta, confidence=0.75, tokens=[1, 2])
    log.add_raw({"type": "block.annotated", "message": "m2", "block": "b0"})
    content = TextBlock(text="Hello.")
    log.add(
        e.MessageCompleted(turn="t1", message="m2", content=[content]),
        status="discarded",
        reviewed=True,
    )
    log.finish("t1")
    log.add_raw({"type": "x"})


def queued_turns(log: Recorder) -> None:
    """Messages that wait for the turn before theirs; one is stopped as it waits."""
    log.ask("m1", "First")
    log.start_turn("t1", "m1")
    log.ask("m2", "Second")
    log.add(e.TurnQueued(turn="t2", message="m2"))
    log.begin("t1", "m4")
    log.stream("t1", "m4", "b0", "One")
    log.ask("m3", "Third")
    log.add(e.TurnQueued(turn="t3", message="m3"))
    delta = e.BlockDelta(
        turn="t1", message="m4", block="b0", kind="text", delta=" done"
    )
    log.add(delta)
    log.finish("t3", "cancelled", None)
    content = TextBlock(text="One done")
    log.add(e.MessageCompleted(turn="t1", message="m4", content=[content]))
    log.finish("t1")
    log.add(e.TurnQueued(turn="t2", message="m2"))
    answer(log, "t2", "m2", "m5")


def steered_queue(log: Recorder) -> None:
    """Waiting messages: one edited, one moved ahead, one removed."""
    log.ask("m1", "Count to a million", turn="t1")
    log.start_turn("t1", "m1")
    for number, text in ((2, "And then?"), (3, "Wait, to ten only"), (4, "Never mind")):
        log.ask(f"m{number}", text, turn=f"t{number}")
        log.add(e.TurnQueued(turn=f"t{number}", message=f"m{number}"))
    log.add(e.MessageEdited(turn="t2", message="m2", content=[TextBlock(text="Then?")]))
    log.add(e.TurnQueued(turn="t3", message="m3", ahead=True))
    log.add(e.TurnFinished(turn="t4", status="cancelled", stop_reason="removed"))
    # Not there, or not waiting any more: changes nothing.
    log.add(e.MessageEdited(message="m9", content=[TextBlock(text="Lost")]))
    log.add(e.TurnQueued(turn="t1", message="m1", ahead=True))
    log.add(e.TurnFinished(turn="t1", status="completed", stop_reason="superseded"))
    log.start_turn("t3", "m3")


def approvals(log: Recorder) -> None:
    """Three calls that ask first: one allowed as edited, one denied, one cut."""
    log.ask("m1", "Delete the three")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    used = [
        log.use("t1", "m2", f"b{index}", f"toolu_{index}", name)
        for index, name in enumerate(("Ada", "Alan", "Grace"))
    ]
    log.add(
        e.MessageCompleted(
            turn="t1", message="m2", content=[*used], stop_reason="tool_use"
        )
    )
    for index, content in enumerate(used):
        log.request("t1", "m2", f"b{index}", content)
        log.add(
            e.ToolApprovalRequested(
                turn="t1",
                approval=f"a{index}",
                tool_call=content.id,
                input_hash=f"{index}" * 64,
                prompt=f"Run {content.name}?",
                risk="exec" if index else "write",
                may_remember=not index,
                expires_at=1_790_000_100_000 if index else None,
            )
        )
    log.status("t1", "waiting_approval", "Waiting for your approval…")
    log.add(
        e.ToolApprovalResolved(
            turn="t1",
            approval="a0",
            tool_call="toolu_0",
            decision="approved",
            by=ADA,
            edited_input={"query": "Ada Lovelace"},
            remember="conversation",
        )
    )
    denied = e.ToolApprovalResolved(
        turn="t1", approval="a1", tool_call="toolu_1", decision="denied", reason="No"
    )
    log.add(denied)
    # Of another approval, of no call: changes nothing.
    log.add(msgspec.structs.replace(denied, approval="a9", decision="approved"))
    log.add(msgspec.structs.replace(denied, tool_call="toolu_9"))
    log.add(e.ToolStarted(turn="t1", tool_call="toolu_0"))
    log.tool_end("t1", "toolu_1", "Denied: No", "denied")
    log.tool_end("t1", "toolu_2", "The turn was cancelled.", "cancelled")


def edges(log: Recorder) -> None:
    """What a fold has to ignore, and blocks that end in unusual ways."""
    log.add(e.BlockStarted(message="m?", block="b0", kind="text"))
    log.add(e.BlockDelta(message="m?", block="b0", kind="text", delta="lost"))
    log.add(e.BlockCompleted(message="m?", block="b0", kind="text"))
    log.add(e.MessageCompleted(message="m?", content=[TextBlock(text="lost")]))
    log.add(e.MessageDiscarded(message="m?", reason="lost"))
    log.add(e.ToolStarted(tool_call="toolu_?"))
    log.add(e.ToolProgress(tool_call="toolu_?", message="lost"))
    log.add(e.ToolCompleted(tool_call="toolu_?", status="ok", output="lost"))
    log.add(e.TurnStatus(turn="t?", phase="thinking", label="lost"))
    log.add(e.TurnFinished(turn="t?", status="completed"))
    log.add(e.TurnStarted(message="m1", agent="without a turn"))
    log.ask("m1", "Hi", turn="t1")
    log.ask("m1", "the same id again")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.text("t1", "m2", "b0", "complete")
    log.stream("t1", "m2", "b0", "a delta after the end")
    log.stream("t1", "m2", "b1", "ends without content")
    log.add(e.BlockCompleted(message="m2", block="b1", kind="text", partial=True))
    log.add(e.BlockDelta(message="m2", block="b1", kind="text", delta=", so goes on"))
    log.stream("t1", "m2", "b2")
    used = log.use("t1", "m2", "b3", "toolu_1", "x")
    log.request("t1", "m2", "b3", used)
    log.request("t1", "m2", "b3", used)
    log.stream("t1", "m2", "b4", "wrong deltas")
    content = TextBlock(text="the content wins")
    log.add(e.BlockCompleted(message="m2", block="b4", kind="text", content=content))
    log.begin("t1", "m3")
    log.stream("t1", "m3", "b9", "replaced")
    log.add(e.MessageCompleted(message="m3", content=[content], actions=[]))
    log.add(e.BlockDelta(message="m3", block="b9", kind="text", delta="gone"))
    log.add(e.BlockDelta(message="m3", block="b0", kind="text", delta="complete"))
    log.add(e.BlockStarted(message="m3", block="b1", kind="text"))
    log.begin("t1", "m4")
    log.add(e.MessageCompleted(message="m4", content=[]))


def all_blocks(log: Recorder) -> None:
    """Every kind of content, in a user's message and in an agent's."""
    log.add(
        e.MessageCreated(
            message="m1",
            role="user",
            author=ADA,
            content=[
                TextBlock(text="What is this?"),
                ImageBlock(artifact="a-1", media_type="image/png", alt="A plot"),
                DocumentBlock(artifact="a-2", media_type="application/pdf"),
            ],
        )
    )
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.stream("t1", "m2", "b0", "Hmm, ", "a plot", kind="thinking")
    thought = ThinkingBlock(thinking="Hmm, a plot.", signature="c2lnbmVk")
    log.add(
        e.BlockCompleted(message="m2", block="b0", kind="thinking", content=thought)
    )
    log.stream("t1", "m2", "b1", '{"code":', "1}", kind="server_tool")
    own = ProviderBlock(data={"type": "server_tool_use", "id": "srv_1", "input": {}})
    log.add(e.BlockCompleted(message="m2", block="b1", kind="server_tool", content=own))
    said = TextBlock(text="A plot.", citations=[{"type": "page", "page": 3}])
    log.stream("t1", "m2", "b2", "A plot.")
    log.add(
        e.MessageCompleted(
            turn="t1", message="m2", content=[thought, own, said, thought]
        )
    )
    log.add(
        e.TurnFinished(
            turn="t1", status="completed", cost=0.0125, usage=Usage(output_tokens=4)
        )
    )


def priced_turns(log: Recorder) -> None:
    """What turns used and cost adds up; one whose price is not known is counted."""
    costs: list[tuple[float | None, Usage | None, bool]] = [
        (0.0125, Usage(input_tokens=1000, output_tokens=500), False),
        (0.1, Usage(output_tokens=7, cache_read_input_tokens=90), False),
        (None, Usage(input_tokens=3), False),
        (None, None, False),
        (None, None, True),
    ]
    for number, (cost, usage, offline) in enumerate(costs, start=1):
        question, message, turn = f"q{number}", f"a{number}", f"t{number}"
        log.add(
            e.MessageCreated(
                message=question,
                role="user",
                author=ADA,
                content=[TextBlock(text="How many?")],
                output_schema={"type": "object"} if number == 1 else None,
                turn=turn,
            )
        )
        log.add(
            e.TurnStarted(
                turn=turn, message=question, agent="assistant", offline=offline
            )
        )
        log.begin(turn, message)
        log.add(
            e.MessageCompleted(
                turn=turn,
                message=message,
                content=[TextBlock(text="Three.")],
                usage=usage,
                cost=cost,
            )
        )
        log.add(e.TurnFinished(turn=turn, status="completed", usage=usage, cost=cost))
    log.add(e.TurnQueued(turn="t9", message="q1"))
    log.add(e.TurnFinished(turn="t9", status="cancelled"))


def unicode_text(log: Recorder) -> None:
    """Text beyond ASCII, cut between the parts of what a reader sees as one sign."""
    log.ask("m1", "¿Qué tal? 你好 👩\u200d💻 \u202eabc\u202c \x00\x1b[31m\u2028")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.text("t1", "m2", "b0", "e", "\u0301 ", "👩", "\u200d", "💻", "", '\n\t"\\')
    log.add(e.ConversationUpdated(title="Ünïcödé ✓"))


def settings_and_titles(log: Recorder) -> None:
    """A conversation that is renamed and set; absent fields do not change."""
    log.add(e.ConversationUpdated(title="Contacts", by=ADA))
    log.add(e.ConversationUpdated(settings={"model": "m", "depth": {"x": [1, None]}}))
    log.add(e.ConversationUpdated(title="Contacts of Ada"))
    log.add(e.ConversationUpdated(settings={"temperature": 0.5}))
    log.add(e.ConversationUpdated())
    log.add(e.ConversationUpdated(title=""))


def compacted(log: Recorder) -> None:
    """Rows that are gone: ``prev`` still names the row before."""
    log.ask("m1", "Hi")
    log.start_turn("t1", "m1")
    log.begin("t1", "m2")
    log.add(e.BlockStarted(turn="t1", message="m2", block="b0", kind="text"))
    log.compact(79)
    delta = e.BlockDelta(
        turn="t1", message="m2", block="b0", kind="text", delta="…79 merged…"
    )
    log.add(delta)
    log.compact(5)
    content = TextBlock(text="Everything, at once.")
    log.add(e.MessageCompleted(turn="t1", message="m2", content=[content]))
    log.finish("t1")


LOGS: tuple[Callable[[Recorder], None], ...] = (
    simple_answer,
    tool_turn,
    parallel_tools,
    retry_discarded,
    cancelled,
    failed,
    newer_peer,
    queued_turns,
    steered_queue,
    approvals,
    edges,
    all_blocks,
    unicode_text,
    settings_and_titles,
    compacted,
    priced_turns,
    branches,
    queued_branches,
    grown_tree,
)


def render(record: Callable[[Recorder], None]) -> str:
    """Return one file: an event a line, so that differences can be read."""
    log, fold = Recorder(), Fold()
    record(log)
    lines = [msgspec.json.encode(event) for event in log.events]
    for line in lines:
        fold.apply(decode_event(line))
    head = msgspec.json.encode((record.__doc__ or "").strip()).decode()
    events = ",\n".join(f"    {line.decode()}" for line in lines)
    state = msgspec.json.format(msgspec.json.encode(fold.state), indent=2).decode()
    indented = state.replace("\n", "\n  ")
    tree = Branches(fold.state)
    shown = msgspec.json.encode(tree.shown).decode()
    asked = [m.message for m in fold.state.messages if m.role == "user"]
    siblings = msgspec.json.encode({one: tree.siblings(one) for one in asked}).decode()
    return (
        f'{{\n  "description": {head},\n  "events": [\n{events}\n  ],\n'
        f'  "state": {indented},\n'
        f'  "shown": {shown},\n  "siblings": {siblings}\n}}\n'
    )


def main() -> None:
    """Write every log."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for record in LOGS:
        path = FOLDER / f"{record.__name__}.json"
        path.write_text(render(record), "utf-8")
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
