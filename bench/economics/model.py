"""The platform in Python: one binary market, its pool and the vault, with rules that can be switched off.

Built on `programs.curve` and `programs.leverage`, so that with all rules in force every number is the program's own,
base unit by base unit (`twin.py` compares them). Each method is one instruction; refusals carry the name of errors.h
and leave everything as it was. Amounts are base units, prices e6.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from bench.economics.rules import ALL_RULES, Rules
from programs import curve, leverage
from programs.curve import Curve, CurveError, Side
from programs.fixed import ceil_div, mul_div
from programs.normal import price_e6

OUTCOMES: Final = 2
ONE_E6: Final = 1_000_000
STEP_E6: Final = 20_000
"""The oracle moves at most two points per slot, and catches up on at most five slots."""
STEP_SLOTS_MAX: Final = 5
COVERAGE_MIN_E6: Final = 500_000
_CURVE_REFUSALS: Final[dict[type[CurveError], str]] = {
    curve.CurveOverflow: "ARITHMETIC",
    curve.PriceRange: "PRICE_RANGE",
    curve.NoLiquidity: "NO_LIQUIDITY",
    curve.ZeroAmount: "ZERO_AMOUNT",
}


class RefusedError(Exception):
    """An instruction was refused, under its name in errors.h."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def require(condition: bool, name: str) -> None:  # noqa: FBT001  # reads as REQUIRE does in the program
    """Refuse unless the condition holds."""
    if not condition:
        raise RefusedError(name)


@dataclass(slots=True, kw_only=True)
class Position:
    """Long one side of the pool."""

    owner: str
    side: Side
    shares: int
    margin: int
    debt: int
    margin_bps: int
    residual: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an open would do; nothing has changed yet."""

    owner: str
    side: Side
    margin: int
    debt: int
    shares: int
    fee: int
    margin_bps: int


@dataclass(slots=True, kw_only=True)
class Model:
    """One market beside one vault."""

    rules: Rules = ALL_RULES
    slot: int
    price_e6: int
    """The oracle's YES price on chain."""
    price_update_slot: int
    sigma_e6: int = 0

    liquidity: int = 0
    pool_cash: int = 0
    outstanding: list[int] = field(default_factory=lambda: [0, 0])
    leveraged: list[int] = field(default_factory=lambda: [0, 0])
    inventory: list[int] = field(default_factory=lambda: [0, 0])
    inventory_costs: list[int] = field(default_factory=lambda: [0, 0])
    debt: int = 0
    fees_vault: int = 0
    fees_makers: int = 0
    fees_treasury: int = 0
    residual: int = 0
    cap_slot: int = 0
    cap_amount: int = 0
    cap_used: int = 0

    cash: int = 0
    loans: int = 0
    share_supply: int = 0
    bad_debt: int = 0

    positions: dict[int, Position] = field(default_factory=dict)
    opened: int = 0
    wallets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What each owner has received less what each has paid."""
    capped_sales: int = 0
    """Sales that the partial cap cut short."""

    # -- what follows from the state --

    @property
    def curve(self) -> Curve:
        """The pool as the curve sees it."""
        return Curve(liquidity=self.liquidity, q=self.outstanding[0] - self.outstanding[1])

    @property
    def pool_price_e6(self) -> int:
        """The pool's YES price, to the nearest millionth."""
        return price_e6(curve.u(self.curve))

    @property
    def vault_equity(self) -> int:
        """Cash and loans at book."""
        return self.cash + self.loans

    @property
    def inventory_cost(self) -> int:
        """What the vault has let go of debt for the shares in its inventory."""
        return sum(self.inventory_costs)

    @property
    def weighted_debt_e6(self) -> int:
        """Debt times tail loss."""
        return self.loans * leverage.tail_loss_e6(OUTCOMES)

    @property
    def coverage_e6(self) -> int:
        """Unlent cash over weighted debt."""
        return leverage.coverage_e6(self.cash, self.weighted_debt_e6)

    def side_price_e6(self, side: Side, yes_e6: int | None = None) -> int:
        """Return the oracle's price of a side, or the side's at another YES price."""
        yes_e6 = self.price_e6 if yes_e6 is None else yes_e6
        return yes_e6 if side is Side.YES else ONE_E6 - yes_e6

    def required(self, margin: int, shares: int, margin_bps: int) -> int:
        """Return the equity below which a position may be liquidated."""
        reserved = shares if self.rules.gap_reserve else 0
        return leverage.required_margin(margin, reserved, margin_bps)

    def is_due(self, position: Position) -> bool:
        """Tell whether a position may be liquidated."""
        if not position.debt:
            return False
        price = self.side_price_e6(position.side)
        required = self.required(position.margin, position.shares, position.margin_bps)
        equity = leverage.position_equity(position.shares, price, position.debt)
        return equity <= 0 or equity < required

    # -- instructions --

    def stake(self, owner: str, amount: int) -> None:
        """Give the vault cash for shares."""
        value = self.cash + self.loans + self.inventory_cost
        shares = mul_div(amount, self.share_supply + 1_000, value + 1)
        require(bool(shares), "ZERO_AMOUNT")
        assert shares is not None
        self.cash += amount
        self.share_supply += shares
        self.wallets[owner] -= amount

    def add_liquidity(self, owner: str, amount: int) -> int:
        """Buy complete sets for both reserves; return the number of the surplus position, if there is any."""
        added = curve.add_liquidity(self.curve, amount, self.price_e6)
        self.liquidity += amount
        self.pool_cash += added.cash
        self.wallets[owner] -= added.cash
        self.outstanding[Side.YES] += added.surplus_yes
        self.outstanding[Side.NO] += added.surplus_no
        number = self._take_number()
        if added.surplus_yes or added.surplus_no:
            self.positions[number] = Position(
                owner=owner,
                side=Side.YES if added.surplus_yes else Side.NO,
                shares=added.surplus_yes or added.surplus_no,
                margin=0,
                debt=0,
                margin_bps=0,
            )
        return number

    def post(self, to_e6: int) -> None:
        """Move the oracle's price towards a reading, two points per slot since the last."""
        step = STEP_E6 * min(self.slot - self.price_update_slot, STEP_SLOTS_MAX)
        distance = abs(to_e6 - self.price_e6)
        move = min(distance, step) if self.rules.price_clamp else distance
        self.price_e6 += move if to_e6 > self.price_e6 else -move
        self.sigma_e6 = leverage.sigma_next_e6(self.sigma_e6, 0, move)
        self.price_update_slot = self.slot

    def quote_open(self, owner: str, side: Side, margin: int, multiple: int) -> Opening:
        """Say what an open would do, or refuse it."""
        debt = margin * (multiple - 1)
        fee = leverage.fee_amount(margin * multiple, leverage.fee_rate_ubp(self.coverage_e6))
        assert fee is not None
        margin_bps = self._check_loan(debt, multiple) if debt else 0
        try:
            shares = curve.buy_cash(self.curve, side, margin * multiple).shares
        except CurveError as error:
            raise RefusedError(_CURVE_REFUSALS[type(error)]) from error
        if debt:
            self._check_margin(side, margin, shares, debt, margin_bps)
        return Opening(
            owner=owner,
            side=side,
            margin=margin,
            debt=debt,
            shares=shares,
            fee=fee,
            margin_bps=margin_bps,
        )

    def open(self, opening: Opening) -> int:
        """Do what was quoted; return the position's number."""
        paid = opening.margin + opening.debt
        self.pool_cash += paid
        self.outstanding[opening.side] += opening.shares
        if opening.debt:
            self.leveraged[opening.side] += opening.shares
        self.cash -= opening.debt
        self.loans += opening.debt
        self.debt += opening.debt
        self._book_fee(opening.fee)
        self.wallets[opening.owner] -= opening.margin + opening.fee
        number = self._take_number()
        self.positions[number] = Position(
            owner=opening.owner,
            side=opening.side,
            shares=opening.shares,
            margin=opening.margin,
            debt=opening.debt,
            margin_bps=opening.margin_bps,
        )
        return number

    def close(self, number: int) -> None:
        """Sell a position whole, repay its debt and pay its owner."""
        position = self.positions[number]
        proceeds = fee = 0
        if position.shares:
            try:
                proceeds = curve.sell_shares(self.curve, position.side, position.shares)
            except CurveError as error:
                raise RefusedError(_CURVE_REFUSALS[type(error)]) from error
            rate = leverage.fee_rate_ubp(self.coverage_e6)
            fee = min(leverage.fee_amount(proceeds, rate) or 0, proceeds)
        require(proceeds - fee >= position.debt, "PROCEEDS_BELOW_DEBT")
        self.pool_cash -= proceeds
        self.outstanding[position.side] -= position.shares
        self._book_fee(fee)
        if position.debt:
            self.leveraged[position.side] -= position.shares
            self.end_loan(position.debt)
            self.cash += position.debt
        self.residual -= position.residual
        self.wallets[position.owner] += proceeds - fee - position.debt + position.residual
        del self.positions[number]

    def buy_inventory(self, owner: str, side: Side, shares: int) -> int:
        """Buy what the vault took over, at the oracle's price; return the position's number."""
        require(bool(shares), "ZERO_AMOUNT")
        held = self.inventory[side]
        require(shares <= held, "NO_INVENTORY")
        paid = ceil_div(shares * self.side_price_e6(side), ONE_E6)
        self.inventory_costs[side] -= ceil_div(self.inventory_costs[side] * shares, held)
        self.inventory[side] -= shares
        self.cash += paid
        self.wallets[owner] -= paid
        number = self._take_number()
        self.positions[number] = Position(
            owner=owner, side=side, shares=shares, margin=0, debt=0, margin_bps=0
        )
        return number

    # -- parts of the above --

    def _take_number(self) -> int:
        self.opened += 1
        return self.opened - 1

    def _check_loan(self, debt: int, multiple: int) -> int:
        coverage = self.coverage_e6
        require(coverage >= COVERAGE_MIN_E6, "COVERAGE_LOW")
        most = leverage.leverage_max(coverage, OUTCOMES, self.vault_equity)
        require(multiple <= most, "LEVERAGE_TOO_HIGH")
        require(debt <= self.cash, "VAULT_CASH")
        weighted = (self.loans + debt) * leverage.tail_loss_e6(OUTCOMES)
        after = leverage.coverage_e6(self.cash - debt, weighted)
        require(after >= COVERAGE_MIN_E6, "COVERAGE_LOW")
        if self.rules.debt_cap:
            require(self.debt + debt <= self.vault_equity // 10, "MARKET_DEBT_CAP")
        return 500 if after > ONE_E6 else 1_000

    def _check_margin(self, side: Side, margin: int, shares: int, debt: int, bps: int) -> None:
        equity = max(shares * self.side_price_e6(side) // ONE_E6 - debt, 0)
        required = self.required(margin, shares, bps)
        if self.rules.margin_buffer:
            require(equity >= required + ceil_div(required, 4), "MARGIN_TOO_THIN")
        if self.rules.slippage_limit:
            require(equity >= margin - margin // 5, "SLIPPAGE_TOO_LARGE")
        if self.rules.side_cap:
            require(self.leveraged[side] + shares <= self.liquidity // 8, "SIDE_CAP")

    def _book_fee(self, fee: int) -> None:
        treasury, makers = fee // 10, fee // 5
        self.fees_treasury += treasury
        self.fees_makers += makers
        self.fees_vault += fee - treasury - makers

    def end_loan(self, amount: int) -> None:
        """Take a loan off the books; the caller books the other side."""
        self.loans -= amount
        self.debt -= amount
