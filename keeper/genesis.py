"""Genesis on a cluster: read what is there, do what is left, and see that it stands.

Shell. Every decision is `programs.founding`'s.
"""

from dataclasses import dataclass
from typing import Final

from solders.sysvar import RENT

from keeper.errors import GenesisError
from keeper.land_steps import land_steps, why_not
from keeper.survey import read_rent, sol
from programs.founding import Charter, Seen, genesis_cost, genesis_left
from programs.in_flight import Pace
from programs.rpc import Rpc
from programs.step import Step
from programs.units import Lamports

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
    """Do what is left of genesis, transaction by transaction; returns how many have landed.

    Raises:
        RpcFailure: the cluster cannot be read; running again goes on from here.
        GenesisRefused: it has happened otherwise, or a mint cannot be used.
        GenesisError: the payer is too poor, or a transaction was refused again and again.
    """
    reason, landed = "", 0
    for _ in range(_ROUNDS_MAX):
        now = await survey_genesis(rpc, charter)
        if not now.steps:
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
