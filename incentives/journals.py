"""The ledger as a journal of plain-text accounting, for hledger or for beancount.

Core. A posting's sign is theirs: debits are positive, so what is owed to wallets is negative, as liabilities are. A chain has
slots and no days: a transfer's date is nominal, counted in days of 216_000 slots of 400 ms, and its slot stands beside it. At
the end every account's balance is asserted, so that whoever reads the file finds out whether it is whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from incentives.amounts import decimal

SLOTS_PER_DAY: Final = 216_000
_COMMODITY: Final = "MMT"
_ASSETS: Final = frozenset({"mint"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One transfer."""

    seq: int
    slot: int
    epoch: int
    code: str
    debit: str
    """Path of an account."""
    credit: str
    amount: int
    """MMT base units."""
    cause: str
    signature: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds in the end: credits less debits, MMT base units."""

    path: str
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which day a slot is shown as."""

    first_slot: int
    first_day: date
    """Of the first slot."""

    def day(self, slot: int) -> date:
        """Return the nominal day."""
        return self.first_day + timedelta(days=max(slot - self.first_slot, 0) // SLOTS_PER_DAY)


def hledger(
    entries: Iterable[Entry], balances: Iterable[Balance], calendar: Calendar
) -> Iterator[str]:
    """Yield lines of a journal for hledger.

    Args:
        entries: by `seq`.
        balances: of every account that they name.
    """
    known = list(balances)
    yield f"commodity 1.{'0' * 9} {_COMMODITY}\n\n"
    for each in known:
        yield f"account {_hledger_name(each.path)}\n"
    last = calendar.first_day
    for entry in entries:
        last = max(last, calendar.day(entry.slot))
        tags = {"slot": entry.slot, "epoch": entry.epoch, "cause": entry.cause}
        if entry.signature is not None:
            tags["signature"] = entry.signature
        told = ", ".join(f"{name}:{value}" for name, value in tags.items())
        yield (
            f"\n{calendar.day(entry.slot)} ({entry.seq}) {entry.code}  ; {told}\n"
            f"    {_hledger_name(entry.debit)}  {decimal(entry.amount)} {_COMMODITY}\n"
            f"    {_hledger_name(entry.credit)}  {decimal(-entry.amount)} {_COMMODITY}\n"
        )
    if known:
        yield f"\n{last} balances of the ledger\n"
    for each in known:
        yield f"    {_hledger_name(each.path)}  0 {_COMMODITY} = {decimal(-each.balance)} {_COMMODITY}\n"


def beancount(
    entries: Iterable[Entry], balances: Iterable[Balance], calendar: Calendar
) -> Iterator[str]:
    """Yield lines of a file for beancount; arguments as for `hledger`."""
    known = list(balances)
    first = calendar.first_day
    yield f"{first} commodity {_COMMODITY}\n\n"
    for each in known:
        yield f"{first} open {_beancount_name(each.path)} {_COMMODITY}\n"
    last = first
    for entry in entries:
        last = max(last, calendar.day(entry.slot))
        signature = "" if entry.signature is None else f'  signature: "{entry.signature}"\n'
        yield (
            f'\n{calendar.day(entry.slot)} * "{entry.code}"\n'
            f'  seq: {entry.seq}\n  slot: {entry.slot}\n  epoch: {entry.epoch}\n  cause: "{entry.cause}"\n{signature}'
            f"  {_beancount_name(entry.debit)}  {decimal(entry.amount)} {_COMMODITY}\n"
            f"  {_beancount_name(entry.credit)}  {decimal(-entry.amount)} {_COMMODITY}\n"
        )
    yield "\n"
    # A balance holds at the beginning of its day.
    end = last + timedelta(days=1)
    for each in known:
        yield f"{end} balance {_beancount_name(each.path)}  {decimal(-each.balance)} {_COMMODITY}\n"


def _parts(path: str) -> list[str]:
    kind = "assets" if path in _ASSETS else "liabilities" if "/" in path else "equity"
    return [kind, *path.split("/")]


def _hledger_name(path: str) -> str:
    return ":".join(_parts(path))


def _beancount_name(path: str) -> str:
    """Begin each part with a capital letter, as beancount wants it; addresses, which may begin with any, get a `W-`."""
    kind, *parts = _parts(path)
    if len(parts) == 1:
        return f"{kind.capitalize()}:{parts[0].capitalize()}"
    _, wallet, role = parts
    return f"{kind.capitalize()}:Wallet:W-{wallet}:{role.capitalize().replace('_', '-')}"
