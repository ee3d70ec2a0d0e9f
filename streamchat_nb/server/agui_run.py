"""From an AG-UI run to a turn of a conversation."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.errors import Conflict, InvalidInput, NotFound
from streamchat_nb.protocol.content import DocumentBlock, ImageBlock
from streamchat_nb.protocol.events import ToolApprovalResolved
from streamchat_nb.server.agents import AgentChoice
from streamchat_nb.server.agui_events import RunNames, RunTranslation
from streamchat_nb.server.agui_input import File
from streamchat_nb.server.agui_messages import content_of, history_before, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import ConversationState, ToolCallState
    from streamchat_nb.protocol.content import ContentBlock, UserBlock
    from streamchat_nb.server.agui_input import Question, RunRequest
    from streamchat_nb.server.agui_tools import Application, Applications
    from streamchat_nb.server.principal import Principal
    from streamchat_nb.server.service import Service

__all__ = ["Run", "begin_run", "conversation_of", "message_id_of"]

_OUR_IDS = re.compile(r"c_[0-9a-f]{32}")
_PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,59}")
_READ_EVENTS = 512
_READ_BYTES = 262_144


class _Head(msgspec.Struct):
    turn: str | None = None


_head_decoder = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that was accepted.

    Attributes:
        log: The conversation's log.
        turn: Id of its turn.
        after: ``seq`` before the turn's first event.
        translation: What the log's events are in it.
        application: Where its tools are lent; to be left in the end.
    """

    log: ConversationLog
    turn: str
    after: int
    translation: RunTranslation
    application: Application


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """Where a run enters; ``after`` is ``None`` where the log has to tell."""

    turn: str
    after: int | None = None
    answered: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()


def conversation_of(principal: Principal, thread: str) -> str:
    """Return the id of a thread's conversation: always the same for a principal.

    The id of a conversation of ours is that conversation. Any other is hashed
    together with the principal, so that nobody gets at another's by its name.
    """
    if _OUR_IDS.fullmatch(thread):
        return thread
    named = msgspec.json.encode([principal.id, thread])
    return f"c_{hashlib.sha256(named).hexdigest()[:32]}"


def message_id_of(run: str) -> str:
    """Return the client's message id of a run: by it a repeated run is recognised."""
    if _PLAIN.fullmatch(run):
        return f"agui:{run}"
    digest = hashlib.sha256(run.encode()).hexdigest()
    return f"agui:{digest[:40]}"


async def begin_run(
    service: Service,
    applications: Applications,
    principal: Principal,
    request: RunRequest,
    *,
    agent: str | None = None,
) -> Run:
    """Accept a run: send its message, or hand over the answers that it brings.

    Args:
        service: The service.
        applications: Where applications lend their tools.
        principal: Who asks.
        request: What is asked for.
        agent: Who answers the thread from now on; ``None``: whoever does.

    Raises:
        NotFound: There is no such conversation, interrupt or agent.
        InvalidInput: Something in it cannot be used.
        Conflict: The turn waits for answers that it does not bring
            (``interrupts_open``, ``tool_results_missing``), or its id was used for
            another message (``idempotency_mismatch``).
        TooLarge: The message is over a limit.
        RateLimited: Too many messages wait.
        Unavailable: The server stops or cannot write now.
    """
    log = await _open(service, principal, request.thread, agent)
    turns = await service.conversation_turns(principal, log.id)
    application = applications.join(turns, request.tools)
    try:
        entering = _Entering(service, principal, request, log, application)
        entry = await entering.enter()
        after = entry.after
        if after is None:
            after = await _before_turn(log, entry.turn)
        return Run(
            log=log,
            turn=entry.turn,
            after=after,
            translation=_translation(log, entry, request),
            application=application,
        )
    except BaseException:
        application.leave()
        raise


async def _open(
    service: Service, principal: Principal, thread: str, agent: str | None
) -> ConversationLog:
    conversation = conversation_of(principal, thread)
    try:
        log = await service.open(principal, conversation)
    except NotFound:
        if conversation == thread:
            raise
        choice = AgentChoice(agent=agent) if agent else None
        try:
            return await service.create(principal, choice=choice, id_=conversation)
        except Conflict:  # by another request, meanwhile
            log = await service.open(principal, conversation)
    if agent and log.state.settings.get("agent") != agent:
        await service.configure(principal, conversation, {"agent": agent})
    return log


class _Entering:
    """Finds out what a run is, and does what it asks for."""

    def __init__(
        self,
        service: Service,
        principal: Principal,
        request: RunRequest,
        log: ConversationLog,
        application: Application,
    ) -> None:
        self._service = service
        self._principal = principal
        self._request = request
        self._log = log
        self._application = application

    async def enter(self) -> _Entry:
        if self._request.approvals:
            return await self._answer_approvals()
        lent = {
            call.tool_call: call
            for call in self._log.state.tool_calls
            if call.where == "kernel"
        }
        given = [lent[r.call] for r in self._request.results if r.call in lent]
        if given:
            return self._give_results(given)
        return await self._ask()

    # approvals

    async def _answer_approvals(self) -> _Entry:
        answers = self._request.approvals
        asked = dict(_asked(self._log.state))
        if unknown := sorted(set(answers) - set(asked)):
            raise NotFound(
                "This thread has no such interrupt.",
                details={"interrupts": unknown[:8]},
            )
        turns = {asked[approval].turn for approval in answers}
        turn = turns.pop()
        if turns or turn is None:
            raise InvalidInput("One run answers the interrupts of one run.")
        missing = [
            approval
            for approval, call in asked.items()
            if call.turn == turn and _is_open(call) and approval not in answers
        ]
        if missing:
            raise _interrupts_open(missing)
        question = self._new_question(turn)
        if question is not None:
            return await self._move_on(turn)
        for approval, answer in answers.items():
            await self._approve(
                ToolApprovalResolved(
                    approval=approval,
                    tool_call="",
                    decision=answer.decision,
                    edited_input=answer.edited_input,
                    remember=answer.remember,
                    reason=answer.reason,
                )
            )
        return _Entry(turn=turn, answered=frozenset(answers))

    async def _approve(self, answer: ToolApprovalResolved) -> None:
        """Hand over one answer; where somebody else was first, theirs counts.

        The run goes on then, and tells so: it is the only way past the interrupt.
        """
        try:
            await self._service.approve(self._principal, self._log.id, answer)
        except Conflict as conflict:
            if conflict.code == "approval_closed":
                return
            if "recorded" not in (conflict.details or {}):
                raise

    def _new_question(self, turn: str) -> Question | None:
        """Return the message at the end that is not the one the turn answers."""
        question = self._request.question
        if question is None or not question.is_last:
            return None
        answered = _content_of_turn(self._log.state, turn)
        return None if question.text == words(answered) else question

    async def _move_on(self, turn: str) -> _Entry:
        """Leave a turn that nobody wants to answer for, and send the new message."""
        if not all(a.is_cancelled for a in self._request.approvals.values()):
            raise InvalidInput(
                "A run answers interrupts or sends a message, not both: resume first, "
                "or cancel the interrupts."
            )
        await self._service.cancel(self._principal, self._log.id, turn)
        return await self._ask()

    # results of the application's tools

    def _give_results(self, given: list[ToolCallState]) -> _Entry:
        answered = frozenset(call.tool_call for call in given)
        turn = given[-1].turn
        if turn is None or any(call.turn != turn for call in given):
            raise InvalidInput("One run brings the results of one run.")
        if missing := sorted(set(self._application.calls) - answered):
            raise Conflict(
                "Results of other calls are missing; bring all of them in one run.",
                code="tool_results_missing",
                details={"tool_calls": missing},
            )
        for result in self._request.results:
            self._application.give(result.call, result.output, is_error=result.is_error)
        return _Entry(turn=turn, answered=answered, given=answered)

    # messages

    async def _ask(self) -> _Entry:
        key = message_id_of(self._request.run)
        known = next(
            (m.turn for m in self._log.state.messages if m.client_message_id == key),
            None,
        )
        question = self._request.question
        if known is not None and (question is None or not question.is_last):
            return _Entry(turn=known)
        if question is None:
            raise InvalidInput("messages has no message of the user to answer.")
        if known is None:
            waiting = [a for a, call in _asked(self._log.state) if _is_open(call)]
            if waiting:
                raise _interrupts_open(waiting)
        moves_on = bool(self._application.calls)
        receipt = await self._service.send(
            self._principal,
            self._log.id,
            client_message_id=key,
            content=await self._content(question),
            if_active="interrupt" if moves_on else "queue",
        )
        after = None if receipt.duplicate else receipt.seq - 1
        return _Entry(turn=receipt.turn, after=after)

    async def _content(self, question: Question) -> list[UserBlock]:
        content: list[UserBlock] = []
        for part in question.parts:
            if not isinstance(part, File):
                content.append(part)
                continue
            attachments = self._service.attachments
            kept = await attachments.keep(self._log.id, part.name, part.data)
            kind = ImageBlock if kept.media_type.startswith("image/") else DocumentBlock
            content.append(kind(artifact=kept.id, media_type=kept.media_type))
        return content


def _interrupts_open(approvals: list[str]) -> Conflict:
    return Conflict(
        "This thread waits for answers; give all of them in resume first.",
        code="interrupts_open",
        details={"interrupts": approvals},
    )


def _asked(state: ConversationState) -> Iterator[tuple[str, ToolCallState]]:
    for call in state.tool_calls:
        if call.approval is not None:
            yield call.approval.approval, call


def _is_open(call: ToolCallState) -> bool:
    asked = call.approval
    return asked is not None and asked.decision is None and call.status == "requested"


def _content_of_turn(state: ConversationState, turn: str) -> list[ContentBlock]:
    for message in state.messages:
        if message.turn == turn and message.role == "user":
            return content_of(message)
    return []


def _translation(
    log: ConversationLog, entry: _Entry, request: RunRequest
) -> RunTranslation:
    state = log.state
    history = history_before(state, entry.turn)
    own = [m for m in state.messages if m.turn == entry.turn]
    for message in own:
        if message.role == "user":
            question = request.question
            is_asked_now = not entry.answered and question is not None
            id_ = question.id if is_asked_now and question else message.message
            history.add_user(id_, words(_content_of_turn(state, entry.turn)))
            break
    return RunTranslation(
        names=RunNames(
            thread=request.thread,
            run=request.run,
            conversation=log.id,
            turn=entry.turn,
        ),
        history=history,
        known=request.known,
        own=frozenset(m.message for m in own if m.role == "assistant"),
        answered=entry.answered,
        given=entry.given,
        is_open=lambda id_: _still_open(log.state, id_),
    )


def _still_open(state: ConversationState, id_: str) -> bool:
    for call in reversed(state.tool_calls):
        if call.tool_call == id_:
            return call.status == "running"
        if call.approval is not None and call.approval.approval == id_:
            return _is_open(call)
    return False


async def _before_turn(log: ConversationLog, turn: str) -> int:
    """Return the ``seq`` before the first event of a turn."""
    after = 0
    while events := await log.read(
        after, limit_events=_READ_EVENTS, limit_bytes=_READ_BYTES
    ):
        for event in events:
            if _head_decoder.decode(event.data).turn == turn:
                return event.seq - 1
        after = events[-1].seq
        await asyncio.sleep(0)
    return after
