"""The second half of the page: attacks, the rule that ends the worst of them, and the limit of the design."""

from collections.abc import Iterator

from bench.economics.jump import USD, Arbitrage
from bench.economics.markdown import dollars, percent, section, table
from bench.economics.straddle import NEWS_POINTS
from bench.economics.study import Study


def attacks(study: Study) -> str:
    """Tell what every attack earns."""
    paying = [each for each in study.verdicts if each.profit > 0]
    summary = (
        "None pays. What a larger move pays whoever waited for it is the last section's subject."
    )
    if paying:
        names = " and ".join(f"*{each.name}*" for each in paying)
        summary = f"**{len(paying)} of them pay: {names}.**"
    rows = [
        [each.name, each.sentence, str(each.variants), f"{each.profit / USD:,.6f}", each.best]
        for each in study.verdicts
    ]
    return section(
        "## Attacks",
        "Each is played through the program in every variant. The attacker is alone but for the keeper, so nobody else's "
        "trade pays him; the profit is what his wallets hold at the end, everything closed that can be, less what they "
        "held at the start. The oracle moves in updates of two points at most, which is what positions keep in reserve. "
        f"{summary}",
        table(["attack", "what is tried", "variants", "best profit, $", "best variant"], rows),
    )


def sales_repay(study: Study) -> str:
    """Tell what the rule that liquidations repay the debt is worth, and what it costs."""
    alike = {each.name: each for each in study.verdicts}
    profits = [
        [without.name, dollars(without.profit), dollars(alike[without.name].profit)]
        for without in study.unrepaid_verdicts
    ]
    losses = [
        [
            arbitrage.value,
            *(
                str(max(each.loss_bps for each in results if each.arbitrage == arbitrage.value))
                for results in (study.unrepaid_jumps, study.jumps)
            ),
        ]
        for arbitrage in Arbitrage
    ]
    heads = ["without the rule", "with it"]
    return section(
        "### Why a liquidation never sells for less than repays the debt",
        "A position is due while it still has equity of up to two points a share. If the pool could then buy it at any "
        "price down to five points under the oracle, whoever holds it would push the pool there first: the sale brings "
        "less than the debt, the vault books the rest as bad debt, and the shares that the attacker bought in order to "
        "push are worth that much more when he closes them. It takes no jump: the oracle only has to move by what a new "
        "position at full leverage has above its reserve, which is less than a point.",
        "So the program sells only at prices that repay the debt and the bounty; what is underwater, only above the "
        "oracle's price; and the vault takes what the pool does not buy into inventory at the oracle's price, as much as "
        "the debt needs. Best profit of each attack, in the model:",
        table(["attack", *heads], profits),
        "**What it costs**: where the pool is thin, or there before the keeper, and the price runs on, the vault holds "
        "through the move what the pool would have bought at a discount. Worst jump, in bps of vault equity:",
        table(["pool before the keeper", *heads], losses),
    )


def limits(study: Study) -> str:
    """Tell what the vault earns against what it risks."""
    rows = [
        [
            dollars(each.liquidity, 0),
            dollars(each.cost),
            dollars(each.gain),
            str(each.holder_breaks_even),
            dollars(each.vault_fees),
            dollars(each.vault_loss),
            str(each.vault_breaks_even),
        ]
        for each in study.straddles
    ]
    worst = max(each.loss_bps for each in study.jumps)
    return section(
        "## The limit of the design",
        "**The vault earns 70 % of the fee and no interest, and carries the risk of the jump.** Rules bound what a jump "
        "takes; they do not pay for it. Whoever holds both sides at full leverage owns an option on a jump for the price "
        f"of two fees. Here others bring the pool to the news at once, {NEWS_POINTS} points away, and he sells the winning "
        "side to the pool there:",
        table(
            ["L", "costs him when nothing happens", "earns him in the jump", "quiet times per jump at which he is even",
             "earns the vault when nothing happens", "costs the vault in the jump",
             "quiet times per jump at which the vault is even"],
            rows,
        ),
        *_pushed(study),
        "If such jumps come more often than that, staking loses money however well the keeper works. The debt cap bounds "
        "the loss market by market only: markets that jump together lose together, and coverage of 0.5 lets eight markets "
        "borrow a tenth of the vault each, so that one event moving all eight as in the worst jump above would take "
        f"{percent(8 * worst)}.",
        "A staker who keeps a request standing forgoes what the vault gains from then on, and may leave before a loss that "
        "everybody sees coming is booked; a fifth of the vault per 150 slots can, and those who stay bear the loss.",
    )  # fmt: skip


def _pushed(study: Study) -> Iterator[str]:
    """Tell what the same option earns without the others."""
    ways = list(dict.fromkeys((each.slots, each.buys_back) for each in study.pushed))
    rows = [
        [f"{points:g}"] + [f"{dollars(each.profit)} ({dollars(each.vault_loss)})" for each in row]
        for points in dict.fromkeys(each.points for each in study.pushed)
        for row in [[each for each in study.pushed if each.points == points]]
    ]
    heads = [
        f"{_every(slots)}, {'bought back' if buys_back else 'left'}" for slots, buys_back in ways
    ]
    yield (
        "Nor does he need the others. He pushes the pool to the oracle himself, his leveraged shares go to the vault's "
        "inventory at the oracle's price then, the price runs on, and he buys them back at the oracle's price later; and "
        "where an update is late and moves further than the reserve, what is underwater sells on the pool above the "
        "oracle's price, and he need not buy back. What he earns so, holding YES at full leverage and as much NO, in the "
        "best of some variants, and in parentheses what it costs the vault; *left* and *bought back* is the inventory:"
    )
    yield table(["fall, points", *heads], rows)
    yield (
        "No rule of liquidation helps against that: once somebody is in the pool before the keeper, what the debt of a "
        "share exceeds the price after the jump by is gone, whoever gets it. He gets less than the vault loses, and he "
        "cannot bring the fall about. Where no news runs ahead of the oracle it is an even bet: the vault took the shares "
        "at the oracle's price, and gains as much when the price turns back as it loses when it runs on. News that the "
        "clamp lets through in parts makes it uneven, and the debt cap bounds it."
    )


def _every(slots: int) -> str:
    return "an update a slot" if slots == 1 else f"one in {slots} slots"
