"""Portions of chains -> instructions, and as many of them as fit a transaction.

Core.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from keeper.chain_plan import Portion
from keeper.costs import (
    CANCEL_CHAIN_CU,
    CANCEL_CHAIN_LOG_BYTES,
    cancel_chain_loaded_bytes,
    execute_chain_cu,
    execute_chain_loaded_bytes,
    execute_chain_log_bytes,
)
from programs import addresses
from programs.contention import Candidate, Claim, take_turns
from programs.instructions import cancel_chain, execute_chain
from programs.lookup_tables import LookupTable, TableShelf
from programs.pack import Batch, Group, Packing, pack_groups
from programs.transaction import COMPUTE_BUDGET_CU
from programs.units import ComputeUnits


class Desk:
    """Who executes, and where his bounties go."""

    def __init__(self, program: Pubkey, keeper: Pubkey, quote_mint: Pubkey) -> None:
        """Take whose program, the fee payer, and the mint of bounties."""
        self._program, self._keeper, self._quote_mint = program, keeper, quote_mint
        self._tokens = get_associated_token_address(keeper, quote_mint)
        self._commuting = frozenset(
            (
                keeper,
                self._tokens,
                addresses.global_address(program)[0],
                addresses.vault_address(program)[0],
                addresses.vault_tokens_address(program)[0],
            )
        )
        """Written by all, and only ever added to or taken from."""

    def group(self, portion: Portion) -> Group:
        """Build one portion's instruction, with the most it may use."""
        chain = portion.chain
        if portion.steps:
            end = chain.next_step + portion.steps
            return Group(
                job_id=portion.job_id,
                instructions=(
                    execute_chain(
                        self._program,
                        self._keeper,
                        self._tokens,
                        chain.market,
                        portion.address,
                        first_step=chain.next_step,
                        step_count=portion.steps,
                        counts_trade=portion.counts_trade,
                    ),
                ),
                cu=execute_chain_cu([step.kind for step in chain.steps[chain.next_step : end]]),
                loaded_bytes=execute_chain_loaded_bytes(portion.pools),
                # All that is left of it: fitting may let it run further than it was packed.
                log_bytes=execute_chain_log_bytes(portion.left),
            )
        return Group(
            job_id=portion.job_id,
            instructions=(
                cancel_chain(
                    self._program,
                    self._keeper,
                    self._tokens,
                    chain.market,
                    portion.address,
                    chain.owner,
                    get_associated_token_address(chain.owner, self._quote_mint),
                ),
            ),
            cu=CANCEL_CHAIN_CU,
            loaded_bytes=cancel_chain_loaded_bytes(portion.pools),
            log_bytes=CANCEL_CHAIN_LOG_BYTES,
        )

    def pack(self, portions: Iterable[Portion], shelf: TableShelf | None) -> Packing[Group]:
        """Fill transactions in the order given."""
        return pack_groups(map(self.group, portions), self._keeper, shelf=shelf)

    def side_by_side(
        self,
        steps: Sequence[Batch[Group]],
        cancels: Sequence[Batch[Group]],
        markets: Iterable[Pubkey],
        in_flight: Iterable[Claim],
    ) -> list[tuple[Batch[Group], Claim]]:
        """Return the batches that may go now, beside those in flight and each other, in their order.

        Args:
            steps: of one plan: each was forecast on what those before it leave of its markets.
            cancels: planned on nothing but what was seen; they let the steps go first.
            markets: of the steps.
            in_flight: claims of earlier plans.
        """
        flying = list(in_flight)
        planned = [
            account
            for market in markets
            for account in (market, addresses.market_tokens_address(self._program, market)[0])
        ]
        running = self._candidates(steps)
        ending = self._candidates(cancels)
        ahead = [*flying, *(each.claim for each in running)]
        return [
            *take_turns(running, flying, self._commuting, planned=planned).go,
            *take_turns(ending, ahead, self._commuting).go,
        ]

    def _candidates(
        self, batches: Iterable[Batch[Group]]
    ) -> list[Candidate[tuple[Batch[Group], Claim]]]:
        claimed = [
            (batch, Claim.of(batch.instructions, self._keeper, batch.cu)) for batch in batches
        ]
        return [Candidate((batch, claim), claim) for batch, claim in claimed]

    def load(
        self,
        portions: Sequence[Portion],
        tables: tuple[LookupTable, ...],
        *,
        is_alone: bool = True,
    ) -> "Load":
        """Put portions into one transaction: some of those that were packed into it, perhaps with other steps.

        Other steps are other bytes of data, of the same length, and other compute units.
        """
        groups = [self.group(portion) for portion in portions]
        return Load(
            portions=tuple(portions),
            instructions=tuple(one for group in groups for one in group.instructions),
            cu=ComputeUnits(COMPUTE_BUDGET_CU + sum(group.cu for group in groups)),
            loaded_bytes=sum(group.loaded_bytes for group in groups),
            tables=tables,
            is_alone=is_alone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one transaction carries."""

    portions: tuple[Portion, ...]
    """One instruction each, in this order."""
    instructions: tuple[Instruction, ...]
    cu: ComputeUnits
    """The most it may use, the compute-budget instructions included."""
    loaded_bytes: int
    tables: tuple[LookupTable, ...]
    is_alone: bool
    """False: others of its plan fly beside it and change one of its markets, so no node can say before it lands what it meets."""
