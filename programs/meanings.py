"""What an integer of the program means to a person: dollars, shares, prices, and the names of states."""

from decimal import Decimal
from typing import Final

from programs.interface import Interface
from programs.units import MMT_DECIMALS, QUOTE_DECIMALS, U64_MAX

VAULT_SHARE_DECIMALS: Final = 9
"""The first dollar of the vault buys a thousand shares of a millionth each."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DOLLARS: Final = _names(
    """amount bad_debt bounty cap_amount cap_used cash cash_max cash_min cost_max debt debt_left debt_repaid deposit
    equity_before escrow fee fees fees_makers fees_owed fees_paid fees_treasury fees_vault inventory_cash
    inventory_cost inventory_credit loans margin notional payout proceeds request_value required_before residual
    to_keeper to_vault unvested value vault_value withdrawn working"""
)
_SHARES: Final = _names(
    """inventory inventory_shares leveraged outstanding shares shares_left shares_no shares_sold
    shares_to_inventory shares_yes surplus_no surplus_yes"""
)
_VAULT_SHARES: Final = _names(
    "locked_shares requested_shares share_supply shares_min shares_staked stake_shares"
)
_LIQUIDITY: Final = _names(
    """liquidity liquidity_added liquidity_after liquidity_before liquidity_high liquidity_removed high_this
    high_previous"""
)
_OF_THE_STAKE: Final = _names(
    "stake event_staked event_unstake_requested event_unstaked request_unstake_data stake_data"
)
"""Where `shares` are the vault's."""
_OF_REWARDS: Final = _names("epoch post_epoch_data event_epoch_posted event_rewards_paid paid_leaf")
"""Where amounts are MMT."""
_REWARD_AMOUNTS: Final = frozenset({"amount", "total", "paid"})
_WEIGHTED_DEBT: Final = ("vault", "weighted_debt_e6")
_BAD_DEBT_TOTAL: Final = ("event_bad_debt", "total")
_AMBIGUOUS: Final = frozenset({("event_chain_stepped", "shares")})
"""Shares of a side, or the vault's, by the kind of the step."""
_ENUMS: Final = {
    ("market", "status"): "market_status",
    ("chain", "status"): "chain_status",
    ("chain_step", "kind"): "step_kind",
    ("event_chain_stepped", "kind"): "step_kind",
}
_ENUMS_ANYWHERE: Final = {"side": "side", "price_class": "price_class"}


def in_words(interface: Interface, struct: str, field: str, value: int) -> str:
    """Say what an integer field of a struct means; empty where the number says it all."""
    if value == U64_MAX:
        return "all"
    if (struct, field) == _WEIGHTED_DEBT:
        return f"${decimal(value, QUOTE_DECIMALS + 6)}"
    enum = _ENUMS.get((struct, field)) or _ENUMS_ANYWHERE.get(field)
    if enum:
        return _name(interface, enum, value)
    if struct in _OF_REWARDS and field in _REWARD_AMOUNTS:
        return f"{decimal(value, MMT_DECIMALS)} MMT"
    if (struct, field) == _BAD_DEBT_TOTAL:
        return _dollars(value)
    if (struct, field) in _AMBIGUOUS:
        return ""
    if struct in _OF_THE_STAKE and field in {"shares", "shares_left"}:
        return _vault_shares(value)
    return _by_name(field, value)


def _by_name(field: str, value: int) -> str:
    if field in _DOLLARS:
        return _dollars(value)
    if field in _SHARES:
        return f"{decimal(value, QUOTE_DECIMALS)} shares"
    if field in _VAULT_SHARES:
        return _vault_shares(value)
    if field in _LIQUIDITY:
        return f"L = {decimal(value, QUOTE_DECIMALS)}"
    if field.endswith("_mmt"):
        return f"{decimal(value, MMT_DECIMALS)} MMT"
    if field.endswith("_e6"):
        return decimal(value, 6)
    if field.endswith("_bps"):
        return f"{decimal(value, 2)} %"
    if field.endswith("_ubp"):
        return f"{decimal(value, 6)} bp"
    return ""


def decimal(value: int, decimals: int) -> str:
    """Write an integer of so many decimals, with thousands apart."""
    return f"{Decimal(value).scaleb(-decimals):,f}".replace(",", "_")


def _dollars(value: int) -> str:
    return f"${decimal(value, QUOTE_DECIMALS)}"


def _vault_shares(value: int) -> str:
    return f"{decimal(value, VAULT_SHARE_DECIMALS)} vault shares"


def _name(interface: Interface, enum: str, value: int) -> str:
    names = {number: name for name, number in interface.enums[enum].items()}
    return names[value].partition("_")[2].lower() if value in names else "unknown"
