"""The committed program in LiteSVM, acted upon and read back in the model's words."""

from collections.abc import Sequence
from typing import Final

from solders.pubkey import Pubkey

from bench.economics import model
from bench.economics.model import Model
from programs import accounts, curve
from programs.accounts import Position
from programs.curve import Curve, Side
from tests.chain.harness import USD, Platform, User

PURSE_USD: Final = 1_000_000_000
_MARKET_FIELDS: Final = (
    "debt", "fees_vault", "fees_makers", "fees_treasury", "residual", "sigma_e6", "price_update_slot",
    "cap_slot", "cap_amount", "cap_used",
)  # fmt: skip
_VAULT_FIELDS: Final = (
    "cash", "loans", "weighted_debt_e6", "share_supply", "bad_debt", "inventory_cost",
)  # fmt: skip


class Chain:
    """One binary market of the real program; owners go by name and positions by the model's numbers."""

    def __init__(self, start_e6: int) -> None:
        self.platform = Platform(is_audited=False)  # the whole is audited once, at the end
        self.platform.initialize()
        self.market: Pubkey = self.platform.create_market("m", start_e6)
        self.platform.post(self.market, start_e6)
        self._users: dict[str, User] = {}
        self._positions: dict[int, tuple[User, int, Pubkey]] = {}

    def user(self, name: str) -> User:
        """Return the owner of that name, made on first sight with a full purse."""
        if name not in self._users:
            self._users[name] = self.platform.user(PURSE_USD)
        return self._users[name]

    def wallet(self, name: str) -> int:
        """Return what an owner has received less what he has paid."""
        return self.platform.tokens(self.user(name).tokens) - PURSE_USD * USD

    def add_liquidity(self, owner: str, amount: int, number: int) -> None:
        """Fund the pool; the surplus, if there is any, is a position that the model knows by this number."""
        user = self.user(owner)
        self._remember(number, user, user.next_position_id)
        self.platform.add_liquidity(user, self.market, amount)

    def open(self, owner: str, side: Side, margin: int, multiple: int, number: int) -> None:
        """Open a position that the model knows by this number."""
        user = self.user(owner)
        position_id, _ = self.platform.open(
            user, self.market, margin, leverage=multiple, side=accounts.Side(side)
        )
        self._remember(number, user, position_id)

    def close(self, number: int) -> None:
        """Close a position whole."""
        user, position_id, address = self._positions[number]
        position = Position.from_bytes(self.platform.data(address))
        self.platform.close(user, self.market, position_id, has_debt=position.debt > 0)

    def buy_inventory(self, owner: str, side: Side, shares: int, number: int) -> None:
        """Buy of the vault's inventory what the model knows by this number."""
        user = self.user(owner)
        position_id, _ = self.platform.buy_inventory(
            user, self.market, shares, side=accounts.Side(side)
        )
        self._remember(number, user, position_id)

    def liquidate(self, keeper: str, numbers: Sequence[int]) -> None:
        """Send one batch."""
        targets = [self._positions[number][2] for number in numbers]
        self.platform.liquidate(self.user(keeper), self.market, targets)

    def trade_to(self, owner: str, yes_e6: int) -> None:
        """Buy NO until the pool is down at a YES price, or leave it when it is there."""
        pool = self.platform.market(self.market).pools[0]
        now = Curve(liquidity=pool.liquidity, q=pool.q)
        shares = curve.shares_to_price(now, Side.YES, yes_e6)
        if shares:
            cost = curve.buy_shares(now, Side.NO, shares)
            self.platform.open(self.user(owner), self.market, cost, side=accounts.Side.NO)

    def compare(self, mine: Model) -> None:
        """Find every number of the accounts equal to the model's."""
        _same("slot", self.platform.slot, mine.slot)
        market, vault = self.platform.market(self.market), self.platform.vault()
        (pool,) = market.pools
        for name in _MARKET_FIELDS:
            _same(name, getattr(market, name), getattr(mine, name))
        for name in _VAULT_FIELDS:
            _same(name, getattr(vault, name), getattr(mine, name))
        _same("price", pool.price_e6, mine.price_e6)
        _same("liquidity", pool.liquidity, mine.liquidity)
        _same("pool cash", pool.cash, mine.pool_cash)
        _same("outstanding", list(pool.outstanding), mine.outstanding)
        _same("leveraged", list(pool.leveraged), mine.leveraged)
        _same("inventory", list(pool.inventory), mine.inventory)
        _same("inventory's cost", list(pool.inventory_cost), mine.inventory_costs)
        for name, amount in mine.wallets.items():
            _same(f"wallet of {name}", self.wallet(name), amount)
        for number, position in mine.positions.items():
            self._compare_position(number, position)

    def _remember(self, number: int, user: User, position_id: int) -> None:
        address = self.platform.position_address(user, self.market, position_id)
        self._positions[number] = user, position_id, address

    def _compare_position(self, number: int, mine: model.Position) -> None:
        theirs = Position.from_bytes(self.platform.data(self._positions[number][2]))
        for name in ("side", "shares", "margin", "debt", "margin_bps", "residual"):
            _same(f"{name} of position {number}", getattr(theirs, name), getattr(mine, name))


def _same(name: str, program: object, model: object) -> None:
    assert program == model, f"{name}: the program says {program}, the model {model}"
