"""Whatever comes in, the connection machine stays sane."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.connection import (
    CloseSocket,
    ConnectionMachine,
    ConnectionState,
    Identity,
    Output,
    Perform,
    SendFrame,
    VerifyToken,
)
from streamchat_nb.protocol.frames import Ack, ErrorFrame
from streamchat_nb.protocol.limits import Limits


def _encoded(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


texts = st.text(max_size=20)
ids: st.SearchStrategy[int | str | None] = st.one_of(
    st.integers(), st.text(alphabet="ab.:_- \0é", max_size=70), st.none()
)
fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["authenticate", "subscribe", "send", "cancel", "ping", "x", ""]
        )
    },
    optional={
        "id": ids,
        "token": texts,
        "conversation": ids,
        "turn": ids,
        "client_message_id": ids,
        "content": st.lists(
            st.fixed_dictionaries({"type": texts, "text": texts}), max_size=2
        ),
        "since": st.fixed_dictionaries({"log": ids, "seq": ids}),
    },
)
frames = st.one_of(
    st.binary(max_size=200),
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    fields.map(_encoded),
)
steps = st.lists(
    st.one_of(
        frames,
        st.floats(0, 400),
        st.sampled_from(["good", "bad", "other", "close"]),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(steps)
def test_any_input_leaves_the_machine_sane(inputs: list[bytes | float | str]) -> None:
    now = 0.0
    machine = ConnectionMachine(
        connection="k",
        server="s",
        limits=Limits(frames_per_window=30),
        authenticate_timeout_s=30.0,
        features=[],
        now=now,
    )
    closed = False
    verifying: int | str | None = None
    for step in inputs:
        outputs: list[Output] = []
        match step:
            case bytes():
                outputs = machine.receive(step, now)
            case float() | int():
                now += step
                outputs = machine.tick(now)
            case "close":
                machine.close()
                closed = True
            case _ if verifying is not None:
                outputs = _verdict(machine, step, verifying, now)
                verifying = None
            case _:
                pass
        assert not (closed and outputs), "a closed connection says nothing"
        for index, output in enumerate(outputs):
            _check_output(machine, output)
            if isinstance(output, CloseSocket):
                assert index == len(outputs) - 1
                closed = True
            elif isinstance(output, VerifyToken):
                verifying = output.re
        assert (machine.state is ConnectionState.CLOSED) == closed
        assert (machine.deadline is None) == closed
        if machine.subject is None and not closed:
            assert machine.deadline == 30.0


def _check_output(machine: ConnectionMachine, output: Output) -> None:
    match output:
        case SendFrame(frame):
            encode(frame)
            assert not isinstance(frame, Ack), "the host acknowledges"
        case CloseSocket(code=code):
            assert isinstance(code, int)
        case Perform(command=command):
            assert machine.state is ConnectionState.OPEN
            assert machine.subject == "ada"
            encode(command)
        case VerifyToken():
            pass


def _verdict(
    machine: ConnectionMachine, verdict: str, re: int | str, now: float
) -> list[Output]:
    if verdict == "bad":
        return machine.rejected(re, AuthenticationError("no"))
    return machine.authenticated(
        re,
        identity=Identity(
            subject="ada" if verdict == "good" or machine.subject is None else "eve",
            user="Ada",
            scopes=(),
            exp=1,
            expires_in_s=60.0,
        ),
        client=None,
        now=now,
    )


@given(st.binary(max_size=300))
def test_every_refused_frame_is_answered_or_closes(data: bytes) -> None:
    machine = ConnectionMachine(
        connection="k",
        server="s",
        limits=Limits(),
        authenticate_timeout_s=30.0,
        features=[],
        now=0.0,
    )
    outputs = machine.receive(data, 1.0)
    assert outputs
    if isinstance(outputs[0], SendFrame) and isinstance(outputs[0].frame, ErrorFrame):
        assert isinstance(outputs[-1], CloseSocket)
