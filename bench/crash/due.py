"""What is left to do, asked of the program itself: whoever could be liquidated now, by a stranger, in a simulation.

Shell. No line of the keeper's own risk arithmetic is used.
"""

from dataclasses import dataclass, field
from typing import Final

import trio
from solders.pubkey import Pubkey

from bench.crash.evidence import DueJob
from bench.crash.world import World
from keeper.drills.platform import PROGRAM
from keeper.sandbox.cast import Role, cast_of
from keeper.snapshot import take_positions
from programs.accounts import Market
from programs.instructions import liquidate
from programs.layout import POSITION_BYTES
from programs.transaction import Budget, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

_POSITIONS: Final = (
    {"dataSize": POSITION_BYTES},
    {"memcmp": {"offset": 0, "bytes": "5"}},  # base58 of the byte 4, a position's kind
)
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
        found = {*await self._liquidations(), *self._prices()}
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
            if row["debt"] and await self._is_accepted(
                Pubkey.from_bytes(row["market"].tobytes()), Pubkey.from_bytes(bytes(address))
            ):
                state = f"{row['shares']}:{row['debt']}"
                due.add((f"liquidate:{Pubkey.from_bytes(bytes(address))}", state))
        return due

    async def _is_accepted(self, market: Pubkey, position: Pubkey) -> bool:
        await trio.lowlevel.checkpoint()
        stranger = cast_of(1).of(Role.STAKER)[0]
        latest = await self.world.quiet.get_latest_blockhash("processed")
        budget = Budget(
            cu_limit=_CU, cu_price_micro_lamports=MicroLamports(0), loaded_bytes=_LOADED_BYTES
        )
        built = liquidate(PROGRAM, stranger.address, stranger.tokens, market, [position])
        message = compile_message(stranger.address, [built], budget, latest.blockhash)
        tried = await self.world.quiet.simulate_transaction(sign(message, [stranger.key]).wire)
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
