"""One connection's rules, without a socket or a clock.

The host feeds frames, verdicts and the time; the machine answers with what to do::

    AWAITING ──authenticate──▶ VERIFYING ──authenticated()──▶ OPEN ──exp──▶ EXPIRED
        │ deadline → 4408          │ rejected() → 4401          ▲  authenticate  │
        ▼                          ▼                            └────────────────┤
      CLOSED ◀─────────────────────┴──── bad frame 4400, rate 4429, … ◀── 25 s ──┘

Whatever bytes come in, the machine ends in one of these states and every command
with an id is answered once: by the machine (error) or by the host (``Perform``).
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import msgspec

from streamchat_nb.errors import (
    AuthenticationError,
    RateLimited,
    StreamchatError,
    TooLarge,
)
from streamchat_nb.protocol.close_codes import CloseCode
from streamchat_nb.protocol.codec import decode_command
from streamchat_nb.protocol.commands import (
    Approve,
    Authenticate,
    Cancel,
    ClientDescription,
    CommandId,
    EditQueued,
    LendingCommand,
    Ping,
    SelectBranch,
    Send,
    SendNow,
    Subscribe,
    Unsubscribe,
)
from streamchat_nb.protocol.frames import (
    Authenticated,
    AuthenticationTerms,
    ErrorFrame,
    Frame,
    Hello,
    Pong,
    TokenExpiring,
)
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.protocol.short_deltas import SHORT_DELTAS

__all__ = [
    "EXPIRED_GRACE_S",
    "FEATURES",
    "FRAMES_PER_CALL",
    "HEARTBEAT_MS",
    "PROTOCOL",
    "CloseSocket",
    "ConnectionMachine",
    "ConnectionState",
    "Identity",
    "Output",
    "Perform",
    "Performed",
    "SendFrame",
    "VerifyToken",
    "error_frame",
]

PROTOCOL = "streamchat.v1"
FEATURES = (SHORT_DELTAS,)
"""What a server can do for clients that name it in ``authenticate``."""
HEARTBEAT_MS = 20_000
FRAMES_PER_CALL = 2
"""What each ``tool.call`` asks for (``tool.accept`` and ``tool.result``), and likewise
each ``agent.run``. The ack of an ``agent.events`` asks for one more."""
EXPIRY_NOTICE_S = 30.0
EXPIRED_GRACE_S = 25.0


class ConnectionState(Enum):
    """Where a connection is in its life."""

    AWAITING = "awaiting"
    VERIFYING = "verifying"
    OPEN = "open"
    EXPIRED = "expired"
    CLOSED = "closed"


class SendFrame(msgspec.Struct, frozen=True):
    """Send this frame."""

    frame: Frame


class CloseSocket(msgspec.Struct, frozen=True):
    """Close with this code; nothing more is sent."""

    code: CloseCode
    reason: str


class VerifyToken(msgspec.Struct, frozen=True):
    """Check this token, then call ``authenticated`` or ``rejected``."""

    re: CommandId
    token: str
    client: ClientDescription | None
    features: frozenset[str] = frozenset()


Performed = (
    Subscribe
    | Unsubscribe
    | Send
    | EditQueued
    | SendNow
    | SelectBranch
    | Cancel
    | Approve
    | LendingCommand
    | Ping
)
"""The commands that the host carries out."""


class Perform(msgspec.Struct, frozen=True):
    """Carry out this command and answer it with an ack or an error."""

    command: Performed


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a good token says.

    Attributes:
        subject: Who it is about.
        user: Name to show.
        scopes: What it allows.
        exp: End of its life, seconds since the epoch.
        expires_in_s: The same from now.
    """

    subject: str
    user: str
    scopes: tuple[str, ...]
    exp: int
    expires_in_s: float


Output = SendFrame | CloseSocket | VerifyToken | Perform
"""The closed union of what the machine asks of its host, in order."""


class _Envelope(msgspec.Struct):
    id: CommandId | None = None


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def error_frame(error: StreamchatError, re: CommandId | None) -> ErrorFrame:
    """Return the ``error`` frame for an exception."""
    return ErrorFrame(
        re=re,
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        retry_after_ms=error.retry_after_ms,
        details=error.details,
    )


class ConnectionMachine:
    """The life of one connection.

    Args:
        connection: Id of this connection, told in ``hello``.
        server: Name and version of the server, told in ``hello``.
        limits: Bounds on frames.
        authenticate_timeout_s: Seconds until an unauthenticated socket is closed.
        features: Optional abilities of the server, told in ``hello``.
        now: The current monotonic time in seconds, as in all methods.

    Attributes:
        state: Where it is in its life.
        subject: The subject of the token once authenticated.
        client: What the client said of itself, if it did.
    """

    def __init__(
        self,
        *,
        connection: str,
        server: str,
        limits: Limits,
        authenticate_timeout_s: float,
        features: list[str],
        now: float,
    ) -> None:
        self.state = ConnectionState.AWAITING
        self.subject: str | None = None
        self.client: ClientDescription | None = None
        self._limits = limits
        self._hello = Hello(
            protocol=PROTOCOL,
            connection=connection,
            server=server,
            auth=AuthenticationTerms(
                required=True, deadline_ms=round(authenticate_timeout_s * 1000)
            ),
            limits=limits,
            heartbeat_ms=HEARTBEAT_MS,
            features=features,
        )
        self._authenticate_by = now + authenticate_timeout_s
        self._expires_at = 0.0
        self._notice_at = 0.0
        self._exp = 0
        self._notice_due = False
        self._frame_times: deque[float] = deque()

    # input

    def start(self) -> list[Output]:
        """Return the greeting; call once, when the socket is open."""
        return [SendFrame(self._hello)]

    def receive(self, data: str | bytes, now: float) -> list[Output]:
        """Take one text frame from the client.

        Returns:
            What to do; a ``Perform`` comes alone.
        """
        if self.state is ConnectionState.CLOSED:
            return []
        raw = data.encode() if isinstance(data, str) else data
        refusal = self._refuse_flood(raw, now)
        if refusal is not None:
            return refusal
        try:
            command = decode_command(raw, depth_limit=self._limits.json_depth)
        except StreamchatError as error:
            return self._refuse_frame(raw, error)
        match command:
            case Authenticate():
                return self._take_authenticate(command)
            case Ping() if self.subject is None:
                return [SendFrame(Pong(re=command.id))]
            case _:
                return self._take_command(command)

    def called(self, frames: int = FRAMES_PER_CALL) -> None:
        """The client was asked for so many frames: they are no flood."""
        for _ in range(min(frames, len(self._frame_times))):
            self._frame_times.popleft()

    def authenticated(
        self,
        re: CommandId,
        *,
        identity: Identity,
        client: ClientDescription | None,
        now: float,
    ) -> list[Output]:
        """Take the verdict that a token is good.

        Args:
            re: Id of the ``authenticate`` command.
            identity: What it says; a change of subject closes with 4403.
            client: What the client said of itself.
            now: The current monotonic time.
        """
        if self.state is ConnectionState.CLOSED:
            return []
        if self.subject is not None and identity.subject != self.subject:
            return self._close(
                CloseCode.FORBIDDEN,
                AuthenticationError(
                    "The new token belongs to another user; open a new connection.",
                    code="subject_changed",
                ),
                re,
            )
        self.state = ConnectionState.OPEN
        self.subject = identity.subject
        self.client = client or self.client
        self._exp = identity.exp
        self._expires_at = now + identity.expires_in_s
        self._notice_at = self._expires_at - min(
            EXPIRY_NOTICE_S, identity.expires_in_s / 3
        )
        self._notice_due = True
        return [
            SendFrame(
                Authenticated(
                    re=re,
                    user=identity.user,
                    scopes=list(identity.scopes),
                    exp=identity.exp,
                )
            )
        ]

    def rejected(self, re: CommandId, error: StreamchatError) -> list[Output]:
        """Take the verdict that a token is bad: the connection ends with 4401."""
        if self.state is ConnectionState.CLOSED:
            return []
        return self._close(CloseCode.AUTHENTICATION, error, re)

    def tick(self, now: float) -> list[Output]:
        """Let time pass. Call at or after ``deadline``."""
        match self.state:
            case ConnectionState.AWAITING | ConnectionState.VERIFYING:
                if now >= self._authenticate_by:
                    return self._close(
                        CloseCode.AUTHENTICATE_DEADLINE,
                        AuthenticationError(
                            "No authenticate frame came within the deadline.",
                            code="authenticate_deadline",
                        ),
                        None,
                    )
            case ConnectionState.OPEN:
                return self._tick_open(now)
            case ConnectionState.EXPIRED:
                if now >= self._expires_at + EXPIRED_GRACE_S:
                    return self._close(CloseCode.AUTHENTICATION, _expired(), None)
            case ConnectionState.CLOSED:
                pass
        return []

    def close(self) -> None:
        """Take note that the socket is gone."""
        self.state = ConnectionState.CLOSED

    # state

    @property
    def deadline(self) -> float | None:
        """The monotonic time at which ``tick`` has something to do, if any."""
        match self.state:
            case ConnectionState.AWAITING | ConnectionState.VERIFYING:
                return self._authenticate_by
            case ConnectionState.OPEN if self._notice_due:
                return self._notice_at
            case ConnectionState.OPEN:
                return self._expires_at
            case ConnectionState.EXPIRED:
                return self._expires_at + EXPIRED_GRACE_S
            case ConnectionState.CLOSED:
                return None

    # inside

    def _tick_open(self, now: float) -> list[Output]:
        outputs: list[Output] = []
        if self._notice_due and now >= self._notice_at:
            self._notice_due = False
            outputs.append(SendFrame(TokenExpiring(exp=self._exp)))
        if now >= self._expires_at:
            self.state = ConnectionState.EXPIRED
        return outputs

    def _refuse_flood(self, raw: bytes, now: float) -> list[Output] | None:
        known = self.subject is not None
        largest = (
            self._limits.frame_bytes
            if known
            else self._limits.unauthenticated_frame_bytes
        )
        if len(raw) > largest:
            return self._close(
                CloseCode.TOO_BIG,
                TooLarge(
                    f"A frame may have at most {largest} bytes.",
                    details={"frame_bytes": largest},
                ),
                None,
            )
        times = self._frame_times
        times.append(now)
        while times[0] <= now - self._limits.window_ms / 1000:
            times.popleft()
        if len(times) > self._limits.frames_per_window:
            return self._close(
                CloseCode.RATE_LIMITED,
                RateLimited(
                    "Too many frames; slow down and connect again.",
                    retry_after_ms=self._limits.window_ms,
                ),
                None,
            )
        return None

    def _refuse_frame(self, raw: bytes, error: StreamchatError) -> list[Output]:
        try:
            re = _envelope_decoder.decode(raw).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            re = None
        if self.subject is None or re is None:
            return self._close(CloseCode.BAD_FRAME, error, re)
        return [SendFrame(error_frame(error, re))]

    def _take_authenticate(self, command: Authenticate) -> list[Output]:
        if self.state is ConnectionState.VERIFYING:
            return self._close(
                CloseCode.BAD_FRAME,
                AuthenticationError("An authenticate frame is already being checked."),
                command.id,
            )
        if self.state is ConnectionState.AWAITING:
            self.state = ConnectionState.VERIFYING
        return [
            VerifyToken(
                re=command.id,
                token=command.token,
                client=command.client,
                features=frozenset(command.features),
            )
        ]

    def _take_command(self, command: Performed) -> list[Output]:
        match self.state:
            case ConnectionState.OPEN:
                return [Perform(command)]
            case ConnectionState.EXPIRED:
                return [SendFrame(error_frame(_expired(), command.id))]
            case _:
                return self._close(
                    CloseCode.AUTHENTICATION,
                    AuthenticationError(
                        "Send an authenticate frame first.", code="auth_required"
                    ),
                    command.id,
                )

    def _close(
        self, code: CloseCode, error: StreamchatError, re: CommandId | None
    ) -> list[Output]:
        self.state = ConnectionState.CLOSED
        return [SendFrame(error_frame(error, re)), CloseSocket(code, error.message)]


def _expired() -> AuthenticationError:
    return AuthenticationError(
        "The token has expired; send authenticate with a fresh one.",
        code="auth_expired",
        retryable=True,
    )
