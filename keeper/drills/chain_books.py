"""Whether the chain's accounts add up: loans against debts, pools against positions, counters against tokens.

Core. These are the identities that the program keeps in every transaction; a drill looks once more at its end.
Source: SPEC.md section 4, and the books of the program's own tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from programs.accounts import Market, PositionArray, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainAccounts:
    """The platform's accounts at one slot, with the tokens behind them, base units."""

    vault: Vault
    vault_tokens: int
    markets: Mapping[Pubkey, Market]
    market_tokens: Mapping[Pubkey, int]
    positions: PositionArray
    """Those within chains, too."""
    chain_debts: Mapping[Pubkey, int] = field(default_factory=dict)
    """By market: what chains have borrowed and no position owes yet."""


def ledger_faults(found: ChainAccounts) -> list[str]:
    """Return a sentence for everything that does not add up."""
    faults: list[str] = []
    vault, positions = found.vault, found.positions
    _compare(faults, "the vault's tokens", found.vault_tokens, "its cash", vault.cash)
    debts = sum(market.debt for market in found.markets.values())
    _compare(faults, "the vault's loans", vault.loans, "the markets' debts", debts)
    costs = sum(
        sum(pool.inventory_cost) for market in found.markets.values() for pool in market.pools
    )
    _compare(faults, "the vault's inventory", vault.inventory_cost, "the pools'", costs)
    for address, market in found.markets.items():
        mine = positions[[row.tobytes() == bytes(address) for row in positions["market"]]]
        borrowed = found.chain_debts.get(address, 0)
        _check_market(faults, market, found.market_tokens[address], mine, borrowed)
    return faults


def _check_market(
    faults: list[str], market: Market, tokens: int, mine: PositionArray, borrowed: int
) -> None:
    name = f"market {market.market_id}'s"
    fees = market.fees_vault + market.fees_treasury + market.fees_makers
    held = sum(pool.cash for pool in market.pools) + fees + market.residual + market.escrow
    _compare(faults, f"{name} tokens", tokens, "what it owes", held)
    owed = int(mine["debt"].sum()) + borrowed
    _compare(faults, f"{name} debt", market.debt, "its positions' and chains'", owed)
    _compare(
        faults, f"{name} residual", market.residual, "its positions'", int(mine["residual"].sum())
    )
    for index, pool in enumerate(market.pools):
        if pool.cash < max(pool.outstanding):
            faults.append(f"{name} pool {index} cannot pay one of its outcomes")
        for side in (0, 1):
            rows = mine[(mine["pool"] == index) & (mine["side"] == side)]
            shares = int(rows["shares"].sum()) + pool.inventory[side]
            _compare(faults, f"{name} shares out", pool.outstanding[side], "those held", shares)
            leveraged = int(rows["shares"][rows["debt"] > 0].sum())
            _compare(
                faults, f"{name} leveraged shares", pool.leveraged[side], "those held", leveraged
            )


def _compare(faults: list[str], what: str, found: int, other: str, expected: int) -> None:
    if found != expected:
        faults.append(f"{what} are {found}, {other} {expected}")


def listed(faults: Sequence[str]) -> str:
    """Say all of it in one line."""
    return "; ".join(faults) or "everything adds up"
