"""Evidence taken from its sources: the network's own ledger, and the database that the dead keepers left.

Shell.
"""

import json
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio
from solders.pubkey import Pubkey

from bench.crash.evidence import OnChain, Recorded, RecordedJob
from programs.event_layout import EventKind
from programs.events import MalformedEventError, TruncatedLogsError, decode_logs
from programs.instructions import Tag
from programs.localnet.bank import Bank
from programs.localnet.ledger import TransactionRecord
from programs.outcomes import err_text
from state.store import connect_read_only

_LOOK_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class ChainReader:
    """Collects a payer's transactions as they become final, before the network forgets them."""

    bank: Bank
    program: Pubkey
    payer: Pubkey
    found: list[OnChain] = field(default_factory=list)
    unreadable: int = 0
    """Transactions whose logs the runtime cut."""
    _upto_slot: int = -1

    async def follow(self) -> None:
        """Collect for ever."""
        while True:
            self.take()
            await trio.sleep(_LOOK_S)

    def start_here(self) -> None:
        """Leave aside what the payer did before."""
        self._upto_slot = self.bank.slot

    def take(self) -> None:
        """Collect what has become final since the last look: no fork takes that back."""
        final = self.bank.slot_at("finalized")
        fresh: list[TransactionRecord] = []
        for record in self.bank.ledger.newest_first(self.payer):
            if record.slot <= self._upto_slot:
                break
            if record.slot <= final:
                fresh.append(record)
        self._upto_slot = max(self._upto_slot, final)
        self.found += [self._read(record) for record in reversed(fresh)]

    def _read(self, record: TransactionRecord) -> OnChain:
        return OnChain(
            signature=str(record.signature),
            slot=record.slot,
            err=None if record.error is None else err_text(record.error),
            effects=frozenset() if record.error is not None else self._effects(record),
        )

    def _effects(self, record: TransactionRecord) -> frozenset[str]:
        effects: set[str] = set()
        try:
            events = decode_logs(record.meta.logs(), self.program)
        except (TruncatedLogsError, MalformedEventError):
            self.unreadable += 1
            return frozenset()
        writes = _markets_written(record, self.program)
        for event in events:
            if event.kind is EventKind.POSITIONS_LIQUIDATED:
                effects.update(f"liquidate:{each['position']}" for each in event.records)
            elif event.kind is EventKind.PRICES_UPDATED:
                effects.add(f"post:{writes.pop(0)}")
            elif event.kind is EventKind.CHAIN_STEPPED:
                effects.add(f"step:{event.address('chain')}:{event.amount('step')}")
        return frozenset(effects)


def _markets_written(record: TransactionRecord, program: Pubkey) -> list[Pubkey]:
    """Return the market of every update_prices, in order: its event names it by number only."""
    market_at = 2
    locked = record.locked.addresses
    return [
        locked[bytes(each.accounts)[market_at]]
        for each in record.transaction.message.instructions
        if locked[each.program_id_index] == program
        and bytes(each.data)[:1] == bytes([Tag.UPDATE_PRICES])
    ]


def read_record(folder: Path) -> tuple[Recorded, ...]:
    """Read every attempt of every database in a state folder."""
    found: list[Recorded] = []
    for path in sorted(folder.glob("keeper-*.db")):
        with closing(connect_read_only(path)) as db:
            jobs: defaultdict[int, list[RecordedJob]] = defaultdict(list)
            for attempt_id, job_id, kind, target, effect in db.conn.execute(
                "SELECT attempt_id, job_id, kind, target, effect FROM attempt_job"
            ):
                job = RecordedJob(job_id=job_id, kind=kind, target=target, effect=effect)
                jobs[attempt_id].append(job)
            found += [
                Recorded(
                    signature=signature,
                    state=state,
                    slot=slot,
                    err=err if state != "failed" else err_text(json.loads(err)),
                    is_finalized=bool(is_finalized),
                    last_valid_block_height=last_valid,
                    jobs=tuple(jobs[attempt_id]),
                )
                for attempt_id, signature, state, slot, err, is_finalized, last_valid in db.conn.execute(
                    "SELECT id, signature, state, slot, err, is_finalized, last_valid_block_height "
                    "FROM attempt ORDER BY id"
                )
            ]
    return tuple(found)


def open_count(folder: Path) -> int:
    """Return how many attempts have no end yet."""
    total = 0
    for path in folder.glob("keeper-*.db"):
        with closing(connect_read_only(path)) as db:
            total += db.conn.execute(
                "SELECT count(*) FROM attempt WHERE state = 'open'"
            ).fetchone()[0]
    return total
