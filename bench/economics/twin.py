"""The model, and beside it the program: every act happens to both, and both must come to the same numbers."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Final, Self

from bench.economics.chain import Chain
from bench.economics.liquidation import liquidate
from bench.economics.model import ONE_E6, Model, RefusedError
from bench.economics.rules import ALL_RULES, Rules
from programs import curve, errors
from programs.curve import Side

FIRST_SLOT: Final = 1_000
POINT_E6: Final = 10_000
_EDGE_E6: Final = 2_000
"""The pool ends at 0.001: nobody goes nearer."""
_DUST: Final = 1_000
"""A tenth of a cent: nobody trades for less."""


class Twin:
    """One platform, twice; or the model alone, when rules are missing or nobody asks for the program."""

    def __init__(self, rules: Rules, start_e6: int, *, has_chain: bool) -> None:
        assert not has_chain or rules == ALL_RULES, "the program has all rules"
        self._start_e6 = start_e6
        self._chain = Chain(start_e6) if has_chain else None
        slot = self._chain.platform.slot if self._chain else FIRST_SLOT
        self.model = Model(rules=rules, slot=slot, price_e6=start_e6, price_update_slot=slot)
        self._acts: list[Callable[[Chain], object]] = []

    def fork(self) -> Self:
        """Return a platform of its own in the same state: the program's by the same transactions again."""
        twin = type(self)(self.model.rules, self._start_e6, has_chain=self._chain is not None)
        for act in self._acts if self._chain else ():
            twin._act(act)  # noqa: SLF001  # a twin of its own class
        twin.model = deepcopy(self.model)
        return twin

    def compare(self) -> None:
        """Find every number of the program's accounts equal to the model's."""
        if self._chain:
            self._chain.compare(self.model)

    def audit(self) -> None:
        """Compare, and find the program's tokens, accounts and events agreeing with each other."""
        self.compare()
        if self._chain:
            self._chain.platform.audit()

    def next_slot(self) -> None:
        """Let one slot pass."""
        self.model.slot += 1
        self._act(lambda chain: chain.platform.warp(1))

    def post(self, yes_e6: int) -> None:
        """Post a reading of the oracle."""
        self.model.post(yes_e6)
        self._act(lambda chain: chain.platform.post(chain.market, yes_e6))

    def stake(self, owner: str, amount: int) -> None:
        """Fund the vault."""
        self.model.stake(owner, amount)
        self._act(lambda chain: chain.platform.stake(chain.user(owner), amount))

    def add_liquidity(self, owner: str, amount: int) -> None:
        """Fund the pool."""
        number = self.model.add_liquidity(owner, amount)
        self._act(partial(Chain.add_liquidity, owner=owner, amount=amount, number=number))

    def open(self, owner: str, side: Side, margin: int, multiple: int = 1) -> int:
        """Open a position and return its number."""
        number = self.model.open(self.model.quote_open(owner, side, margin, multiple))
        self._act(
            partial(
                Chain.open, owner=owner, side=side, margin=margin, multiple=multiple, number=number
            )
        )
        return number

    def expect_refusal(self, owner: str, side: Side, margin: int, multiple: int) -> str:
        """Find both refusing an open for the same reason; return it."""
        try:
            self.model.quote_open(owner, side, margin, multiple)
        except RefusedError as refusal:
            name = refusal.name
        else:
            raise AssertionError("the model opens what should be refused")
        self._refuses(name, lambda chain: chain.open(owner, side, margin, multiple, -1))
        return name

    def close(self, number: int) -> None:
        """Close a position whole."""
        self.model.close(number)
        self._act(partial(Chain.close, number=number))

    def liquidate(self, keeper: str, numbers: list[int]) -> None:
        """Send one batch.

        Raises:
            RefusedError: by both.
        """
        act = partial(Chain.liquidate, keeper=keeper, numbers=numbers)
        try:
            liquidate(self.model, keeper, numbers)
        except RefusedError as refusal:
            self._refuses(refusal.name, act)
            raise
        self._act(act)

    def buy_inventory(self, owner: str, side: Side) -> None:
        """Buy all that the vault holds of a side, if it holds any."""
        shares = self.model.inventory[side]
        if shares:
            number = self.model.buy_inventory(owner, side, shares)
            self._act(
                partial(Chain.buy_inventory, owner=owner, side=side, shares=shares, number=number)
            )

    def trade_to(self, owner: str, yes_e6: int) -> int | None:
        """Buy whichever side brings the pool to a YES price; the position's number, or None when it is there."""
        yes_e6 = min(max(yes_e6, _EDGE_E6), ONE_E6 - _EDGE_E6)
        sold = Side.YES if self.model.pool_price_e6 > yes_e6 else Side.NO
        bought = Side(1 - sold)
        to_e6 = self.model.side_price_e6(sold, yes_e6)
        shares = curve.shares_to_price(self.model.curve, sold, to_e6)
        if shares < _DUST:
            return None
        return self.open(owner, bought, curve.buy_shares(self.model.curve, bought, shares))

    def _act(self, act: Callable[[Chain], object]) -> None:
        self._acts.append(act)
        if self._chain:
            act(self._chain)

    def _refuses(self, name: str, act: Callable[[Chain], object]) -> None:
        """Find the program refusing what the model refuses, by the same name."""
        if not self._chain:
            return
        try:
            act(self._chain)
        except errors.BY_NAME[name]:
            return
        raise AssertionError(f"the program does what the model refuses: {name}")
