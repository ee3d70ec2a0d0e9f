"""A model that plays back what another one said, and records what is not there yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from typing_extensions import override

from streamchat_nb.agent.cassette_exchange import Take
from streamchat_nb.agent.cassette_file import CassetteFile, path_below
from streamchat_nb.agent.cassette_request import (
    MEMORY_ADDRESS,
    TIMESTAMP,
    UUID,
    Canon,
    nearest,
    request_diff,
    request_key,
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
    from streamchat_nb.agent.model import ModelEvent, ModelRequest

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
        self._by_key: dict[str, list[Exchange]] = {}
        self._played: dict[str, int] = {}
        self._recorded: set[str] = set()
        self.name = name or (inner.name if inner is not None else self._first_name())
        self.offline = (
            self.name == _OFFLINE_MODEL_NAME if inner is None else inner.offline
        )

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        found = await asyncio.to_thread(self._find, request)
        if found.exchange is not None:
            playing = self._play(found.exchange)
        else:
            playing = self._record(request, found)
        async with aclosing(playing):
            async for event in playing:
                yield event

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

    async def _play(self, exchange: Exchange) -> AsyncGenerator[ModelEvent]:
        started = self._monotonic()
        for event, offset_ms in zip(exchange.events, exchange.offsets_ms, strict=False):
            await self._wait_until(started, offset_ms)
            yield event
        error = exchange.error()
        if error is not None:
            await self._wait_until(started, exchange.offsets_ms[-1])
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
        self, request: ModelRequest, found: _Found
    ) -> AsyncGenerator[ModelEvent]:
        if self._inner is None or not self._may_record:
            raise self._mismatch(found)
        await asyncio.to_thread(self._file.check_writable)
        started = self._monotonic()
        take = Take(
            found.request,
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
                        await self._keep(found, take)
                        yield event
                        return
                    yield event
            raise model_error("model_stream_truncated")
        except ModelError as failure:
            if failure.code in _NO_CREDENTIAL and self._mode == "auto":
                raise self._mismatch(found, failure) from None
            if failure.code not in _NO_CREDENTIAL and not _is_of_cassette(failure):
                await self._keep(found, take, failure)
            raise

    async def _keep(
        self, found: _Found, take: Take, failure: ModelError | None = None
    ) -> None:
        await asyncio.to_thread(self._write, found, take, failure)

    def _write(self, found: _Found, take: Take, failure: ModelError | None) -> None:
        exchange = take.finish(self._scrubber, failure)

        def change(exchanges: list[Exchange]) -> None:
            place = len(exchanges)
            if self._mode == "record" and found.key not in self._recorded:
                old = [i for i, e in enumerate(exchanges) if self._key(e) == found.key]
                place = old[0] if old else place
                for index in reversed(old):
                    del exchanges[index]
            exchanges.insert(place, exchange)

        with self._lock:
            self._file.change(change)
            self._recorded.add(found.key)
            self._played[found.key] = self._played.get(found.key, 0) + 1

    # --- finding -----------------------------------------------------------------

    def _find(self, request: ModelRequest) -> _Found:
        asked = self._canon.request(request)
        key = request_key(asked)
        with self._lock:
            self._refresh()
            exchanges = self._by_key.get(key, [])
            found = _Found(asked, key, None)
            if self._mode == "record" or not exchanges:
                return found
            number = self._played.get(key, 0)
            is_used_up = number >= len(exchanges)
            asks_again = self._may_record and self._inner is not None
            if is_used_up and asks_again and exchanges[-1].failure is not None:
                return found
            self._played[key] = number + 1
            return replace(found, exchange=exchanges[number % len(exchanges)])

    def _refresh(self) -> None:
        exchanges = self._file.exchanges()
        if exchanges is self._read:
            return
        self._by_key = {}
        for exchange in exchanges:
            if self._wanted_name in (None, exchange.model):
                self._by_key.setdefault(self._key(exchange), []).append(exchange)
        self._read = exchanges

    def _key(self, exchange: Exchange) -> str:
        return request_key(self._canon.request(exchange.request))

    def _first_name(self) -> str:
        with contextlib.suppress(ModelError):
            for exchange in self._file.exchanges():
                return exchange.model
        return "cassette"

    def _mismatch(self, found: _Found, failure: ModelError | None = None) -> ModelError:
        name = self._file.path.name
        if failure is not None:
            why = f"It could not be recorded: {failure.message}"
        elif self._mode == "replay":
            why = "It was not recorded: the mode is replay."
        elif self._is_ci:
            why = "It was not recorded: CI is set, and there nothing is."
        else:
            why = "It was not recorded: there is no credential to ask a model with."
        near = nearest(found.request, self._read or ())
        if near is None:
            what = f"{name} holds nothing yet." if self._read == () else ""
        else:
            models = (near.model, self._wanted_name or near.model)
            recorded = self._canon.request(near.request)
            what = (
                f"What differs from the nearest one in {name}:\n"
                f"{request_diff(recorded, found.request, models=models)}\n"
                "Where a part of it differs in every run, name its pattern by ignore."
            )
        return model_error(
            "model_cassette_mismatch",
            reason=f"{why} {self._how_to_record} {what}",
            details={"cassette": name},
        )


@dataclass(frozen=True)
class _Found:
    """A request as it is looked for, and what was found."""

    request: ModelRequest
    key: str
    exchange: Exchange | None


def _is_of_cassette(failure: ModelError) -> bool:
    return failure.code.startswith("model_cassette_")
