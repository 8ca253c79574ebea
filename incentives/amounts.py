"""Amounts of MMT as people and programs read them.

Core. Base units (1e-9) leave as text, because jq and Node round integers above 2**53; beside them stands the decimal.
"""

from typing import Final

from programs.units import MMT_DECIMALS

AMOUNT_NAMES: Final = frozenset(
    {
        "accrued",
        "allocated",
        "amount",
        "balance",
        "chain",
        "claim",
        "credits",
        "debits",
        "difference",
        "earned",
        "emitted",
        "foreign",
        "in_flight",
        "ledger",
        "ledger_unallocated",
        "left",
        "owed",
        "paid",
        "payable",
        "posted_unknown",
        "pot",
        "recomputed",
        "rolled_over",
        "simulated",
        "simulated_unallocated",
        "sink",
        "supply",
        "treasury",
        "unspent",
    }
)
"""In every report of the ledger, a column of one of these names holds MMT base units."""


def decimal(base_units: int) -> str:
    """Return an amount in MMT, all nine decimals: exact, never a float."""
    return _exact(base_units, MMT_DECIMALS)


def in_words(base_units: int, decimals: int) -> str:
    """Return an amount as people read it, of any scale: every digit but zeros at the end, thousands apart.

    Args:
        base_units: exact, never a float.
        decimals: how many of its digits stand behind the point.
    """
    whole, _, fraction = _exact(abs(base_units), decimals).partition(".")
    sign, digits = "-" if base_units < 0 else "", fraction.rstrip("0")
    return f"{sign}{int(whole):,}" + (f".{digits}" if digits else "")


def in_mmt(base_units: int) -> str:
    """Return an amount in MMT as people read it."""
    return in_words(base_units, MMT_DECIMALS)


def _exact(base_units: int, decimals: int) -> str:
    sign = "-" if base_units < 0 else ""
    whole, fraction = divmod(abs(base_units), 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}"
