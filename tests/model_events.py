"""What a model's stream yields, compared."""

from __future__ import annotations

import msgspec

from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent


def joined(events: list[ModelEvent]) -> list[ModelEvent]:
    """Make one delta of those side by side: how many they are is the network's."""
    found: list[ModelEvent] = []
    for event in events:
        last = found[-1] if found else None
        if (
            isinstance(event, ModelBlockDelta)
            and isinstance(last, ModelBlockDelta)
            and last.index == event.index
        ):
            text = last.text + event.text
            found[-1] = msgspec.structs.replace(last, text=text)
        else:
            found.append(event)
    return found


def begins_with(whole: list[ModelEvent], events: list[ModelEvent]) -> bool:
    """Say whether joined events are the beginning of others; a delta may be cut."""
    if not events:
        return True
    last, next_ = events[-1], whole[len(events) - 1]
    if isinstance(last, ModelBlockDelta) and isinstance(next_, ModelBlockDelta):
        is_same = (last.index, last.kind) == (next_.index, next_.kind)
        is_beginning = is_same and next_.text.startswith(last.text)
    else:
        is_beginning = last == next_
    return is_beginning and events[:-1] == whole[: len(events) - 1]
