"""What is left to do, asked of the program itself: what a stranger could liquidate or execute now, in a simulation.

Shell. No line of the keeper's own risk arithmetic is used.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bench.crash.evidence import DueJob
from bench.crash.world import CAST_SEED, World
from keeper.drills.platform import PROGRAM
from keeper.sandbox.cast import Role, cast_of
from keeper.snapshot import take_positions
from programs.accounts import Market
from programs.chain_account import Chain, ChainStatus
from programs.instructions import execute_chain, liquidate
from programs.layout import POSITION_BYTES, AccountKind
from programs.transaction import Budget, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

_POSITIONS: Final = (
    {"dataSize": POSITION_BYTES},
    {"memcmp": {"offset": 0, "bytes": "5"}},  # base58 of the byte 4, a position's kind
)
_CHAINS: Final = (
    {
        "memcmp": {
            "offset": 0,
            "bytes": b64encode(bytes([AccountKind.CHAIN])).decode(),
            "encoding": "base64",
        }
    },
)
_STRANGER: Final = cast_of(CAST_SEED).of(Role.STAKER)[0]
_CU: Final = ComputeUnits(400_000)
_LOADED_BYTES: Final = 4 << 20
_NEAR_E6: Final = 8_000
"""How close to the truth a posted price must be: twice the wander, the posting threshold, and a tick."""
_RECENT_SLOTS: Final = 120
"""How old a posted price may be while its source is well: several heartbeats."""


@dataclass(slots=True, kw_only=True)
class DueWatch:
    """Follows what is due, so that waiting can be told from being due anew."""

    world: World
    _since: dict[tuple[str, str], int] = field(default_factory=dict)
    """Job and the state of its target, with the slot it was first seen in."""

    async def look(self) -> tuple[DueJob, ...]:
        """Return everything that is due now, with how long it has waited."""
        slot = self.world.localnet.bank.slot
        found = {*await self._liquidations(), *await self._steps(), *self._prices()}
        self._since = {job: self._since.get(job, slot) for job in found}
        return tuple(
            DueJob(job=job, waited_slots=slot - since)
            for (job, _), since in sorted(self._since.items())
        )

    async def _liquidations(self) -> set[tuple[str, str]]:
        listed = await self.world.quiet.get_program_accounts(
            PROGRAM, "processed", filters=_POSITIONS
        )
        rows, addresses, _ = take_positions(listed.accounts)
        due: set[tuple[str, str]] = set()
        for row, address in zip(rows, addresses, strict=True):
            at, market = (
                Pubkey.from_bytes(bytes(address)),
                Pubkey.from_bytes(row["market"].tobytes()),
            )
            sale = liquidate(PROGRAM, _STRANGER.address, _STRANGER.tokens, market, [at])
            if row["debt"] and await self._is_accepted(sale):
                state = f"{row['shares']}:{row['debt']}"
                due.add((f"liquidate:{at}", state))
        return due

    async def _steps(self) -> set[tuple[str, str]]:
        listed = await self.world.quiet.get_program_accounts(PROGRAM, "processed", filters=_CHAINS)
        due: set[tuple[str, str]] = set()
        for address, data in listed.accounts:
            at, chain = Pubkey.from_bytes(address), Chain.from_bytes(data)
            if chain.status is not ChainStatus.RUNNING:
                continue
            step = execute_chain(
                PROGRAM,
                _STRANGER.address,
                _STRANGER.tokens,
                chain.market,
                at,
                first_step=chain.next_step,
                step_count=1,
                counts_trade=True,
            )
            if await self._is_accepted(step):
                due.add((f"step:{at}", str(chain.next_step)))
        return due

    async def _is_accepted(self, built: Instruction) -> bool:
        await trio.lowlevel.checkpoint()
        latest = await self.world.quiet.get_latest_blockhash("processed")
        budget = Budget(
            cu_limit=_CU, cu_price_micro_lamports=MicroLamports(0), loaded_bytes=_LOADED_BYTES
        )
        message = compile_message(_STRANGER.address, [built], budget, latest.blockhash)
        wire = sign(message, [_STRANGER.key]).wire
        tried = await self.world.quiet.simulate_transaction(wire)
        return tried.err is None

    def _prices(self) -> set[tuple[str, str]]:
        bank, script = self.world.localnet.bank, self.world.house.script
        due: set[tuple[str, str]] = set()
        for number, place in enumerate(self.world.places):
            account, truth_e6 = bank.account(place.address), script.truth_e6(number)
            assert account is not None, "a market is never closed"
            assert truth_e6 is not None, "no market of this world is closed"
            market = Market.from_bytes(account.data)
            is_near = abs(market.pools[place.pool].price_e6 - truth_e6) <= _NEAR_E6
            is_recent = market.price_update_slot >= bank.slot - _RECENT_SLOTS
            if not (is_near and is_recent):
                due.add((f"post:{place.address}", "behind"))
        return due
