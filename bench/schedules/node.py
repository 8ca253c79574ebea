"""The cluster's nodes as the engine sees them: calls that are late, refused, unanswered, or answered by one that lags.

Shell: it waits on trio's clock. Its errors are those that the HTTP client makes of what providers say.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bench.schedules.cluster import WINDOW_BLOCKS, Block, Cluster
from bench.schedules.death import Executioner
from bench.schedules.program import execute
from bench.schedules.schedule import CLEAR, Mortal, Schedule, Weather
from bench.schedules.trace import Trace
from programs.layout import AccountKind
from programs.rpc import (
    Account,
    Accounts,
    BlockTransaction,
    LatestBlockhash,
    ProgramAccounts,
    ProgramRows,
    RpcBadReply,
    RpcError,
    RpcFailure,
    RpcTimeout,
    SettledStatuses,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.rpc import Block as ConfirmedBlock
from programs.units import Slot
from tests.fakes import accounts_of
from tests.keeper.scripted import (
    logs_of_liquidation,
    market_row,
    position_row,
    put_platform,
)

_QUICK_S: Final = 0.02
_SLOW_S_MAX_MS: Final = 2_000
_SILENCE_S: Final = 1.5
_FEE_LAMPORTS: Final = 5_000
_CU_USED: Final = 40_000
_REFUSALS: Final = 4


@dataclass(slots=True, kw_only=True)
class Nodes:
    """Implements what the engine uses of `programs.rpc.Rpc`."""

    cluster: Cluster
    schedule: Schedule
    executioner: Executioner
    trace: Trace
    weather: Weather = field(default=CLEAR)
    calls: Counter[str] = field(default_factory=Counter)
    sends: Counter[Any] = field(default_factory=Counter)
    accounts: dict[Pubkey, Account] = field(default_factory=dict)
    """The two singletons."""

    def __post_init__(self) -> None:
        """Put genesis and the vault where a scan looks for them."""
        put_platform(self)

    async def _turn(self, method: str) -> Block:
        """Let one call happen; return the newest block of the node that answers."""
        self.calls[method] += 1
        key = (method, self.calls[method])
        dice, weather = self.schedule.dice, self.weather
        await trio.sleep(_QUICK_S)
        if dice.happens(weather.slow_bps, "slow", *key):
            await trio.sleep(dice.roll(_SLOW_S_MAX_MS, "slow ms", *key) / 1_000)
        if dice.happens(weather.silent_bps, "silent", *key):
            await trio.sleep(_SILENCE_S)
            raise RpcTimeout(f"{method}: no answer")
        if dice.happens(weather.refused_bps, "refused", *key):
            raise self._refusal(*key)
        return self.cluster.tip_behind(dice.roll(weather.lag_blocks_max + 1, "lag", *key))

    def _refusal(self, *key: object) -> RpcFailure:
        """Return what a call is refused with: errors with and without data, and bodies that are none."""
        match self.schedule.dice.roll(_REFUSALS, "refusal", *key):
            case 0:
                return RpcError(-32005, "Node is behind by 42 slots")
            case 1:
                return RpcError(429, "Too many requests")
            case 2:
                return RpcBadReply("found text/html, expected application/json")
            case _:
                return RpcError(-32603, "Internal error")

    async def get_block_height(self, commitment: str) -> int:
        """See `Rpc`."""
        return self.cluster.height(commitment, await self._turn("get_block_height"))

    async def get_slot(self, commitment: str) -> int:
        """See `Rpc`."""
        tip = await self._turn("get_slot")
        return self.cluster.block_at(self.cluster.height(commitment, tip)).slot

    async def get_genesis_hash(self) -> Hash:
        """See `Rpc`."""
        await self._turn("get_genesis_hash")
        return Hash.default()

    async def get_latest_blockhash(self, commitment: str) -> LatestBlockhash:
        """See `Rpc`."""
        tip = await self._turn("get_latest_blockhash")
        block = self.cluster.block_at(self.cluster.height(commitment, tip))
        return LatestBlockhash(
            blockhash=block.blockhash,
            last_valid_block_height=block.height + WINDOW_BLOCKS,
            slot=block.slot,
        )

    async def get_signature_statuses(self, signatures: Sequence[Any]) -> tuple[Any, ...]:
        """See `Rpc`."""
        tip = await self._turn("get_signature_statuses")
        return self._statuses(signatures, tip, history=False)

    def _statuses(
        self, signatures: Sequence[Any], tip: Block, *, history: bool
    ) -> tuple[SignatureStatus | None, ...]:
        found = tuple(self.cluster.status(one, tip, history=history) for one in signatures)
        for signature, status in zip(signatures, found, strict=True):
            self.executioner.world.note_told(signature, is_known=status is not None)
        return found

    async def get_settled_statuses(self, signatures: Sequence[Any]) -> SettledStatuses:
        """See `Rpc`: one node says all of it."""
        tip = await self._turn("get_settled_statuses")
        return SettledStatuses(
            finalized_block_height=self.cluster.height("finalized", tip),
            statuses=self._statuses(signatures, tip, history=True),
        )

    async def get_transaction(self, signature: Any) -> TransactionFacts | None:
        """See `Rpc`."""
        return self._facts(signature, await self._turn("get_transaction"))

    async def get_block(self, slot: int, commitment: str) -> ConfirmedBlock | None:
        """See `Rpc`."""
        tip = await self._turn("get_block")
        newest = self.cluster.block_at(self.cluster.height(commitment, tip))
        found = [block for block in self.cluster.blocks if block.slot == slot <= newest.slot]
        if not found:
            raise RpcError(-32004, f"Block not available for slot {slot}")
        every = ((each, self._facts(each, tip)) for each in found[0].executed)
        return ConfirmedBlock(
            slot=Slot(slot),
            parent=Slot(slot - 1),
            blockhash=found[0].blockhash,
            transactions=tuple(
                BlockTransaction(signature=each, facts=facts) for each, facts in every if facts
            ),
        )

    def _facts(self, signature: Any, tip: Block) -> TransactionFacts | None:
        status = self.cluster.status(signature, tip, history=True)
        if status is None:
            return None
        logs = logs_of_liquidation(accounts_of(self.cluster.transactions[signature]))
        return TransactionFacts(
            slot=status.slot,
            err=status.err,
            fee_lamports=_FEE_LAMPORTS,
            cu_used=_CU_USED,
            logs=() if status.err else logs,
        )

    async def simulate_transaction(
        self, wire: bytes, *, replace_blockhash: bool = False
    ) -> Simulation:
        """See `Rpc`; some curses show only on chain."""
        tip = await self._turn("simulate_transaction")
        del replace_blockhash
        dice, weather = self.schedule.dice, self.schedule.weather
        shown = frozenset(
            target
            for target in self.cluster.cursed
            if not dice.happens(weather.hidden_bps, "hidden", target)
        )
        _, err = execute(tip.state, VersionedTransaction.from_bytes(wire), tip.slot, shown)
        return Simulation(err=err, logs=(), cu_used=_CU_USED, slot=tip.slot)

    async def get_recent_prioritization_fees(self, _writable: Sequence[Pubkey]) -> tuple[int, ...]:
        """See `Rpc`."""
        await self._turn("get_recent_prioritization_fees")
        return (0, 10_000)

    async def get_account(self, address: Pubkey, _commitment: str) -> Account | None:
        """See `Rpc`: the two singletons are all that is asked for so."""
        await self._turn("get_account")
        return self.accounts.get(address)

    async def get_multiple_accounts(
        self, addresses: Sequence[Pubkey], _commitment: str
    ) -> Accounts:
        """See `Rpc`."""
        tip = await self._turn("get_multiple_accounts")
        found = tuple(self.accounts.get(address) for address in addresses)
        return Accounts(slot=tip.slot, accounts=found)

    async def get_program_accounts(
        self, _program: Pubkey, _commitment: str, *, filters: Sequence[Any] = ()
    ) -> ProgramAccounts:
        """See `Rpc`; of the filters it knows the kind, an account's first byte."""
        tip = await self._turn("get_program_accounts")
        kind = b64decode(filters[0]["memcmp"]["bytes"])[0]
        return ProgramAccounts(slot=tip.slot, accounts=_rows(tip, kind), skipped=0)

    async def get_program_rows(
        self, program: Pubkey, commitment: str, *, filters: Sequence[Any] = (), row_bytes: int
    ) -> ProgramRows:
        """See `Rpc`."""
        found = await self.get_program_accounts(program, commitment, filters=filters)
        return ProgramRows.of(found, row_bytes)

    async def send_transaction(self, wire: bytes) -> None:
        """See `Rpc`: what is refused or unanswered may have been taken all the same."""
        await self.executioner.reach(Mortal.BEFORE_SEND)
        self.calls["arrived"] += 1
        key = ("send", self.calls["arrived"])
        dice, weather = self.schedule.dice, self.weather
        try:
            await self._turn("send_transaction")
        except RpcFailure:
            if dice.happens(weather.unsaid_bps, "unsaid", *key):
                self._take(wire, key)
            raise
        words = self._take(wire, key)
        await self.executioner.reach(Mortal.AFTER_SEND)
        if words is not None:
            raise RpcError(-32002, words)

    def _take(self, wire: bytes, key: tuple[object, ...]) -> str | None:
        dice, weather = self.schedule.dice, self.weather
        transaction = VersionedTransaction.from_bytes(wire)
        signature = transaction.signatures[0]
        self.sends[signature] += 1
        self.executioner.world.note_sent(signature)
        if self.cluster.is_on_chain(signature):
            return "This transaction has already been processed"
        if dice.happens(weather.lost_bps, "lost", *key):
            self.trace.note("lost", signature)
            return None
        after = 0
        if dice.happens(weather.late_bps, "late", *key):
            after = 1 + dice.roll(weather.late_slots_max, "late by", *key)
        self.trace.note("sent", signature, after)
        self.cluster.arrive(wire, after)
        if dice.happens(weather.copied_bps, "copied", *key):
            self.cluster.arrive(wire, after + dice.roll(weather.late_slots_max, "copy by", *key))
        return None


def _rows(tip: Block, kind: int) -> list[tuple[bytes, bytes]]:
    """Write a block's accounts of one kind, as the real program lays them out."""
    if kind == AccountKind.MARKET:
        return [
            market_row(
                number,
                slot=reading.update_slot,
                price_e6=reading.price_e6,
                publish_slot=reading.publish_slot,
            )
            for number, reading in enumerate(tip.state.readings.values())
        ]
    if kind == AccountKind.POSITION:
        return [
            (
                bytes(address),
                position_row(0, market=position.market, shares=position.shares, debt=position.debt)[
                    1
                ],
            )
            for address, position in tip.state.positions.items()
        ]
    return []
