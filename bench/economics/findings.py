"""The second half of the page: attacks, what would end those that pay, and the limit of the design."""

from bench.economics.jump import USD, Arbitrage
from bench.economics.markdown import dollars, percent, section, table
from bench.economics.rules import SALES_REPAY
from bench.economics.straddle import NEWS_POINTS
from bench.economics.study import Study


def attacks(study: Study) -> str:
    """Tell what every attack earns."""
    paying = [each for each in study.verdicts if each.profit > 0]
    summary = "None pays."
    if paying:
        names = " and ".join(f"*{each.name}*" for each in paying)
        summary = f"**{len(paying)} of them pay: {names}.** The next section says why, and what would end it."
    rows = [
        [each.name, each.sentence, str(each.variants), f"{each.profit / USD:,.6f}", each.best]
        for each in study.verdicts
    ]
    return section(
        "## Attacks",
        "Each is played through the program in every variant. The attacker is alone but for the keeper, so nobody else's "
        "trade pays him; the profit is what his wallets hold at the end, everything closed that can be, less what they "
        f"held at the start. {summary}",
        table(["attack", "what is tried", "variants", "best profit, $", "best variant"], rows),
    )


def proposal(study: Study) -> str:
    """Tell why attacks pay and which rule would end it; nothing when none pays."""
    if all(each.profit <= 0 for each in study.verdicts):
        return ""
    profits = [
        [each.name, dollars(each.profit), dollars(proposed.profit)]
        for each, proposed in zip(study.verdicts, study.proposed_verdicts, strict=False)
    ]
    losses = [
        [
            arbitrage.value,
            *(
                str(max(each.loss_bps for each in results if each.arbitrage == arbitrage.value))
                for results in (study.jumps, study.proposed_jumps)
            ),
        ]
        for arbitrage in Arbitrage
    ]
    return section(
        "## Liquidating oneself, and what would end it",
        "A position is due while it still has equity of up to two points a share, and is then sold on the pool at prices "
        "down to five points under the oracle. Whoever holds it can push the pool there first: the sale brings less than "
        "the debt, the vault books the rest as bad debt, and the shares that the attacker bought in order to push are "
        "worth that much more when he closes them. It takes no jump: the oracle only has to move by what a new position "
        "at full leverage has above its reserve, which is less than a point.",
        f"In the model one rule ends it: {SALES_REPAY}. Best profit of each attack:",
        table(["attack", "as the program is", "with that rule"], profits),
        "It costs something where the price runs on and the pool is thin, for the vault then holds through the move what "
        "the pool would have bought at a discount. Worst jump, in bps of vault equity:",
        table(["pool before the keeper", "as the program is", "with that rule"], losses),
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
        "If such jumps come more often than that, staking loses money however well the keeper works. The debt cap bounds "
        "the loss market by market only: markets that jump together lose together, and coverage of 0.5 lets eight markets "
        "borrow a tenth of the vault each, so that one event moving all eight as in the worst jump above would take "
        f"{percent(8 * worst)}.",
        "A staker who keeps a request standing forgoes what the vault gains from then on, and may leave before a loss that "
        "everybody sees coming is booked; a fifth of the vault per 150 slots can, and those who stay bear the loss.",
    )  # fmt: skip
