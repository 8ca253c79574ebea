"""Liquidation in the model: who is due, how much of each must go, where a batch's shares go, and who bears the rest.

As betting_platform/liquidate.c has it: the first pass judges, the second sells. Positions on one side sell together,
those under water apart from the others, and share the proceeds by their shares.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bench.economics.model import ONE_E6, Model, Position, RefusedError
from programs import curve, leverage
from programs.curve import Side
from programs.fixed import ceil_div

FLOOR_GAP_E6: Final = 50_000
SMALL_POSITION: Final = 10_000_000
BOUNTY_BPS: Final = 5
BOUNTY_UNDERWATER_BPS: Final = 2
_BPS_ONE: Final = 10_000
_Q64: Final = 64


@dataclass(slots=True, kw_only=True)
class Group:
    """Positions that sell in one trade."""

    want: int = 0
    least_e6: int = 0
    """The highest of the prices that each of them asks for."""
    unsold: int = 0
    """Shares of the sale not yet handed out."""
    undivided: int = 0
    """Cash of the sale not yet handed out."""
    rate_q64: int = 0
    """Cash a share."""

    def hand_out(self, want: int) -> tuple[int, int]:
        """Return a position's part of the sale, shares and cash; the last takes what rounding leaves."""
        sold = min(want, self.unsold)
        proceeds = sold * self.rate_q64 >> _Q64 if sold < self.unsold else self.undivided
        self.unsold -= sold
        self.undivided -= proceeds
        return sold, proceeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a batch wants of one position."""

    number: int
    position: Position
    want: int
    is_underwater: bool
    is_capped: bool

    @property
    def group(self) -> tuple[Side, bool]:
        """The positions that it sells with."""
        return self.position.side, self.is_underwater


@dataclass(slots=True, kw_only=True)
class Batch:
    """One instruction at work."""

    model: Model
    keeper: str
    reserved: int = 0
    """Value that the batch's targets take of the cap."""
    targets: list[Target] = field(default_factory=list)
    groups: dict[tuple[Side, bool], Group] = field(default_factory=lambda: defaultdict(Group))


def liquidate(model: Model, keeper: str, numbers: Iterable[int]) -> list[int]:
    """Liquidate what is due of a batch; return what was, in the batch's order.

    Raises:
        RefusedError: nothing was.
    """
    batch = Batch(model=model, keeper=keeper)
    cap = model.cap_slot, model.cap_amount, model.cap_used
    for number in dict.fromkeys(numbers):
        _consider(batch, number)
    for side in dict.fromkeys(target.position.side for target in batch.targets):
        for is_underwater in (True, False):
            _sell(model, side, batch.groups[side, is_underwater])
    done = [target.number for target in batch.targets if _settle(batch, target)]
    if not done:
        model.cap_slot, model.cap_amount, model.cap_used = cap
        raise RefusedError("NOTHING_LIQUIDATED")
    return done


def _consider(batch: Batch, number: int) -> None:
    """Make a target of a position that is due, unless the slot's cap is used up."""
    position = batch.model.positions.get(number)
    if position is None or not batch.model.is_due(position):
        return
    target = _judge(batch, number, position)
    if not target.want:
        return
    batch.targets.append(target)
    group = batch.groups[target.group]
    group.want += target.want
    group.least_e6 = max(group.least_e6, _least_e6(batch.model, target))


def _judge(batch: Batch, number: int, position: Position) -> Target:
    """How much of a position that is due must go."""
    model = batch.model
    price = model.side_price_e6(position.side)
    value = position.shares * price // ONE_E6
    is_underwater = value <= position.debt
    reserve = model.required(0, position.shares, 0)
    is_whole = value - position.debt < reserve or value < SMALL_POSITION
    want = position.shares
    if not (is_underwater or is_whole):
        want = min(_cap_room(batch) * ONE_E6 // price, position.shares)
        batch.reserved += ceil_div(want * price, ONE_E6)
        model.capped_sales += want < position.shares
    return Target(
        number=number,
        position=position,
        want=want,
        is_underwater=is_underwater,
        is_capped=not (is_underwater or is_whole),
    )


def _cap_room(batch: Batch) -> int:
    model = batch.model
    if model.cap_slot != model.slot:
        interest = sum(model.leveraged[s] * model.side_price_e6(s) // ONE_E6 for s in Side)
        model.cap_slot, model.cap_used = model.slot, 0
        model.cap_amount = leverage.liquidation_cap(interest, model.sigma_e6)
    return max(model.cap_amount - model.cap_used - batch.reserved, 0)


def _least_e6(model: Model, target: Target) -> int:
    """The lowest price that a position asks for: one that repays its debt."""
    if not model.rules.sales_repay:
        return 0
    position = target.position
    if target.is_underwater:
        return model.side_price_e6(position.side)
    price = ceil_div(position.debt * ONE_E6 * _BPS_ONE, position.shares)
    return ceil_div(price, _BPS_ONE - BOUNTY_BPS)


def _sell(model: Model, side: Side, group: Group) -> None:
    """Sell what a group wants in one trade, down to its floor."""
    floor_e6 = 0
    if model.rules.sale_floor:
        floor_e6 = max(group.least_e6, model.side_price_e6(side) - FLOOR_GAP_E6)
    room = curve.shares_to_price(model.curve, side, floor_e6) if model.liquidity else 0
    sold = min(group.want, room)
    if not sold:
        return
    proceeds = curve.sell_shares(model.curve, side, sold)
    group.unsold, group.undivided, group.rate_q64 = sold, proceeds, (proceeds << _Q64) // sold
    model.pool_cash -= proceeds
    model.outstanding[side] -= sold


def _settle(batch: Batch, target: Target) -> bool:
    """Give a target its part of the sale, and the vault's inventory what the debt needs of the rest."""
    model, position, side = batch.model, target.position, target.position.side
    sold, proceeds = batch.groups[target.group].hand_out(target.want)
    bps = BOUNTY_BPS
    if target.is_underwater and model.rules.underwater_bounty:
        bps = BOUNTY_UNDERWATER_BPS
    bounty = proceeds * bps // _BPS_ONE
    received = proceeds - bounty
    short, rest = max(position.debt - received, 0), target.want - sold
    taken = credit = 0
    if rest and short and (price := _inventory_price_e6(model, target)):
        taken = min(ceil_div(short * ONE_E6, price), rest)
        credit = min(taken * price // ONE_E6, short)
    if not sold and not taken:
        return False
    model.inventory[side] += taken
    model.inventory_costs[side] += credit
    if target.is_capped:
        model.cap_used += ceil_div(sold * model.side_price_e6(side), ONE_E6)
    _book(model, position, gone=sold + taken, received=received, credit=credit)
    model.wallets[batch.keeper] += bounty
    return True


def _inventory_price_e6(model: Model, target: Target) -> int:
    """What the vault pays for the shares that the pool does not buy; 0 when it takes none."""
    oracle = model.side_price_e6(target.position.side)
    if not model.rules.sale_floor:
        return 0
    if model.rules.sales_repay:
        return 0 if target.is_capped else oracle
    return max(oracle - FLOOR_GAP_E6, 0) if target.is_underwater else 0


def _book(model: Model, position: Position, *, gone: int, received: int, credit: int) -> None:
    repaid = min(received, position.debt)
    left = position.shares - gone
    position.debt -= repaid + credit
    bad_debt = 0 if left else position.debt
    position.debt -= bad_debt
    model.end_loan(repaid + credit + bad_debt)
    model.bad_debt += bad_debt
    model.cash += repaid
    position.residual += received - repaid
    model.residual += received - repaid
    position.margin = ceil_div(position.margin * left, position.shares)
    model.leveraged[position.side] -= gone if position.debt else position.shares
    position.shares = left
