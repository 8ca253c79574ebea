"""Genesis on a cluster: read what is there, do what is left, and see that it stands.

Shell. Every decision is `programs.founding`'s.
"""

from dataclasses import dataclass
from typing import Final

import trio
from solders.sysvar import RENT

from keeper.deployment import FINALITY_TIMEOUT_S
from keeper.errors import GenesisError
from keeper.land_steps import land_steps, why_not
from keeper.survey import read_rent, sol
from programs.founding import Charter, Seen, genesis_cost, genesis_left
from programs.in_flight import Pace
from programs.rpc import Rpc
from programs.step import Step
from programs.units import Lamports

_FINALITY_POLL_S: Final = 0.1
_ROUNDS_MAX: Final = 5
"""Two transactions are all there is; a blockhash may expire, a fork may take one back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisSurvey:
    """What is left of a genesis."""

    steps: tuple[Step, ...]
    """None: it has happened, as chartered."""
    cost_lamports: Lamports
    needed_lamports: Lamports
    """What the payer must have: the cost, and what keeps his own account alive."""
    balance_lamports: Lamports


async def survey_genesis(rpc: Rpc, charter: Charter) -> GenesisSurvey:
    """Read how far genesis has come.

    Raises:
        RpcFailure: the cluster cannot be read.
        GenesisRefused: it has happened otherwise, or a mint cannot be used.
    """
    wanted = (*charter.wanted, charter.payer.pubkey(), RENT)
    genesis, quote_mint, mmt_mint, payer, rent = (
        await rpc.get_multiple_accounts(wanted, "confirmed")
    ).accounts
    rate = read_rent(rent)
    seen = Seen(genesis=genesis, quote_mint=quote_mint, mmt_mint=mmt_mint)
    steps = genesis_left(charter, seen, rate)
    cost = genesis_cost(steps, seen, rate)
    return GenesisSurvey(
        steps=steps,
        cost_lamports=cost,
        needed_lamports=Lamports(cost + rate.exempt_lamports(0) if steps else 0),
        balance_lamports=Lamports(0) if payer is None else payer.lamports,
    )


async def found(rpc: Rpc, charter: Charter, pace: Pace) -> int:
    """Do what is left of genesis, transaction by transaction, until it is final; returns how many have landed.

    Raises:
        RpcFailure: the cluster cannot be read; running again goes on from here.
        GenesisRefused: it has happened otherwise, or a mint cannot be used.
        GenesisError: the payer is too poor, a transaction was refused again and again, or nothing becomes final.
    """
    reason, landed = "", 0
    for _ in range(_ROUNDS_MAX):
        now = await survey_genesis(rpc, charter)
        if not now.steps:
            await _wait_finalized(rpc, charter)
            return landed
        check_purse(charter, now)
        outcomes = await land_steps(rpc, now.steps[:1], pace)
        reason = why_not(outcomes)
        landed += not reason
    raise GenesisError(f"genesis makes no progress: {reason}; run it again to go on")


def check_purse(charter: Charter, now: GenesisSurvey) -> None:
    """Refuse to begin what the payer cannot finish.

    Raises:
        GenesisError: with what he has and what it takes.
    """
    if now.balance_lamports < now.needed_lamports:
        raise GenesisError(
            f"payer {charter.payer.pubkey()} has {sol(now.balance_lamports)} SOL, expected at least "
            f"{sol(now.needed_lamports)} for rent and fees: fund it and run again"
        )


async def _wait_finalized(rpc: Rpc, charter: Charter) -> None:
    """Wait until no fork can undo it."""
    address = charter.wanted[0]
    with trio.move_on_after(FINALITY_TIMEOUT_S):
        while await rpc.get_account(address, "finalized") is None:  # noqa: ASYNC110 - the cluster's finality has no event
            await trio.sleep(_FINALITY_POLL_S)
        return
    raise GenesisError(
        f"genesis is confirmed, but not final within {FINALITY_TIMEOUT_S:g} s: run again when the cluster finalizes"
    )
