"""A model that plays back what another one said, and records what is not there yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from typing_extensions import override

from streamchat_nb.agent import request_trace
from streamchat_nb.agent.cassette_exchange import Take
from streamchat_nb.agent.cassette_file import CassetteFile, path_below
from streamchat_nb.agent.cassette_request import (
    MEMORY_ADDRESS,
    TIMESTAMP,
    UUID,
    Canon,
    nearest,
    request_diff,
)
from streamchat_nb.agent.cassette_secrets import Scrubber, environment_secrets
from streamchat_nb.agent.model import Model, ModelMessageStop
from streamchat_nb.agent.model_errors import model_error
from streamchat_nb.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
    )

    from streamchat_nb.agent.cassette_exchange import Exchange
    from streamchat_nb.agent.cassette_request import CanonicalRequest
    from streamchat_nb.agent.model import (
        ModelDescription,
        ModelEvent,
        ModelRequest,
    )

__all__ = [
    "MEMORY_ADDRESS",
    "TIMESTAMP",
    "UUID",
    "CassetteMode",
    "CassetteModel",
    "CassetteTiming",
    "path_below",
]

CassetteMode = Literal["auto", "record", "replay"]
CassetteTiming = Literal["instant", "recorded"]

_OFFLINE_MODEL_NAME = "offline-demo"
_NO_CREDENTIAL = frozenset({"model_credential_missing", "model_authentication"})
_HOW_TO_RECORD = (
    'Record it with cassette_mode="record" and a credential, where CI is not set.'
)


class CassetteModel(Model):
    """Plays a cassette: a file of requests and what a model said to each.

    The same request (see ``Canon``) gets the same answer. One that was recorded
    several times plays its answers in turn, from the start again after the last.

    ==========  ===================  ================================================
    mode        request is there     request is not there
    ==========  ===================  ================================================
    ``replay``  plays                ``model_cassette_mismatch``, with a diff
    ``auto``    plays                asks and records; as ``replay`` where ``CI`` is
                                     set in the environment or there is no credential
    ``record``  asks and replaces    asks and records
    ==========  ===================  ================================================

    What failed while it was recorded fails in the same way, and a stream that was cut
    is cut at the same place. In ``auto`` one that failed, with no other answer left,
    is asked again. A missing or refused credential is not recorded, and neither is a
    stream that its reader closed early.

    Headers are never recorded; secrets are taken out of requests, answers and errors
    (see ``Scrubber``), also those of ``inner`` and of the environment.

    Args:
        inner: Who is asked; ``None`` to play only. Closed with this.
        path: The file; it need not exist.
        mode: See above.
        timing: ``recorded`` plays at the pace at which the answer came.
        name: Only answers of the model with this id count; ``None`` for any.
        ignore: Regular expressions for what differs from run to run in requests, for
            example ``TIMESTAMP``. What matches is not recorded either.
        secrets: More values that must not be recorded.
        how_to_record: Said where a request is not there.
        environment: ``None`` for this process's.
        monotonic: The clock, in seconds.
        sleep: Waits, in seconds.

    Raises:
        UsageError: An argument cannot be used, or nobody can be recorded.
    """

    def __init__(  # noqa: PLR0913 - each is one independent choice, all by keyword
        self,
        inner: Model | None,
        path: Path | str,
        *,
        mode: CassetteMode = "auto",
        timing: CassetteTiming = "instant",
        name: str | None = None,
        ignore: Iterable[str] = (),
        secrets: Iterable[str] = (),
        how_to_record: str = _HOW_TO_RECORD,
        environment: Mapping[str, str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if mode not in get_args(CassetteMode):
            raise UsageError("The mode of a cassette is auto, record or replay.")
        if timing not in get_args(CassetteTiming):
            raise UsageError("The timing of a cassette is instant or recorded.")
        if mode == "record" and inner is None:
            raise UsageError("To record a cassette takes a model and a credential.")
        environment = os.environ if environment is None else environment
        own = inner.secrets() if inner is not None else ()
        self._scrubber = Scrubber([*own, *environment_secrets(environment), *secrets])
        self._canon = Canon(self._scrubber, ignore)
        self._inner = inner
        self._mode = mode
        self._timing = timing
        self._wanted_name = name
        self._how_to_record = how_to_record
        self._is_ci = environment.get("CI", "").lower() not in ("", "0", "false", "no")
        self._monotonic = monotonic
        self._sleep = sleep
        self._file = CassetteFile(Path(path))
        self._lock = threading.Lock()
        self._read: tuple[Exchange, ...] | None = None
        self._requests: list[CanonicalRequest] = []
        self._answers: dict[CanonicalRequest, list[Exchange]] = {}
        self._played: dict[CanonicalRequest, int] = {}
        self._recorded: set[CanonicalRequest] = set()
        self.name = name or (inner.name if inner is not None else self._first_name())
        self.offline = (
            self.name == _OFFLINE_MODEL_NAME if inner is None else inner.offline
        )

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        asked = await asyncio.to_thread(self._canon.request, request)
        exchange = await asyncio.to_thread(self._find, asked)
        if exchange is not None:
            playing = self._play(exchange, asked)
        else:
            playing = self._record(request, asked)
        async with aclosing(playing):
            async for event in playing:
                yield event

    @override
    async def models(self) -> list[ModelDescription]:
        return [] if self._inner is None else await self._inner.models()

    @override
    def secrets(self) -> tuple[str, ...]:
        return self._inner.secrets() if self._inner is not None else ()

    @override
    async def warm(self) -> None:
        """Read the file; warm the model up where it will be asked.

        Raises:
            ModelError: ``model_cassette_invalid``; in ``record``, as the model's.
        """
        exchanges = await asyncio.to_thread(self._file.exchanges)
        if self._inner is not None and self._may_record and not exchanges:
            with contextlib.suppress(*() if self._mode == "record" else (ModelError,)):
                await self._inner.warm()

    @override
    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()

    # --- playing -----------------------------------------------------------------

    async def _play(
        self, exchange: Exchange, asked: CanonicalRequest
    ) -> AsyncGenerator[ModelEvent]:
        started = self._monotonic()
        offsets_ms = exchange.offsets_ms
        with request_trace.Exchange("cassette") as noted:
            noted.asked(asked.as_json)
            for event, offset_ms in zip(exchange.events, offsets_ms, strict=False):
                await self._wait_until(started, offset_ms)
                if event is exchange.events[0]:
                    noted.began()
                yield event
            error = exchange.error()
            if error is not None:
                await self._wait_until(started, offsets_ms[-1])
                raise error

    async def _wait_until(self, started: float, offset_ms: int) -> None:
        """Wait for the moment of an event; at least let others of the loop run."""
        wait_s = 0.0
        if self._timing == "recorded":
            wait_s = max(0.0, started + offset_ms / 1000 - self._monotonic())
        await self._sleep(wait_s)

    # --- recording ---------------------------------------------------------------

    @property
    def _may_record(self) -> bool:
        return self._mode == "record" or (self._mode == "auto" and not self._is_ci)

    async def _record(
        self, request: ModelRequest, asked: CanonicalRequest
    ) -> AsyncGenerator[ModelEvent]:
        if self._inner is None or not self._may_record:
            raise self._mismatch(asked)
        await asyncio.to_thread(self._file.check_writable)
        started = self._monotonic()
        take = Take(
            asked,
            model=self._inner.name,
            elapsed_s=lambda: self._monotonic() - started,
        )
        answer = cast("AsyncGenerator[ModelEvent]", self._inner.stream(request))
        try:
            async with aclosing(answer):
                async for event in answer:
                    take.add(event)
                    if isinstance(event, ModelMessageStop):
                        # Before it is shown: who has it does not come back.
                        await self._keep(take)
                        yield event
                        return
                    yield event
            raise model_error("model_stream_truncated")
        except ModelError as failure:
            if failure.code in _NO_CREDENTIAL and self._mode == "auto":
                raise self._mismatch(asked, failure) from None
            if failure.code not in _NO_CREDENTIAL and not _is_of_cassette(failure):
                await self._keep(take, failure)
            raise

    async def _keep(self, take: Take, failure: ModelError | None = None) -> None:
        await asyncio.to_thread(self._write, take, failure)

    def _write(self, take: Take, failure: ModelError | None) -> None:
        exchange = take.finish(self._scrubber, failure)
        asked = exchange.request

        def change(exchanges: list[Exchange]) -> None:
            place = len(exchanges)
            if self._mode == "record" and asked not in self._recorded:
                requests = self._canon.recorded(each.request for each in exchanges)
                old = [i for i, request in enumerate(requests) if request == asked]
                place = old[0] if old else place
                for index in reversed(old):
                    del exchanges[index]
            exchanges.insert(place, exchange)

        with self._lock:
            self._file.change(change)
            self._recorded.add(asked)
            self._played[asked] = self._played.get(asked, 0) + 1

    # --- finding -----------------------------------------------------------------

    def _find(self, asked: CanonicalRequest) -> Exchange | None:
        with self._lock:
            self._refresh()
            exchanges = self._answers.get(asked, [])
            if self._mode == "record" or not exchanges:
                return None
            number = self._played.get(asked, 0)
            is_used_up = number >= len(exchanges)
            asks_again = self._may_record and self._inner is not None
            if is_used_up and asks_again and exchanges[-1].failure is not None:
                return None
            self._played[asked] = number + 1
            return exchanges[number % len(exchanges)]

    def _refresh(self) -> None:
        exchanges = self._file.exchanges()
        if exchanges is self._read:
            return
        self._answers = {}
        self._requests = self._canon.recorded(each.request for each in exchanges)
        for request, exchange in zip(self._requests, exchanges, strict=True):
            if self._wanted_name in (None, exchange.model):
                self._answers.setdefault(request, []).append(exchange)
        self._read = exchanges

    def _first_name(self) -> str:
        with contextlib.suppress(ModelError):
            for exchange in self._file.exchanges():
                return exchange.model
        return "cassette"

    def _mismatch(
        self, asked: CanonicalRequest, failure: ModelError | None = None
    ) -> ModelError:
        if failure is not None:
            why = f"It could not be recorded: {failure.message}"
        elif self._mode == "replay":
            why = "It was not recorded: the mode is replay."
        elif self._is_ci:
            why = "It was not recorded: CI is set, and there nothing is."
        else:
            why = "It was not recorded: there is no credential to ask a model with."
        return model_error(
            "model_cassette_mismatch",
            reason=f"{why} {self._how_to_record} {self._difference(asked)}",
            details={"cassette": self._file.path.name},
        )

    def _difference(self, asked: CanonicalRequest) -> str:
        name = self._file.path.name
        with self._lock:
            exchanges, requests = self._read or (), self._requests
        place = nearest(asked, requests)
        if place is None:
            return f"{name} holds nothing yet."
        model = exchanges[place].model
        models = (model, self._wanted_name or model)
        return (
            f"What differs from the nearest one in {name}:\n"
            f"{request_diff(requests[place], asked, models=models)}\n"
            "Where a part of it differs in every run, name its pattern by ignore."
        )


def _is_of_cassette(failure: ModelError) -> bool:
    return failure.code.startswith("model_cassette_")
