"""Who pays for what: every payer's balance, at the start and while the keeper runs.

Shell. A lane whose payer cannot pay stops bidding with a reason, instead of failing on chain; the others go on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from keeper.funds import Funds
from programs.accounts import Global
from programs.outage import Outage
from programs.rpc import Rpc, RpcFailure
from programs.units import Lamports
from state.progress import beat

_START_MIN: Final = Lamports(3_000_000)
"""The rent of the bounty account (2_039_280), of the payer itself (890_880), and a few signatures."""
_LAMPORTS_PER_SOL: Final = 10**9
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerFacts:
    """The keeper's key, as the cluster knows it."""

    address: Pubkey
    balance_lamports: Lamports
    is_oracle_authority: bool
    """Without it the program refuses every price of ours; positions can be liquidated by anyone."""


async def check_payers(
    rpc: Rpc, keeper: Pubkey, payers: Iterable[Funds], parameters: Global
) -> PayerFacts:
    """Read the balance of every payer and of the keeper's key, and compare that with the one that genesis named.

    Raises:
        ClusterError: a key cannot pay for a start, or the cluster does not say.
    """
    payers = list(payers)
    balance = await _balance(rpc, keeper)
    for funds in payers:
        found = balance if funds.address == keeper else await _balance(rpc, funds.address)
        if found < _START_MIN:
            raise ClusterError(_too_poor(funds, found))
        _note(funds, found)
    return PayerFacts(
        address=keeper,
        balance_lamports=balance,
        is_oracle_authority=keeper == parameters.oracle_authority,
    )


async def watch_balances(rpc: Rpc, payers: Sequence[Funds], interval_s: float) -> None:
    """Read every payer's balance now and then, until cancelled."""
    outage = Outage(subject="balances")
    while True:
        beat()
        await trio.sleep(interval_s)
        try:
            found = await rpc.get_multiple_accounts([each.address for each in payers], "confirmed")
        except RpcFailure as failure:
            outage.note_failure(str(failure))
            continue
        outage.note_success()
        for funds, account in zip(payers, found.accounts, strict=True):
            _note(funds, Lamports(0) if account is None else account.lamports)


def _note(funds: Funds, lamports: Lamports) -> None:
    news = funds.note_balance(lamports)
    facts = {
        "payer": str(funds.address),
        "lanes": funds.lanes,
        "balance_lamports": lamports,
        "low_lamports": funds.low_lamports,
    }
    if news == "low":
        log.warning("payer.low", **facts, key_file=_file(funds))
    elif news == "well":
        log.info("payer.well_again", **facts)


async def _balance(rpc: Rpc, address: Pubkey) -> Lamports:
    try:
        return await rpc.get_balance(address, "confirmed")
    except RpcFailure as failure:
        raise ClusterError(f"the balance of {address} cannot be read: {failure}") from failure


def _too_poor(funds: Funds, balance: Lamports) -> str:
    lanes = ", ".join(funds.lanes)
    return (
        f"{funds.address} (key file {_file(funds)}), which pays for {lanes}, has "
        f"{balance / _LAMPORTS_PER_SOL:.9f} SOL on this cluster, expected at least "
        f"{_START_MIN / _LAMPORTS_PER_SOL:.3f} to pay fees and rent: fund it, or name a funded key "
        "(keys.keeper, or key of the lane)"
    )


def _file(funds: Funds) -> str:
    return "unknown" if funds.key_file is None else str(funds.key_file)
