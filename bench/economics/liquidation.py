"""Liquidation in the model: who is due, how much of a position must go, where it goes, and who bears the rest."""

from dataclasses import dataclass
from typing import Final

from bench.economics.model import ONE_E6, Model, Position, require
from programs import curve, leverage
from programs.curve import Side
from programs.fixed import ceil_div
from programs.units import PRICE_MAX_E6

FLOOR_GAP_E6: Final = 50_000
SMALL_POSITION: Final = 10_000_000
BOUNTY_BPS: Final = 5
BOUNTY_UNDERWATER_BPS: Final = 2
PRICE_LOWEST_E6: Final = 1_000


@dataclass(slots=True, kw_only=True)
class Sale:
    """What a liquidation wants of one position."""

    position: Position
    want: int
    is_underwater: bool
    is_capped: bool


def liquidate(model: Model, keeper: str, numbers: list[int]) -> list[int]:
    """Liquidate what is due of a batch; return what was, in the batch's order.

    Raises:
        RefusedError: nothing was.
    """
    done = [number for number in numbers if _liquidate_one(model, keeper, number)]
    require(bool(done), "NOTHING_LIQUIDATED")
    return done


def _liquidate_one(model: Model, keeper: str, number: int) -> bool:
    position = model.positions.get(number)
    if position is None or not model.is_due(position):
        return False
    sale = _judge(model, position)
    if not sale.want:
        return False
    return _sell(model, sale, keeper)


def _judge(model: Model, position: Position) -> Sale:
    """How much of a position that is due must go."""
    price = model.side_price_e6(position.side)
    value = position.shares * price // ONE_E6
    is_underwater = value <= position.debt
    reserve = model.required(0, position.shares, 0)
    if is_underwater or value - position.debt < reserve or value < SMALL_POSITION:
        return Sale(
            position=position,
            want=position.shares,
            is_underwater=is_underwater,
            is_capped=False,
        )
    room = _cap_room(model) * ONE_E6 // price
    model.capped_sales += room < position.shares
    return Sale(
        position=position,
        want=min(room, position.shares),
        is_underwater=False,
        is_capped=True,
    )


def _cap_room(model: Model) -> int:
    if model.cap_slot != model.slot:
        interest = sum(model.leveraged[s] * model.side_price_e6(s) // ONE_E6 for s in Side)
        model.cap_slot, model.cap_used = model.slot, 0
        model.cap_amount = leverage.liquidation_cap(interest, model.sigma_e6)
    return max(model.cap_amount - model.cap_used, 0)


def _sell(model: Model, sale: Sale, keeper: str) -> bool:
    """Sell on the pool down to the floor; under it the vault's inventory takes what the debt needs."""
    position, side = sale.position, sale.position.side
    oracle = model.side_price_e6(side)
    room = (
        curve.shares_to_price(model.curve, side, _floor_e6(model, sale)) if model.liquidity else 0
    )
    sold = min(sale.want, room)
    proceeds = curve.sell_shares(model.curve, side, sold) if sold else 0
    is_cheap = sale.is_underwater and model.rules.underwater_bounty
    bounty = proceeds * (BOUNTY_UNDERWATER_BPS if is_cheap else BOUNTY_BPS) // 10_000
    received = proceeds - bounty
    short, rest = max(position.debt - received, 0), sale.want - sold
    taken = credit = 0
    if rest and short and (price := _inventory_price_e6(model, sale)):
        taken = min(ceil_div(short * ONE_E6, price), rest)
        credit = min(taken * price // ONE_E6, short)
    if not sold and not taken:
        return False
    model.pool_cash -= proceeds
    model.outstanding[side] -= sold
    model.inventory[side] += taken
    if sale.is_capped:
        model.cap_used += ceil_div(sold * oracle, ONE_E6)
    _settle(model, position, gone=sold + taken, received=received, credit=credit)
    model.wallets[keeper] += bounty
    return True


def _floor_e6(model: Model, sale: Sale) -> int:
    """The lowest marginal price at which the pool may buy."""
    oracle = model.side_price_e6(sale.position.side)
    floor = max(oracle - FLOOR_GAP_E6, PRICE_LOWEST_E6)
    if not model.rules.sale_floor:
        floor = PRICE_LOWEST_E6
    if model.rules.sales_repay:
        kept = 10_000 - BOUNTY_BPS
        repays = ceil_div(sale.position.debt * ONE_E6 * 10_000, sale.position.shares * kept)
        floor = max(floor, min(repays, PRICE_MAX_E6), oracle if sale.is_underwater else 0)
    return floor


def _inventory_price_e6(model: Model, sale: Sale) -> int:
    """What the vault pays for the shares that the pool does not buy; 0 when it takes none."""
    oracle = model.side_price_e6(sale.position.side)
    if model.rules.sales_repay:
        return 0 if sale.is_capped else max(oracle, PRICE_LOWEST_E6)
    return _floor_e6(model, sale) if sale.is_underwater else 0


def _settle(model: Model, position: Position, *, gone: int, received: int, credit: int) -> None:
    repaid = min(received, position.debt)
    left = position.shares - gone
    position.debt -= repaid + credit
    bad_debt = 0 if left else position.debt
    position.debt -= bad_debt
    model.end_loan(repaid + credit + bad_debt)
    model.inventory_cost += credit
    model.bad_debt += bad_debt
    model.cash += repaid
    position.residual += received - repaid
    model.residual += received - repaid
    position.margin = ceil_div(position.margin * left, position.shares)
    model.leveraged[position.side] -= gone if position.debt else position.shares
    position.shares = left
