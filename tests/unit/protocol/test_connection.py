from __future__ import annotations

import json

import pytest

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.protocol.close_codes import CloseCode
from streamchat_nb.protocol.commands import ClientDescription, Subscribe
from streamchat_nb.protocol.connection import (
    EXPIRED_GRACE_S,
    CloseSocket,
    ConnectionMachine,
    ConnectionState,
    Identity,
    Output,
    Perform,
    SendFrame,
    VerifyToken,
)
from streamchat_nb.protocol.frames import (
    Authenticated,
    ErrorFrame,
    Hello,
    Pong,
    TokenExpiring,
)
from streamchat_nb.protocol.limits import Limits

SUBSCRIBE = {"type": "subscribe", "id": 5, "conversation": "c"}


def machine(limits: Limits | None = None) -> ConnectionMachine:
    return ConnectionMachine(
        connection="k1",
        server="test/1",
        limits=limits or Limits(),
        authenticate_timeout_s=30.0,
        features=[],
        now=100.0,
    )


def identity(subject: str = "ada", expires_in_s: float = 300.0) -> Identity:
    return Identity(
        subject=subject,
        user="Ada",
        scopes=("chat:read",),
        exp=1_000,
        expires_in_s=expires_in_s,
    )


def opened(
    limits: Limits | None = None, expires_in_s: float = 300.0
) -> ConnectionMachine:
    it = machine(limits)
    it.receive(json.dumps({"type": "authenticate", "id": 1, "token": "t"}), 101.0)
    it.authenticated(
        1, identity=identity(expires_in_s=expires_in_s), client=None, now=101.0
    )
    return it


def only_error(outputs: list[Output]) -> ErrorFrame:
    (output,) = outputs
    assert isinstance(output, SendFrame)
    assert isinstance(output.frame, ErrorFrame)
    return output.frame


def closed_with(outputs: list[Output]) -> CloseCode:
    error, close = outputs
    assert isinstance(error, SendFrame)
    assert isinstance(error.frame, ErrorFrame)
    assert isinstance(close, CloseSocket)
    return close.code


def test_connection_start_greets_with_terms() -> None:
    (greeting,) = machine().start()
    assert isinstance(greeting, SendFrame)
    assert isinstance(greeting.frame, Hello)
    assert greeting.frame.auth.deadline_ms == 30_000


def test_connection_unauthenticated_after_30s_closes() -> None:
    it = machine()
    assert it.deadline == 130.0
    assert it.tick(129.9) == []
    assert closed_with(it.tick(130.0)) is CloseCode.AUTHENTICATE_DEADLINE
    assert it.state is ConnectionState.CLOSED
    assert it.deadline is None
    assert it.tick(200.0) == []


def test_connection_authenticates_with_a_good_token() -> None:
    it = machine()
    client = ClientDescription(id="w1", kind="widget")
    frame = {
        "type": "authenticate",
        "id": 1,
        "token": "t",
        "client": {"id": "w1", "kind": "widget"},
    }
    assert it.receive(json.dumps(frame), 101.0) == [VerifyToken(1, "t", client)]
    assert it.state is ConnectionState.VERIFYING
    (answer,) = it.authenticated(1, identity=identity(), client=client, now=101.0)
    assert isinstance(answer, SendFrame)
    assert answer.frame == Authenticated(
        re=1, user="Ada", scopes=["chat:read"], exp=1_000
    )
    assert (it.state, it.subject, it.client) == (ConnectionState.OPEN, "ada", client)


def test_connection_rejected_token_closes_4401() -> None:
    it = machine()
    it.receive('{"type":"authenticate","id":1,"token":"t"}', 101.0)
    outputs = it.rejected(1, AuthenticationError("The token is not valid."))
    assert closed_with(outputs) is CloseCode.AUTHENTICATION
    assert it.rejected(1, AuthenticationError("again")) == []


def test_connection_second_authenticate_while_verifying_closes() -> None:
    it = machine()
    it.receive('{"type":"authenticate","id":1,"token":"t"}', 101.0)
    outputs = it.receive('{"type":"authenticate","id":2,"token":"t"}', 101.0)
    assert closed_with(outputs) is CloseCode.BAD_FRAME


def test_connection_command_before_authentication_closes_4401() -> None:
    outputs = machine().receive(json.dumps(SUBSCRIBE), 101.0)
    assert closed_with(outputs) is CloseCode.AUTHENTICATION


def test_connection_ping_before_authentication_gets_pong_without_heads() -> None:
    (answer,) = machine().receive('{"type":"ping","id":3}', 101.0)
    assert isinstance(answer, SendFrame)
    assert answer.frame == Pong(re=3)


def test_connection_open_performs_commands() -> None:
    (output,) = opened().receive(json.dumps(SUBSCRIBE), 102.0)
    assert output == Perform(Subscribe(id=5, conversation="c"))


def test_connection_bad_command_with_id_is_answered_and_stays_open() -> None:
    it = opened()
    error = only_error(it.receive('{"type":"subscribe","id":9}', 102.0))
    assert (error.re, error.code) == (9, "bad_frame")
    assert it.state is ConnectionState.OPEN


@pytest.mark.parametrize(
    "frame", ["{", "[]", "null", '"x"', '{"type":"zzz"}', "\ud800"]
)
def test_connection_frame_without_id_closes_4400(frame: str) -> None:
    raw = frame.encode("utf-8", "surrogatepass")
    assert closed_with(opened().receive(raw, 102.0)) is CloseCode.BAD_FRAME


def test_connection_token_expiry_notice_then_refusal_then_close() -> None:
    it = opened(expires_in_s=300.0)
    assert it.deadline == 371.0
    (notice,) = it.tick(371.0)
    assert isinstance(notice, SendFrame)
    assert notice.frame == TokenExpiring(exp=1_000)
    assert it.deadline == 401.0
    assert it.tick(401.0) == []
    error = only_error(it.receive(json.dumps(SUBSCRIBE), 402.0))
    assert (error.re, error.code, error.retryable) == (5, "auth_expired", True)
    assert it.deadline == 401.0 + EXPIRED_GRACE_S
    assert closed_with(it.tick(426.0)) is CloseCode.AUTHENTICATION


def test_connection_short_token_is_noticed_in_its_last_third() -> None:
    it = opened(expires_in_s=6.0)
    assert it.deadline == 105.0
    assert len(it.tick(105.0)) == 1
    assert it.deadline == 107.0


def test_connection_refresh_moves_the_expiry() -> None:
    it = opened(expires_in_s=10.0)
    it.tick(111.0)
    assert it.state is ConnectionState.EXPIRED
    (verify,) = it.receive('{"type":"authenticate","id":2,"token":"t2"}', 112.0)
    assert isinstance(verify, VerifyToken)
    it.authenticated(2, identity=identity(), client=None, now=112.0)
    assert it.state is ConnectionState.OPEN
    assert it.deadline == 112.0 + 270.0


def test_connection_refresh_for_another_subject_closes_4403() -> None:
    it = opened()
    it.receive('{"type":"authenticate","id":2,"token":"t2"}', 102.0)
    outputs = it.authenticated(
        2, identity=identity(subject="eve"), client=None, now=102.0
    )
    assert closed_with(outputs) is CloseCode.FORBIDDEN


def test_connection_big_frame_before_and_after_authentication() -> None:
    limits = Limits(frame_bytes=500, unauthenticated_frame_bytes=100)
    frame = json.dumps({"type": "authenticate", "id": 1, "token": "x" * 200})
    assert closed_with(machine(limits).receive(frame, 101.0)) is CloseCode.TOO_BIG
    assert isinstance(opened(limits).receive(frame, 101.0)[0], VerifyToken)
    frame = json.dumps({"type": "authenticate", "id": 1, "token": "x" * 600})
    assert closed_with(opened(limits).receive(frame, 101.0)) is CloseCode.TOO_BIG


def test_connection_flood_closes_4429_and_the_window_slides() -> None:
    limits = Limits(frames_per_window=3, window_ms=1000)
    it = opened(limits)
    for now in (103.0, 103.4, 103.8, 104.1, 104.5):
        assert isinstance(it.receive('{"type":"ping"}', now)[0], Perform)
    assert closed_with(it.receive('{"type":"ping"}', 104.6)) is CloseCode.RATE_LIMITED


def test_connection_answers_to_calls_are_no_flood() -> None:
    limits = Limits(frames_per_window=3, window_ms=1000)
    it = opened(limits)
    for call in range(20):
        it.called()
        for _ in range(2):
            outputs = it.receive('{"type":"ping"}', 103.0 + call / 100)
            assert isinstance(outputs[0], Perform)
    it.receive('{"type":"ping"}', 103.2)
    assert closed_with(it.receive('{"type":"ping"}', 103.2)) is CloseCode.RATE_LIMITED


def test_connection_batches_that_were_asked_for_are_no_flood() -> None:
    it = opened(Limits(frames_per_window=3, window_ms=1000))
    for batch in range(20):
        outputs = it.receive('{"type":"ping"}', 103.0 + batch / 100)
        assert isinstance(outputs[0], Perform)
        it.called(1)
    for _ in range(3):
        it.receive('{"type":"ping"}', 103.2)
    assert closed_with(it.receive('{"type":"ping"}', 103.2)) is CloseCode.RATE_LIMITED


def test_connection_closed_says_nothing_more() -> None:
    it = opened()
    it.close()
    assert it.receive(json.dumps(SUBSCRIBE), 102.0) == []
    assert it.authenticated(1, identity=identity(), client=None, now=1.0) == []


def test_connection_deep_json_is_refused_by_id() -> None:
    it = opened(Limits(json_depth=4))
    frame = '{"id":1,"type":"send","content":' + "[" * 9 + "]" * 9 + "}"
    assert only_error(it.receive(frame, 102.0)).code == "too_large"
