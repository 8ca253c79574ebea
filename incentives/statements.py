"""A wallet's statement: every line that moved its MMT, and what it had where after each.

Core. Each transfer touches one account of a wallet or two: what is earned comes from the pot, what is allocated, put into a
root and paid moves along its own accounts, and over-subscription goes back to the pot.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

ROLES: Final = ("accrued", "payable", "in_flight", "paid")
OPENING: Final = "opening"
CLOSING: Final = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One account's side of a transfer."""

    seq: int
    slot: int
    epoch: int
    code: str
    role: str
    amount: int
    """Base units; negative where they leave the account."""
    signature: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One transfer, or the opening, or the closing; amounts are MMT base units."""

    seq: int | None
    slot: int | None
    epoch: int | None
    code: str
    source: str | None
    """Which of the wallet's accounts it left; None: it came from the platform."""
    target: str | None
    """Which it reached; None: it went back to the platform."""
    amount: int
    balances: tuple[int, int, int, int]
    """After it, by ROLES."""
    signature: str | None


def statement(
    sides: Iterable[Side], *, since_slot: int | None = None, until_slot: int | None = None
) -> Iterator[StatementLine]:
    """Yield the opening, each transfer of the interval, and the closing.

    Args:
        sides: all of the wallet's, by `seq`.
        since_slot: the first slot shown; what held before it is the opening.
        until_slot: the last slot shown.
    """
    balances = dict.fromkeys(ROLES, 0)
    is_open = False
    for _, group in groupby(sides, key=lambda side: side.seq):
        moved = list(group)
        first = moved[0]
        if until_slot is not None and first.slot > until_slot:
            break
        if not is_open and (since_slot is None or first.slot >= since_slot):
            is_open = True
            yield _marker(OPENING, since_slot, balances)
        for side in moved:
            balances[side.role] += side.amount
        if is_open:
            yield _line(moved, balances)
    if not is_open:
        yield _marker(OPENING, since_slot, balances)
    yield _marker(CLOSING, until_slot, balances)


def _line(moved: list[Side], balances: dict[str, int]) -> StatementLine:
    first = moved[0]
    source = next((side.role for side in moved if side.amount < 0), None)
    target = next((side.role for side in moved if side.amount > 0), None)
    return StatementLine(
        seq=first.seq,
        slot=first.slot,
        epoch=first.epoch,
        code=first.code,
        source=source,
        target=target,
        amount=abs(first.amount),
        balances=_by_role(balances),
        signature=first.signature,
    )


def _marker(code: str, slot: int | None, balances: dict[str, int]) -> StatementLine:
    return StatementLine(
        seq=None,
        slot=slot,
        epoch=None,
        code=code,
        source=None,
        target=None,
        amount=sum(balances.values()),
        balances=_by_role(balances),
        signature=None,
    )


def _by_role(balances: dict[str, int]) -> tuple[int, int, int, int]:
    accrued, payable, in_flight, paid = (balances[role] for role in ROLES)
    return accrued, payable, in_flight, paid
