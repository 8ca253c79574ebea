"""A delivery of events -> the lines that follow from it, committed; and what others are told of it.

Shell. Manifests come after the commit that they follow from: killed between the two, they are written at the next start.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from incentives.chain_reading import ChainReading, SeasonUnreadError, read_chain, record_reading
from incentives.config import Settings
from incentives.ledger.closes import load_close, unpaid_epochs
from incentives.ledger.writer import Batch, LedgerWriter
from incentives.lines import EpochClose, Line
from incentives.manifest_folder import write_manifests
from incentives.manifests import manifest_files
from incentives.reading.reader import Delivery
from incentives.rules.rulebook import Rulebook
from programs.rpc import Rpc, RpcFailure

EVENTS_PER_SNAPSHOT: Final = 20_000
"""What a start takes again at most: a second or two."""
_EVENTS_BETWEEN_CHECKPOINTS: Final = 256

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Bookkeeper:
    """Who keeps the ledger in step with what is delivered."""

    settings: Settings
    rpc: Rpc
    mint: Pubkey
    """Of MMT."""
    ledger: LedgerWriter
    rulebook: Rulebook
    epochs_closed: int = 0
    """In this run."""
    _since_snapshot: int = EVENTS_PER_SNAPSHOT
    """The first commit has one, for it says what the rules were."""

    async def take(self, delivery: Delivery) -> bool:
        """Commit what follows from a delivery, and write the manifests of epochs that closed.

        Returns:
            Whether one did.

        Raises:
            RulebookError, MalformedEventError: the events are none that the rules can take.
            LedgerError, StateError: nothing of it was written.
            ManifestConflictError: it is committed, and the keeper cannot be told.
        """
        lines: list[Line] = []
        for number, event in enumerate(delivery.events):
            lines += self.rulebook.take(event)
            if number % _EVENTS_BETWEEN_CHECKPOINTS == 0:
                await trio.lowlevel.checkpoint()
        lines += self.rulebook.pass_slot(delivery.through_slot)
        closes = [line for line in lines if isinstance(line, EpochClose)]
        self._since_snapshot += len(delivery.events)
        has_snapshot = bool(closes) or self._since_snapshot >= EVENTS_PER_SNAPSHOT
        await self._commit(lines, delivery, has_snapshot=has_snapshot)
        for close in closes:
            await self._tell_close(close)
        return bool(closes)

    async def _commit(self, lines: list[Line], delivery: Delivery, *, has_snapshot: bool) -> None:
        await self.ledger.commit(
            Batch(
                lines=lines,
                through_slot=delivery.through_slot,
                series=delivery.series,
                unsettled=delivery.unsettled,
                snapshot=self.rulebook.to_json() if has_snapshot else None,
            )
        )
        if has_snapshot:
            self._since_snapshot = 0

    async def keep_snapshot(self, through_slot: int) -> None:
        """Leave the rules' memory in the ledger, so that the next start takes nothing again."""
        if self._since_snapshot:
            snapshot = self.rulebook.to_json()
            batch = Batch(lines=(), through_slot=through_slot, series={}, snapshot=snapshot)
            await self.ledger.commit(batch)
            self._since_snapshot = 0

    async def _tell_close(self, close: EpochClose) -> None:
        self.epochs_closed += 1
        owed = [each.amount for each in close.allocations if each.amount]
        log.info(
            "epoch.closed",
            epoch=close.epoch,
            end_slot=close.end_slot,
            wallets=len(owed),
            owed=sum(owed),
            is_scaled=close.is_scaled,
        )
        if owed:
            await self.write_manifests(close.epoch)

    async def write_missing_manifests(self) -> None:
        """Write what a kill between commit and manifest left out."""
        for epoch in await self.ledger.store.read(unpaid_epochs):
            await self.write_manifests(epoch)

    async def write_manifests(self, epoch: int) -> None:
        """Put an epoch's manifests where the keeper finds them, unless they are there.

        Raises:
            ManifestConflictError: one is there with other content, or the folder cannot be written.
        """
        folder, epoch_slots = self.settings.manifests, self.settings.incentives.epoch_slots
        close, anchor = await self.ledger.store.read(partial(load_close, epoch=epoch))
        files = manifest_files(close, anchor, epoch_slots)
        written = await trio.to_thread.run_sync(write_manifests, folder, files)
        if written:
            log.info("manifests.written", epoch=epoch, files=written, folder=str(folder))

    async def read_chain(self) -> ChainReading | None:
        """Read what the chain holds; None, and a line in the log, if it does not say."""
        try:
            return await read_chain(self.rpc, self.settings.program, self.mint)
        except (RpcFailure, SeasonUnreadError) as error:
            log.warning("chain_reading.skipped", reason=str(error))
            return None

    async def record(self, reading: ChainReading | None, read_at: str) -> None:
        """Keep a reading, for whoever reconciles while the cluster does not answer."""
        if reading is not None:
            keep = partial(record_reading, reading=reading, read_at=read_at)
            await self.ledger.store.transaction(keep)
