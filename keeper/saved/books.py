"""Whether what single accounts say adds up to what the program's own counters say.

Core. Every total of the root stands in the books a second time, kept by other instructions in another account.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from keeper.saved.content import Block
from programs.accounts import Global, MalformedAccountError, Vault
from programs.layout import EPOCH_DTYPE, LAYOUT_VERSION, AccountKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One total, said twice."""

    name: str
    accounts: int
    """The sum over accounts."""
    counter: int | None
    """What the program counted; None: the account that has it is missing."""

    @property
    def is_balanced(self) -> bool:
        """Whether both are the same."""
        return self.accounts == self.counter


class Books:
    """Totals of blocks as they pass."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts: dict[AccountKind | None, int] = {}
        """Accounts by kind; None: of none."""
        self._pool_liquidity = self._posted = 0
        self._global: Global | None = None
        self._vault: Vault | None = None

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield blocks, and remember what they come to."""
        for block in blocks:
            self._take(block)
            yield block

    def lines(self, sums: tuple[int, int, int]) -> list[Line]:
        """Return the books, once everything has passed, beside the sums of the root."""
        debt, liquidity, _ = sums
        loans = None if self._vault is None else self._vault.loans
        posted = None if self._global is None else self._global.posted_mmt
        return [
            Line(name="vault debt, and the vault's loans", accounts=debt, counter=loans),
            Line(
                name="maker liquidity, and the pools' own",
                accounts=liquidity,
                counter=self._pool_liquidity,
            ),
            Line(
                name="rewards posted, and the genesis account's counter",
                accounts=self._posted,
                counter=posted,
            ),
        ]

    def _take(self, block: Block) -> None:
        if block.table is not None:
            kind = block.table.kind
            self._count(kind, len(block.table))
            self._pool_liquidity += sum(block.table.pools["liquidity"].tolist())
            return
        for _, data in block.others:
            kind_of = AccountKind(data[0]) if data and data[0] in set(AccountKind) else None
            self._count(kind_of, 1)
            self._take_other(kind_of, data)

    def _take_other(self, kind: AccountKind | None, data: bytes) -> None:
        try:
            if kind is AccountKind.GLOBAL:
                self._global = Global.from_bytes(data)
            elif kind is AccountKind.VAULT:
                self._vault = Vault.from_bytes(data)
        except MalformedAccountError:  # then the line says that there is no counter
            return
        is_epoch = kind is AccountKind.EPOCH and len(data) >= EPOCH_DTYPE.itemsize
        if is_epoch and data[1] == LAYOUT_VERSION:
            self._posted += int(np.frombuffer(data, EPOCH_DTYPE, count=1)[0]["total"])

    def _count(self, kind: AccountKind | None, accounts: int) -> None:
        if accounts:
            self.counts[kind] = self.counts.get(kind, 0) + accounts
