"""The service: what the program does, finalized -> the ledger, and manifests of what it owes.

Shell. One loop: read a round, keep the books. It may be killed at any line: the ledger says where to go on. A cluster that
does not answer is waited for; one that contradicts itself is asked again, and then it is left to an operator.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from incentives.bookkeeping import Bookkeeper
from incentives.chain_reading import read_genesis
from incentives.config import Settings
from incentives.ledger.encoding import Identity
from incentives.ledger.opened import open_ledger
from incentives.ledger.writer import LedgerWriter
from incentives.parameters import Parameters
from incentives.reading.errors import HistoryChangedError, HistoryDisagreesError
from incentives.reading.extraction import events_of
from incentives.reading.reader import Delivery, Reader
from incentives.resuming import Resumed, resume
from incentives.telemetry import LedgerWatch
from programs.accounts import Global
from programs.rpc import Rpc, RpcError, RpcFailure
from programs.rpc_http import open_rpc
from programs.units import Slot
from state.progress import beat

DISAGREEMENTS_MAX: Final = 6
"""Rounds in a row that contradict each other before it is taken for the chain's own fault; their pauses double."""
_PAUSE_MAX_S: Final = 30.0
_TOLD_EVERY_S: Final = 10.0
_CLEANED_UP: Final = -32001
"""A node's word for a block it no longer keeps. Source: agave rpc-client-api/src/custom_error.rs."""

log = structlog.get_logger()


class OpenLedger(Protocol):
    """How the ledger is opened for its one writer: `ledger.opened.open_ledger`."""

    def __call__(
        self, path: Path, identity: Identity, parameters: Parameters
    ) -> AbstractAsyncContextManager[LedgerWriter]:
        """Open it, creating it if need be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How this run differs from a service that goes on, and what it takes from the machine."""

    now_text: Callable[[], str]
    """The time of day, ISO 8601: for people, nothing is decided by it."""
    is_once: bool = False
    """End when all that was finalized at the start is in the ledger."""
    finish: trio.Event = field(default_factory=trio.Event)
    """Once set: read on until what has happened by then is finalized, and end."""
    watch: LedgerWatch | None = None
    """Told how far reading gets; None: nobody watches."""
    open_ledger: OpenLedger = open_ledger
    """On disk; elsewhere where time is virtual."""


@dataclass(slots=True, kw_only=True)
class _Follower:
    """What one run of the service holds."""

    settings: Settings
    rpc: Rpc
    reader: Reader
    books: Bookkeeper
    wishes: Wishes
    disagreements: int = 0
    """In a row."""
    told_at_s: float

    @property
    def poll_s(self) -> float:
        """Between two rounds."""
        return self.settings.incentives.poll_slots * self.settings.slot_ms / 1_000


async def follow(
    settings: Settings,
    wishes: Wishes,
    *,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> Path:
    """Follow the chain; report the ledger's path once reading begins, and return it at the end.

    Raises:
        RpcFailure: the cluster does not answer, and only one round was asked for.
        SeasonUnreadError, ReadingError, LedgerError, ParametersError, RulebookError, ManifestConflictError, StateError:
            what an operator has to mend, in one sentence.
    """
    async with open_rpc(settings.rpc_urls, settings.rpc_settings) as rpc:
        while True:
            beat()
            try:
                return await follow_with(rpc, settings, wishes, task_status=task_status)
            except RpcFailure as failure:
                # At the start only: later the cluster is waited for in place.
                if wishes.is_once or wishes.finish.is_set():
                    raise
                log.warning("reading.waits", reason=str(failure))
            await trio.sleep(settings.slot_ms * settings.incentives.poll_slots / 1_000)


async def follow_with(
    rpc: Rpc,
    settings: Settings,
    wishes: Wishes,
    *,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> Path:
    """Follow the chain that `rpc` tells of; see `follow`."""
    genesis_hash = str(await rpc.get_genesis_hash())
    genesis = await read_genesis(rpc, settings.program)
    identity = Identity(
        genesis_hash=genesis_hash, program=str(settings.program), mint=str(genesis.mmt_mint)
    )
    parameters = settings.incentives.parameters
    begun = _begun_epoch(await rpc.get_slot("finalized"), genesis, parameters.epoch_slots)
    path = settings.ledger_path(genesis_hash)
    async with wishes.open_ledger(path, identity, parameters) as ledger:
        resumed = await ledger.store.read(lambda db: resume(db, parameters, begun))
        await _check_history(rpc, settings, resumed)
        books = Bookkeeper(
            settings=settings,
            rpc=rpc,
            mint=genesis.mmt_mint,
            ledger=ledger,
            rulebook=resumed.rulebook,
        )
        reader = Reader(
            rpc=rpc,
            program=settings.program,
            through_slot=resumed.through_slot,
            series=resumed.series,
            unsettled=resumed.unsettled,
            known=resumed.known,
        )
        log.info(
            "follower.started",
            ledger=str(path),
            genesis_hash=genesis_hash,
            through_slot=resumed.through_slot,
            epoch=resumed.rulebook.epoch,
        )
        if wishes.watch is not None:
            wishes.watch.begin(ledger.store, resumed.through_slot)
        await books.write_missing_manifests()
        task_status.started(path)
        follower = _Follower(
            settings=settings,
            rpc=rpc,
            reader=reader,
            books=books,
            wishes=wishes,
            told_at_s=trio.current_time(),
        )
        await _go_on(follower)
        await _end(follower)
    return path


def _begun_epoch(slot: int, genesis: Global, epoch_slots: int) -> int:
    return (slot - genesis.season_start_slot) // epoch_slots


async def _check_history(rpc: Rpc, settings: Settings, resumed: Resumed) -> None:
    """Look whether the newest event recorded still stands where it was, byte for byte.

    Raises:
        HistoryChangedError: it does not.
    """
    last = resumed.last
    if last is None:
        return
    slot = Slot(last.place.slot)
    try:
        block = await rpc.get_block(slot, "finalized")
    except RpcError as error:
        if error.code != _CLEANED_UP:
            raise
        log.info("follower.history_pruned", slot=slot, reason=str(error))
        return
    read = () if block is None else events_of(block, settings.program, resumed.known)
    found = (each.event for each in read)
    if last not in found:
        raise HistoryChangedError(
            f"event {last.source_id} of slot {slot} is in the ledger, and is not on chain as it was recorded: this is "
            "another history than the one that was finalized, and nothing is reckoned with it"
        )


async def _go_on(follower: _Follower) -> None:
    """Read round after round until asked to finish, and then until all that has happened is read."""
    wishes = follower.wishes
    if wishes.is_once:
        while not await _try_round(follower, is_patient=False):
            pass
        return
    while not wishes.finish.is_set():
        await _try_round(follower, is_patient=True)
        with trio.move_on_after(follower.poll_s):
            await wishes.finish.wait()
    await _finish(follower)


async def _finish(follower: _Follower) -> None:
    """Read what has happened by now, as soon as it is finalized; a chain that is gone is not waited for."""
    reader, target = follower.reader, None
    with trio.move_on_after(follower.settings.incentives.drain_s):
        try:
            target = await follower.rpc.get_slot("confirmed")
            while reader.through_slot < target:
                await _try_round(follower, is_patient=False)
                await trio.sleep(follower.poll_s)
        except RpcFailure as failure:
            log.warning("reading.waits", reason=str(failure))
        else:
            return
    log.warning("follower.unfinished", through_slot=reader.through_slot, target=target)


async def _try_round(follower: _Follower, *, is_patient: bool) -> bool:
    """Read a round; return whether it came to its end.

    Args:
        follower: where reading stands.
        is_patient: whether a cluster that does not answer may do so another time.

    Raises:
        HistoryDisagreesError: for the last of several times in a row.
        RpcFailure: the cluster does not answer, and is not waited for.
    """
    beat()
    try:
        await _round(follower)
    except HistoryDisagreesError as error:
        follower.disagreements += 1
        if follower.disagreements >= DISAGREEMENTS_MAX:
            raise
        log.warning("reading.repeated", reason=str(error), tries=follower.disagreements)
        await trio.sleep(min(_PAUSE_MAX_S, follower.poll_s * 2**follower.disagreements))
        return False
    except RpcFailure as failure:
        if not is_patient:
            raise
        through_slot = follower.reader.through_slot
        log.warning("reading.waits", reason=str(failure), through_slot=through_slot)
        return False
    follower.disagreements = 0
    return True


async def _round(follower: _Follower) -> None:
    books, has_closed = follower.books, False
    async with aclosing(follower.reader.read_round()) as deliveries:
        async for delivery in deliveries:
            beat()
            has_closed |= await books.take(delivery)
            _tell(follower, delivery)
    if has_closed:
        await books.record(await books.read_chain(), follower.wishes.now_text())


def _tell(follower: _Follower, delivery: Delivery) -> None:
    """Say now and then how far a long way has been gone."""
    if follower.wishes.watch is not None:
        follower.wishes.watch.note(delivery)
    now_s, left = trio.current_time(), delivery.finalized_slot - delivery.through_slot
    if left and now_s >= follower.told_at_s + _TOLD_EVERY_S:
        follower.told_at_s = now_s
        log.info(
            "reading.progressed",
            through_slot=delivery.through_slot,
            slots_left=left,
            pages=delivery.pages,
            blocks=follower.reader.blocks_read,
            events=follower.reader.events_read,
        )


async def _end(follower: _Follower) -> None:
    """Leave a reading of the chain that the ledger has reached, and a snapshot to start from."""
    books, reader = follower.books, follower.reader
    reading = await books.read_chain()
    if reading is not None and reading.slot > reader.through_slot:
        await _try_round(follower, is_patient=True)
    if reading is not None and reading.slot <= reader.through_slot:
        await books.record(reading, follower.wishes.now_text())
    if reader.through_slot >= 0:
        await books.keep_snapshot(reader.through_slot)
    log.info(
        "follower.stopped",
        through_slot=reader.through_slot,
        epochs_closed=books.epochs_closed,
        blocks=reader.blocks_read,
        events=reader.events_read,
    )
