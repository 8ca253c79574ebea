"""What is left to do, asked of the program itself: what a stranger could liquidate or execute now, in a simulation.

Shell. No line of the keeper's own risk arithmetic is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import trio
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bench.crash.evidence import DueJob
from bench.crash.world import CAST_SEED, World
from keeper.drills.platform import PROGRAM
from keeper.sandbox.cast import Role, cast_of
from programs.accounts import Market, positions_from_bytes
from programs.chain_account import Chain, ChainStatus
from programs.instructions import execute_chain, liquidate
from programs.layout import AccountKind
from programs.transaction import Budget, compile_message, sign
from programs.units import ComputeUnits, MicroLamports

_STRANGER: Final = cast_of(CAST_SEED).of(Role.STAKER)[0]
_BUDGET: Final = Budget(
    cu_limit=ComputeUnits(400_000),
    cu_price_micro_lamports=MicroLamports(0),
    loaded_bytes=4 << 20,
)
_NEAR_E6: Final = 8_000
"""How close to the truth a posted price must be: twice the wander, the posting threshold, and a tick."""
_RECENT_SLOTS: Final = 120
"""How old a posted price may be while its source is well: several heartbeats."""

Job = tuple[str, str]
"""What is to be done, and the state of its target: another state is another job."""


@dataclass(slots=True, kw_only=True)
class DueWatch:
    """Follows what is due, so that waiting can be told from being due anew."""

    world: World
    _since: dict[Job, int] = field(default_factory=dict)
    """The slot in which each was first seen."""

    async def look(self) -> tuple[DueJob, ...]:
        """Return everything that is due now, with how long it has waited."""
        slot = self.world.localnet.bank.slot
        found = set(self._prices())
        for job, tried in self._tries():
            await trio.lowlevel.checkpoint()
            if self._is_accepted(tried):
                found.add(job)
        self._since = {job: self._since.get(job, slot) for job in found}
        return tuple(
            DueJob(job=job, waited_slots=slot - since)
            for (job, _), since in sorted(self._since.items())
        )

    def _tries(self) -> Iterator[tuple[Job, Instruction]]:
        """Yield what a stranger may try: every loan and every chain that still runs."""
        owner, tokens = _STRANGER.address, _STRANGER.tokens
        for at, account in self.world.localnet.bank.program_accounts(PROGRAM):
            kind = account.data[:1]
            if kind == bytes([AccountKind.POSITION]):
                (row,) = positions_from_bytes([account.data])
                if row["debt"]:
                    market = Pubkey.from_bytes(row["market"].tobytes())
                    sale = liquidate(PROGRAM, owner, tokens, market, [at])
                    yield (f"liquidate:{at}", f"{row['shares']}:{row['debt']}"), sale
            elif kind == bytes([AccountKind.CHAIN]):
                chain = Chain.from_bytes(account.data)
                if chain.status is ChainStatus.RUNNING:
                    step = execute_chain(
                        PROGRAM,
                        owner,
                        tokens,
                        chain.market,
                        at,
                        first_step=chain.next_step,
                        step_count=1,
                        counts_trade=True,
                    )
                    yield (f"step:{at}", str(chain.next_step)), step

    def _is_accepted(self, built: Instruction) -> bool:
        bank = self.world.localnet.bank
        message = compile_message(
            _STRANGER.address, [built], _BUDGET, bank.block_at("processed").blockhash
        )
        wire = sign(message, [_STRANGER.key]).wire
        return bank.simulate(VersionedTransaction.from_bytes(wire)).error is None

    def _prices(self) -> Iterator[Job]:
        bank, script = self.world.localnet.bank, self.world.house.script
        for number, place in enumerate(self.world.places):
            account, truth_e6 = bank.account(place.address), script.truth_e6(number)
            assert account is not None, "a market is never closed"
            assert truth_e6 is not None, "no market of this world is closed"
            market = Market.from_bytes(account.data)
            is_near = abs(market.pools[place.pool].price_e6 - truth_e6) <= _NEAR_E6
            is_recent = market.price_update_slot >= bank.slot - _RECENT_SLOTS
            if not (is_near and is_recent):
                yield f"post:{place.address}", "behind"
