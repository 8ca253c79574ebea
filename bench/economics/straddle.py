"""The price of jump risk, which nobody pays: both sides at full leverage while the rest of the world moves the pool.

No attack on the program: the gain is that of any option on a jump, and the loss that of whoever wrote it, which is the
vault. The vault earns 70 % of the fee for it and no interest; how rarely a jump must come for that to be enough is the
figure to know before staking.
"""

from dataclasses import dataclass

from bench.economics.attacks.ground import TRADER, Ground, settle
from bench.economics.jump import START_E6, fill, keep
from bench.economics.twin import POINT_E6
from programs.curve import Side
from programs.fixed import ceil_div

SLICES = 10
NEWS_POINTS = 30
LEVEL_E6 = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Straddle:
    """Both sides at full leverage, once with a jump and once without. Base units."""

    liquidity: int
    cost: int
    """What the holder pays when nothing happens: the fees, and the roundings."""
    gain: int
    """What he earns in a jump that others bring to the pool first."""
    vault_fees: int
    """70 % of the fees when nothing happens."""
    vault_loss: int
    """In the jump, with the inventory at the price after it."""

    @property
    def holder_breaks_even(self) -> int:
        """How many quiet times one jump pays for."""
        return self.gain // self.cost

    @property
    def vault_breaks_even(self) -> int:
        """How many quiet times the vault needs to earn one jump's loss."""
        return ceil_div(self.vault_loss, self.vault_fees)


def straddle(liquidity: int, ground: Ground) -> Straddle:
    """Open ten of each side; close them at once, or after the news."""
    sides = [Side.YES, Side.NO] * SLICES
    quiet = ground.found(liquidity)
    fill(quiet, sides, arbitrageur=TRADER)
    cost = -settle(quiet)
    twin = ground.found(liquidity)
    fill(twin, sides, arbitrageur="others")
    model, equity, news_e6 = twin.model, twin.model.vault_equity, START_E6 - NEWS_POINTS * POINT_E6
    while True:
        twin.next_slot()
        twin.post(news_e6)
        twin.trade_to("others", news_e6)
        if not list(keep(twin)) and model.price_e6 == news_e6:
            break
    gain = settle(twin)
    worth = model.inventory[Side.YES] * news_e6 // LEVEL_E6
    return Straddle(
        liquidity=liquidity,
        cost=cost,
        gain=gain,
        vault_fees=quiet.model.fees_vault,
        vault_loss=equity - model.vault_equity - worth,
    )
