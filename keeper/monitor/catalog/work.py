"""Rules about work: what is due, what lands, what it costs.

Core.
"""

from typing import Final

from keeper.monitor.catalog.draining import drains
from keeper.monitor.expressions import figure, increase, lowest
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m

LANDED_PER_S_MIN: Final = 100
"""Transactions. Source: SPEC section 6."""
OFFERED_JOBS: Final = 1_000
"""Jobs waiting all the time that the rate is counted over: enough to fill a hundred transactions in every second of it."""
RATE_S: Final = 30.0
PAYER_LAMPORTS_LOW: Final = 50_000_000
"""Ten thousand signatures without priority fees."""
PAYER_LAMPORTS_MIN: Final = 1_000_000
RUNWAY_S_MIN: Final = 6 * 3_600


def rules(slot_s: float) -> tuple[Rule, ...]:
    """Return the rules at slots of this length."""
    slot_seconds = figure(m.SLOT_SECONDS)
    oldest_due = figure(m.OLDEST_DUE)
    ended = increase(m.TRANSACTIONS, 60.0).summed("lane")
    spent = 100 * (figure(m.SPEND_HOUR_LAMPORTS) / figure(m.SPEND_HOUR_MAX_LAMPORTS))
    # A new keeper of some hundred markets makes lookup tables up to its cap, hour by hour: that is what the cap is for, most
    # of it is rent that comes back, and what waits there nobody misses but the size of other transactions.
    makes_tables = figure(m.SPEND_HOUR_LAMPORTS, lane="tables") >= 0
    return (
        Rule(  # Source: SPEC section 6
            name="work_overdue",
            level=Level.CRITICAL,
            expression=(oldest_due > 25 * slot_seconds).unless(drains()),
            for_s=2 * slot_s,
            keep_s=30.0,
            summary="the oldest job of {lane} has been due for {value:.1f} s, more than 25 slots",
            already_did="bids higher priority fees, resends to every endpoint, and works on the most urgent first",
        ),
        Rule(
            name="lane_stalled",
            level=Level.EMERGENCY,
            expression=(
                (figure(m.LAST_LANDED_AGE) > 150 * slot_seconds).when(
                    oldest_due > 150 * slot_seconds
                )
            ).unless(drains()),
            for_s=2 * slot_s,
            summary="{lane} has work and has landed nothing for {value:.0f} s, more than a transaction lives",
            already_did="signs anew whatever has provably expired; the other lanes go on with payers of their own",
        ),
        Rule(  # Source: SPEC section 6, only while load is offered
            name="throughput_low",
            level=Level.WARNING,
            expression=(
                increase(m.TRANSACTIONS, RATE_S, end="landed").summed() / RATE_S < LANDED_PER_S_MIN
            ).when(lowest(m.JOBS_QUEUED, RATE_S).summed() > OFFERED_JOBS),
            for_s=10.0,
            summary="{value:.1f} transactions land a second, below 100, while more than 1,000 jobs wait",
            already_did="packs as many jobs into each transaction as fit, and bids higher fees",
        ),
        Rule(
            name="transactions_failing",
            level=Level.WARNING,
            expression=(
                100 * (increase(m.TRANSACTIONS, 60.0, end="failed").summed("lane") / ended) > 50
            ).when(ended >= 10),
            for_s=30.0,
            summary="{value:.0f} % of the transactions of {lane} fail on chain",
            already_did="bisects each failed batch to the guilty job, and puts that job off",
        ),
        Rule(
            name="transactions_expiring",
            level=Level.WARNING,
            expression=(
                100 * (increase(m.TRANSACTIONS, 60.0, end="expired").summed("lane") / ended) > 25
            ).when(ended >= 10),
            for_s=30.0,
            summary="{value:.0f} % of the transactions of {lane} expire without landing",
            already_did="bids higher fees and signs anew, only after each is proved to be gone",
        ),
        Rule(
            name="landed_twice",
            level=Level.EMERGENCY,
            expression=increase(m.DUPLICATES, 600.0) > 0,
            keep_s=0.0,
            summary="{value:.0f} effects landed more than once within 10 minutes",
            already_did="keeps both signatures in the database (view duplicate_effect)",
        ),
        Rule(
            name="foreign_signature",
            level=Level.EMERGENCY,
            expression=increase(m.FOREIGN_SIGNATURES, 600.0) > 0,
            keep_s=0.0,
            summary="somebody else signed {value:.0f} transactions with our keys within 10 minutes",
            already_did="logs each signature as payer.shared; it goes on working with the keys it has",
        ),
        Rule(
            name="spend_near_cap",
            level=Level.WARNING,
            expression=(spent > 80).unless(makes_tables),
            for_s=10.0,
            keep_s=300.0,
            summary="{lane} has spent {value:.0f} % of what it may in an hour",
            already_did="spends on the most urgent jobs first; at the cap the lane waits, the other lanes do not",
        ),
        Rule(
            name="spend_at_cap",
            level=Level.CRITICAL,
            expression=(spent > 99).unless(makes_tables),
            for_s=10.0,
            keep_s=120.0,
            summary="{lane} has spent {value:.0f} % of what it may in an hour: it waits",
            already_did="puts off every job of the lane until an hour has passed since enough of the spending",
        ),
        Rule(  # Source: SPEC section 6
            name="payer_low",
            level=Level.WARNING,
            expression=figure(m.PAYER_LAMPORTS) < PAYER_LAMPORTS_LOW,
            for_s=10.0,
            summary="payer {payer} has {value:.0f} lamports left, less than 0.05 SOL",
            already_did="goes on; it never moves SOL between keys by itself",
        ),
        Rule(  # Source: SPEC section 6
            name="payer_runway_short",
            level=Level.WARNING,
            expression=figure(m.PAYER_RUNWAY) < RUNWAY_S_MIN,
            for_s=60.0,
            keep_s=300.0,
            summary="payer {payer} lasts {value:.0f} s more at the spending of the last hour, less than 6 hours",
            already_did="goes on; hourly and daily caps bound what it can spend",
        ),
        Rule(
            name="payer_empty",
            level=Level.CRITICAL,
            expression=figure(m.PAYER_LAMPORTS) < PAYER_LAMPORTS_MIN,
            for_s=2.0,
            summary="payer {payer} has {value:.0f} lamports left: it cannot sign much longer",
            already_did="puts off the jobs of the lanes it pays for; lanes with other payers go on",
        ),
        Rule(
            name="chains_stuck",
            level=Level.INFO,
            # A price worse than the chain's own limit is its owner's word, and no fault.
            expression=(figure(m.CHAINS_STUCK) > 0).unless(
                figure(m.CHAINS_STUCK, refusal="SLIPPAGE")
            ),
            for_s=150 * slot_s,
            keep_s=120.0,
            summary="{value:.0f} chains wait because of {refusal}",
            already_did="tries each again when what refused it may have changed, and cancels it when it has expired",
        ),
    )
