"""What the keeper's key can do on this cluster: pay, and post prices. Asked once at the start, before anything is signed."""

from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from programs.accounts import Global
from programs.rpc import Rpc, RpcFailure
from programs.units import Lamports

_BALANCE_MIN: Final = Lamports(3_000_000)
"""The rent of the bounty account (2_039_280), of the payer itself (890_880), and a few signatures."""
_LAMPORTS_PER_SOL: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerFacts:
    """The keeper's key, as the cluster knows it."""

    address: Pubkey
    balance_lamports: Lamports
    is_oracle_authority: bool
    """Without it the program refuses every price of ours; positions can be liquidated by anyone."""


async def check_payer(rpc: Rpc, payer: Pubkey, parameters: Global) -> PayerFacts:
    """Read the balance, and compare the key with the one that genesis named.

    Raises:
        ClusterError: the key cannot pay for a start, or the cluster does not say.
    """
    try:
        balance = await rpc.get_balance(payer, "confirmed")
    except RpcFailure as failure:
        raise ClusterError(f"the balance of {payer} cannot be read: {failure}") from failure
    if balance < _BALANCE_MIN:
        raise ClusterError(
            f"the keeper's key {payer} has {balance / _LAMPORTS_PER_SOL:.9f} SOL on this cluster, expected at least "
            f"{_BALANCE_MIN / _LAMPORTS_PER_SOL:.3f} to pay fees and rent: fund it, or set keys.keeper to a funded key"
        )
    return PayerFacts(
        address=payer,
        balance_lamports=balance,
        is_oracle_authority=payer == parameters.oracle_authority,
    )
