"""The guards between a price and the chain: what is posted, and who is liquidated on it."""

from typing import Final

from bench.guards.guard import Guard

ACTING: Final = (
    Guard(
        name="what may not be posted is not",
        file="keeper/posting.py",
        found="    if not reading.permissions.post:\n",
        replacement="    if reading.price_class not in CHAIN_CLASSES and market.publish_slot < 0:\n",
        drills=("price-spike", "total-outage"),
    ),
    Guard(
        name="uncertain forbids posting",
        file="keeper/prices/price.py",
        found="        PriceClass.UNCERTAIN: _NOTHING,\n",
        replacement="        PriceClass.UNCERTAIN: Permissions(post=False, liquidate=True, liquidate_at_band=False, execute_chain=True),\n",
        drills=("doubt-before-a-liquidation",),
    ),
    Guard(
        name="what may not be liquidated on is not",
        file="keeper/reading.py",
        found="    if not permissions.liquidate:\n",
        replacement="    if not permissions.pay_rewards:\n",
        drills=("doubt-before-a-liquidation",),
    ),
    Guard(
        name="a degraded price liquidates at its band only once the chain knows the band",
        file="keeper/reading.py",
        found="    if permissions.liquidate_at_band and CHAIN_CLASSES[chain_class] is PriceClass.VALID:\n",
        replacement="    if permissions.liquidate_at_band and not permissions.liquidate:\n",
        drills=("degraded-before-a-liquidation",),
    ),
    Guard(
        name="who is under water only on the chain's own way back is spared",
        file="keeper/reading.py",
        found="    return off_e6 > price.band_e6 + change_e6\n",
        replacement="    return off_e6 > 1_000 * (price.band_e6 + change_e6)\n",
        drills=("gamma-lies", "recovery-in-a-cascade"),
    ),
)
