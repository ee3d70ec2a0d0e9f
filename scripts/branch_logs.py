"""Recorded logs of conversations with branches, for ``record_logs.py``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import TextBlock

if TYPE_CHECKING:
    from log_recorder import Recorder

SEED = 20_261_122
RANDOM_MESSAGES = 30


def exchange(log: Recorder, number: int, text: str, parent: str | None = None) -> None:
    """Append a question and its whole answer."""
    log.ask(f"m{number}", text, turn=f"t{number}", parent=parent)
    log.start_turn(f"t{number}", f"m{number}")
    reply(log, number)


def reply(log: Recorder, number: int) -> None:
    """Append the answer of a turn that has begun, and its end."""
    turn, message = f"t{number}", f"a{number}"
    log.begin(turn, message)
    content = log.text(turn, message, "b0", f"Answer {number}")
    log.add(e.MessageCompleted(turn=turn, message=message, content=[content]))
    log.finish(turn)


def queue(log: Recorder, number: int, text: str, parent: str | None = None) -> None:
    """Append a question that waits."""
    log.ask(f"m{number}", text, turn=f"t{number}", parent=parent)
    log.add(e.TurnQueued(turn=f"t{number}", message=f"m{number}"))


def branches(log: Recorder) -> None:
    """Asked again, in other words and from the beginning; back and forth between."""
    exchange(log, 1, "Name a colour")
    exchange(log, 2, "And another")
    exchange(log, 3, "And another", parent="m1")
    exchange(log, 4, "A darker one")
    exchange(log, 5, "Name a fruit", parent="")
    log.add(e.ConversationUpdated(tip="m1"))
    log.add(e.ConversationUpdated(tip="m2", title="Colours"))
    exchange(log, 6, "A third")
    # There is no such message, or it is an agent's: changes nothing.
    log.add(e.ConversationUpdated(tip="m9"))
    log.add(e.ConversationUpdated(tip="a1"))
    exchange(log, 7, "Of nothing that is there", parent="m99")
    exchange(log, 8, "Of an answer", parent="a1")
    exchange(log, 9, "Of nothing before", parent="")
    log.add(e.ConversationUpdated(tip="m3"))


def queued_branches(log: Recorder) -> None:
    """Messages that wait on other branches than the one whose turn runs."""
    exchange(log, 1, "Name a colour")
    log.ask("m2", "Tell me all about it", turn="t2")
    log.start_turn("t2", "m2")
    queue(log, 3, "In short, please", parent="m1")
    queue(log, 4, "And a fruit")
    queue(log, 5, "Never mind", parent="")
    log.add(e.TurnFinished(turn="t5", status="cancelled", stop_reason="removed"))
    queue(log, 6, "And a tree", parent="m4")
    log.add(e.TurnQueued(turn="t6", message="m6", ahead=True))
    log.add(e.TurnFinished(turn="t4", status="cancelled", stop_reason="removed"))
    reply(log, 2)
    log.start_turn("t6", "m6")
    reply(log, 6)
    log.add(e.TurnFinished(turn="t3", status="cancelled"))
    exchange(log, 7, "In short", parent="m1")
    log.ask("m8", "Stop", turn="t8")
    log.add(e.TurnQueued(turn="t8", message="m8"))
    log.add(e.TurnFinished(turn="t8", status="cancelled", stop_reason="removed"))


def grown_tree(log: Recorder) -> None:
    """A tree that grew at random: asked, queued, taken back, shown anew."""
    chance = random.Random(SEED)  # noqa: S311 - the same tree each time
    waiting: list[int] = []
    for number in range(1, RANDOM_MESSAGES + 1):
        parent = chance.choice([None, None, "", f"m{chance.randint(1, number)}"])
        if waiting or chance.random() < 0.3:  # noqa: PLR2004
            queue(log, number, f"Question {number}", parent)
            waiting.append(number)
        else:
            exchange(log, number, f"Question {number}", parent)
        if waiting and chance.random() < 0.5:  # noqa: PLR2004
            next_ = waiting.pop(chance.randrange(len(waiting)))
            if chance.random() < 0.5:  # noqa: PLR2004
                end = e.TurnFinished(
                    turn=f"t{next_}", status="cancelled", stop_reason="removed"
                )
                log.add(end)
            else:
                log.start_turn(f"t{next_}", f"m{next_}")
                reply(log, next_)
        if chance.random() < 0.2:  # noqa: PLR2004
            log.add(e.ConversationUpdated(tip=f"m{chance.randint(1, number)}"))
    if waiting:
        other = TextBlock(text="Question in other words")
        log.add(e.MessageEdited(message=f"m{waiting[0]}", content=[other]))
