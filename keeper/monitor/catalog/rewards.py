"""Rules about rewards: the ledger and payouts.

Core.
"""

from keeper.monitor.expressions import figure, increase
from keeper.monitor.level import Level
from keeper.monitor.rule import Rule
from state import metrics as m


def rules(_slot_s: float) -> tuple[Rule, ...]:
    """Return the rules."""
    return (
        Rule(
            name="ledger_behind",
            level=Level.WARNING,
            expression=figure(m.LEDGER_LAG) > 750,
            for_s=60.0,
            summary="the ledger of rewards is {value:.0f} finalized slots behind",
            already_did="reads on from its cursor; an epoch closes only when it has read past its end, so nothing is lost",
        ),
        Rule(
            name="payouts_overdue",
            level=Level.WARNING,
            expression=figure(m.PAYOUT_OLDEST) > 9_000,
            for_s=60.0,
            keep_s=300.0,
            summary="the oldest unpaid rewards have waited for {value:.0f} slots, more than an epoch",
            already_did="skips wallets that cannot be paid, pays the others, and tries again in every round",
        ),
        Rule(
            name="unknown_root",
            level=Level.CRITICAL,
            expression=increase(m.ANOMALIES, 600.0, reason="unknown_root") > 0,
            keep_s=0.0,
            summary="somebody posted {value:.0f} reward roots within 10 minutes that the ledger did not compute",
            already_did="pays nothing of them; the ledger records each, and whatever is paid of it, as an anomaly",
        ),
    )
