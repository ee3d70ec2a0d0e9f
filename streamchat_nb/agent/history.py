"""From a conversation's state to the messages that a model is sent.

All functions are pure. Messages have the shape of Anthropic's Messages API; the
rules that keep a request valid are in ``repair``, which is applied to every history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from streamchat_nb.agent.media import file_block, pictures_of, tagged
from streamchat_nb.agent.repair import INTERRUPTED, repair
from streamchat_nb.conversation.branches import Branches, shown_messages
from streamchat_nb.protocol.content import (
    DataBlock,
    DocumentBlock,
    ImageBlock,
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from streamchat_nb.tools.output import cut_middle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamchat_nb.conversation.artifacts import Artifact
    from streamchat_nb.conversation.state import (
        ConversationState,
        MessageState,
        ToolCallState,
        TurnState,
    )
    from streamchat_nb.protocol.content import ContentBlock, Display
    from streamchat_nb.protocol.events import ToolStatus

__all__ = ["content_of", "history_of", "thread_of", "tool_result"]

_NEVER_RAN = "The call was interrupted before it ran."


def history_of(
    state: ConversationState,
    *,
    until_turn: str | None = None,
    model_tool_output_bytes: int = 32_768,
    artifacts: Mapping[str, Artifact] | None = None,
) -> list[dict[str, Any]]:
    """Return the messages that a model needs to go on with the conversation.

    Those of one branch: what another version of a message led to is left out. Turns
    stand one after the other in the order in which they ran, each with its
    user's message first; turns that wait or never began are left out. Discarded
    messages are left out, partial ones are not. Tool results follow the message that
    asked for them, in its order; a call without an end gets an error result.

    Of what another agent or another model said, only the words and the tool calls are
    given: its thinking, its provider's own blocks and its citations are signed for, or
    point to what is known, there and nowhere else.

    Args:
        state: The fold's state; not changed.
        until_turn: The turn to answer: its user's message comes last. The whole branch
            that is shown when ``None``.
        model_tool_output_bytes: Largest tool output, as ``cut_middle`` takes it.
        artifacts: The attached files by id; a note stands for one that is not here.

    Returns:
        A repaired history.
    """
    straight = _straight(state, until_turn)
    if straight is not None:
        return straight
    return _any_history(state, until_turn, model_tool_output_bytes, artifacts)


def _any_history(
    state: ConversationState,
    until_turn: str | None,
    model_tool_output_bytes: int,
    artifacts: Mapping[str, Artifact] | None,
) -> list[dict[str, Any]]:
    calls = {call.tool_call: call for call in state.tool_calls}
    history: list[dict[str, Any]] = []
    speakers = {turn.turn: (turn.agent, turn.model) for turn in state.turns}
    own = speakers.get(until_turn or "", ("", ""))
    for message in _in_order(state, until_turn):
        if (text := _only_text(message)) is not None:
            words = [{"type": "text", "text": text}]
            history.append({"role": message.role, "content": words})
            continue
        content = [block.content for block in message.blocks if block.content]
        if own[0] and speakers.get(message.turn or "", own) != own:
            content = _foreign(content)
        history.append(
            {"role": message.role, "content": content_of(content, artifacts)}
        )
        results = [
            _result_of(block.id, calls.get(block.id), model_tool_output_bytes)
            for block in content
            if isinstance(block, ToolUseBlock)
        ]
        if results:
            history.append({"role": "user", "content": results})
    return repair(history)


def thread_of(state: ConversationState, turn: str) -> str:
    """Return the name of what an agent with a memory of its own goes on with.

    That is the conversation's id, as long as no earlier message was asked once more or
    in other words; each such branch has a name of its own, and begins with no memory.

    Args:
        state: The fold's state; not changed.
        turn: The turn to answer.
    """
    parents = [m.parent or "" for m in state.messages if m.role == "user"]
    if len(set(parents)) == len(parents):  # nothing was asked once more
        return state.conversation
    asked = _question_of(state, turn)
    left_at = "" if asked is None else Branches(state).left_line_at(asked)
    return f"{state.conversation}:{left_at}" if left_at else state.conversation


def content_of(
    blocks: Iterable[ContentBlock], artifacts: Mapping[str, Artifact] | None = None
) -> list[dict[str, Any]]:
    """Return content blocks as a model is sent them, verbatim where they are its own.

    Left out is what no endpoint takes: text without a visible character, and
    thinking without a signature.
    """
    content: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case TextBlock():
                if block.text.strip():
                    content.append(_text(block))
            case ThinkingBlock():
                if block.signature is not None:
                    content.append(
                        {
                            "type": "thinking",
                            "thinking": block.thinking,
                            "signature": block.signature,
                        }
                    )
            case ToolUseBlock():
                content.append(
                    {
                        "type": "tool_use",
                        "id": block.id,
                        "name": block.name,
                        "input": block.input,
                    }
                )
            case ProviderBlock():
                content.append(block.data)
            case DataBlock():
                text = tagged("data", block.name, block.text)
                content.append({"type": "text", "text": text})
            case ImageBlock() | DocumentBlock():
                content.append(_attached(block, artifacts or {}))
            case _:
                assert_never(block)
    return content


def tool_result(
    tool_call: str,
    *,
    status: ToolStatus,
    output: str,
    limit_bytes: int,
    display: Iterable[Display] = (),
) -> dict[str, Any]:
    """Return the result of a tool call as a model is sent it.

    Args:
        tool_call: Id of the call.
        status: How it ended; all but ``ok`` is an error to the model.
        output: Its text; the middle is left out beyond ``limit_bytes``.
        limit_bytes: As ``cut_middle`` takes it.
        display: What it showed; its pictures follow the text.
    """
    text, _ = cut_middle(output, limit_bytes)
    pictures = pictures_of(display)
    result: dict[str, Any] = {
        "type": "tool_result",
        "tool_use_id": tool_call,
        "content": [{"type": "text", "text": text}, *pictures] if pictures else text,
    }
    if status != "ok":
        result["is_error"] = True
    return result


def _only_text(message: MessageState) -> str | None:
    """Return the text of a message that is nothing else, as most of them are."""
    if len(message.blocks) != 1:
        return None
    content = message.blocks[0].content
    if type(content) is not TextBlock or content.citations:
        return None
    return content.text if content.text.strip() else None


def _straight(
    state: ConversationState, until_turn: str | None
) -> list[dict[str, Any]] | None:
    """Return a history of words, one answer to each question, as most of them are.

    ``None`` where there is more to it: another branch, a tool, a turn that waits.
    """
    # For all of a conversation, before each of its turns: no call that can be spared.
    messages, turns = state.messages, state.turns
    if len(messages) != 2 * len(turns) - 1 or turns[-1].turn != until_turn:
        return None
    history: list[dict[str, Any]] = []
    asked = ""
    for place, message in enumerate(messages):
        turn, blocks, role = turns[place // 2], message.blocks, message.role
        if place % 2:
            is_next = role == "assistant" and message.status != "discarded"
        else:
            is_next = role == "user" and (message.parent or "") == asked
            asked = message.message
        is_next = is_next and message.turn == turn.turn and turn.message == asked
        if not is_next or turn.started_ts is None or len(blocks) != 1:
            return None
        block = blocks[0].content
        if type(block) is not TextBlock or block.citations or not block.text.strip():
            return None
        history.append(
            {"role": role, "content": [{"type": "text", "text": block.text}]}
        )
    return history


def _foreign(blocks: Iterable[ContentBlock]) -> list[ContentBlock]:
    """Return what one model can be sent of what another one said."""
    return [
        TextBlock(text=block.text) if isinstance(block, TextBlock) else block
        for block in blocks
        if not isinstance(block, ThinkingBlock | ProviderBlock)
    ]


def _in_order(state: ConversationState, until_turn: str | None) -> list[MessageState]:
    turns = {turn.turn: turn for turn in state.turns}
    asked = _question_of(state, until_turn)
    if asked is None or state.tip is None:
        line = shown_messages(state)
    else:
        branches = Branches(state)
        line = branches.messages_of(branches.line_to(asked))
    begun = [
        message
        for message in line
        if message.status != "discarded"
        and (message.turn == until_turn or _has_begun(turns.get(message.turn or "")))
    ]
    # Messages of one turn, whatever came in between, stand together.
    places = {turn.turn: place for place, turn in enumerate(state.turns)}
    if until_turn is not None:
        places[until_turn] = len(places)
    return sorted(begun, key=lambda message: places.get(message.turn or "", -1))


def _question_of(state: ConversationState, turn: str | None) -> str | None:
    if turn is None:
        return None
    for message in reversed(state.messages):
        if message.turn == turn and message.role == "user":
            return message.message
    return None


def _has_begun(turn: TurnState | None) -> bool:
    return turn is None or turn.started_ts is not None


def _result_of(
    tool_call: str, call: ToolCallState | None, limit_bytes: int
) -> dict[str, Any]:
    status: ToolStatus
    match call:
        case None:
            status, output = "cancelled", _NEVER_RAN
        case _ if call.status == "requested":
            status, output = "cancelled", _NEVER_RAN
        case _ if call.status == "running":
            status, output = "unknown", INTERRUPTED
        case _:
            status, output = call.status, call.output or INTERRUPTED
    return tool_result(
        tool_call,
        status=status,
        output=output,
        limit_bytes=limit_bytes,
        display=() if call is None else call.display,
    )


def _text(block: TextBlock) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "text", "text": block.text}
    if block.citations:
        text["citations"] = block.citations
    return text


def _attached(
    block: ImageBlock | DocumentBlock, artifacts: Mapping[str, Artifact]
) -> dict[str, Any]:
    artifact = artifacts.get(block.artifact)
    if artifact is not None:
        return file_block(artifact)
    is_image = isinstance(block, ImageBlock)
    title = (block.alt if is_image else block.title).strip()
    kind, named = "image" if is_image else "document", f" {title!r}" if title else ""
    return {"type": "text", "text": f"[The user attached the {kind}{named} here.]"}
