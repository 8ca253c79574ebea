"""The reports, as SQL views: the command line, Datasette and the tests share these definitions.

Amounts are MMT base units (1e-9). A line of a wallet adds to what it has earned, moves it along, or both:
accrued -> payable -> in flight -> paid.
"""

from typing import Final

STUCK_SLOTS: Final = 750
"""Five minutes of 400 ms: a root is posted and paid in well under one."""

_REPORTS: Final[dict[str, str]] = {
    # Every account with its balance: credits less debits.
    "account_balance": """
        SELECT account.path, account.wallet, account.role, balance.debits, balance.credits,
            balance.credits - balance.debits AS balance
        FROM account JOIN balance ON balance.account = account.id""",
    # A transfer with names instead of numbers.
    "transfer_named": """
        SELECT transfer.seq, transfer.slot, transfer.epoch, transfer.code,
            debit.path AS debit, credit.path AS credit, transfer.amount, transfer.leg,
            coalesce(event.source_id, 'epoch:' || epoch.epoch) AS cause, event.signature, event.kind AS event_kind,
            transfer.cause_seq, transfer.rules_version, transfer.inputs
        FROM transfer
        JOIN account AS debit ON debit.id = transfer.debit
        JOIN account AS credit ON credit.id = transfer.credit
        LEFT JOIN event ON event.seq = transfer.cause_seq
        LEFT JOIN epoch ON epoch.seq = transfer.cause_seq""",
    # One wallet's lines, each from the side of one of its accounts.
    "statement_line": """
        SELECT account.wallet, account.role, transfer.seq, transfer.slot, transfer.epoch, transfer.code,
            CASE WHEN transfer.credit = account.id THEN transfer.amount ELSE -transfer.amount END AS amount,
            event.signature, transfer.cause_seq
        FROM account JOIN transfer ON transfer.credit = account.id
        LEFT JOIN event ON event.seq = transfer.cause_seq WHERE account.wallet IS NOT NULL
        UNION ALL
        SELECT account.wallet, account.role, transfer.seq, transfer.slot, transfer.epoch, transfer.code,
            -transfer.amount, event.signature, transfer.cause_seq
        FROM account JOIN transfer ON transfer.debit = account.id
        LEFT JOIN event ON event.seq = transfer.cause_seq WHERE account.wallet IS NOT NULL""",
    # What each wallet has, by where it stands, and all it ever got.
    "wallet_balance": """
        SELECT account.wallet,
            sum(CASE WHEN role = 'accrued' THEN credits - debits ELSE 0 END) AS accrued,
            sum(CASE WHEN role = 'payable' THEN credits - debits ELSE 0 END) AS payable,
            sum(CASE WHEN role = 'in_flight' THEN credits - debits ELSE 0 END) AS in_flight,
            sum(CASE WHEN role = 'paid' THEN credits - debits ELSE 0 END) AS paid,
            sum(credits - debits) AS earned
        FROM account JOIN balance ON balance.account = account.id
        WHERE account.wallet IS NOT NULL GROUP BY account.wallet""",
    # Totals by kind of account; their sum is zero.
    "trial_balance": """
        SELECT CASE WHEN account.wallet IS NULL THEN account.path ELSE 'wallet/*/' || account.role END AS account,
            count(*) AS accounts, sum(debits) AS debits, sum(credits) AS credits,
            sum(credits - debits) AS balance
        FROM account JOIN balance ON balance.account = account.id GROUP BY 1""",
    # Every transfer twice, for sums at any slot.
    "posting": """
        SELECT transfer.seq, transfer.slot, transfer.debit AS account, -transfer.amount AS amount FROM transfer
        UNION ALL
        SELECT transfer.seq, transfer.slot, transfer.credit, transfer.amount FROM transfer""",
    # The head at each close, which the manifests of its roots name.
    "anchor": """
        SELECT epoch, seq, lower(hex(hash)) AS head FROM epoch""",
    # One row an epoch: what came in, what is owed, what of it is paid.
    "epoch_report": """
        SELECT epoch.epoch, epoch.start_slot, epoch.end_slot, epoch.rolled_over, epoch.emitted, epoch.allocated,
            epoch.rolled_over + epoch.emitted - epoch.allocated AS left, epoch.is_scaled, epoch.rules_version,
            lower(hex(epoch.hash)) AS head,
            count(payout.id) AS wallets, coalesce(sum(payout.state = 'posted'), 0) AS wallets_paid,
            coalesce(sum(CASE WHEN payout.state = 'posted' THEN payout.amount END), 0) AS paid,
            max(payout.part) + 1 AS roots
        FROM epoch LEFT JOIN payout ON payout.epoch = epoch.epoch GROUP BY epoch.epoch""",
    # Emission against what it was owed for, summed up to each epoch.
    "emission_against_accrual": """
        SELECT epoch, end_slot,
            sum(emitted) OVER up_to AS emitted, sum(allocated) OVER up_to AS allocated, sum(paid) OVER up_to AS paid
        FROM epoch_report WINDOW up_to AS (ORDER BY epoch)""",
    # The platform's first trades: who got the double reward, and whose was voided.
    "bootstrap_trade": """
        SELECT boosted_trade.trade_number, boosted_trade.wallet, boosted_trade.slot, boosted_trade.is_voided,
            coalesce((SELECT sum(amount) FROM transfer WHERE transfer.cause_seq = boosted_trade.cause_seq
                AND transfer.code = 'trade_boosted'), 0) AS amount,
            event.signature
        FROM boosted_trade JOIN event ON event.seq = boosted_trade.cause_seq""",
    # Every leaf: whom it pays, and where it stands.
    "payout_report": """
        SELECT payout.epoch, payout.part, payout.leaf, payout.wallet, payout.amount,
            CASE WHEN payout.state = 'pending' AND payout.root_seq IS NOT NULL THEN 'in_flight'
                ELSE payout.state END AS state,
            root.slot AS root_slot, root.signature AS root_signature,
            paid.slot AS paid_slot, paid.signature AS paid_signature, payout.void_reason,
            CASE WHEN payout.state = 'pending'
                THEN (SELECT through_slot FROM progress) - coalesce(root.slot, epoch.end_slot) END AS slots_waiting,
            lower(hex(payout.id)) AS id
        FROM payout JOIN epoch ON epoch.epoch = payout.epoch LEFT JOIN event AS root ON root.seq = payout.root_seq
        LEFT JOIN event AS paid ON paid.seq = payout.paid_seq""",
    "payouts_by_state": """
        SELECT state, count(*) AS payouts, sum(amount) AS amount FROM payout_report GROUP BY state""",
    # Leaves that are not paid five minutes after the epoch's end, or after their root stands on chain; the oldest first.
    "payout_stuck": f"""
        SELECT * FROM payout_report WHERE slots_waiting >= {STUCK_SLOTS} ORDER BY slots_waiting DESC, epoch, part, leaf""",  # noqa: S608 - a constant of ours
    # The last thing the chain was seen to hold.
    "last_chain_reading": """
        SELECT * FROM chain_reading WHERE id = (SELECT max(id) FROM chain_reading)""",
}
NAMES: Final = tuple(_REPORTS)
VIEWS: Final = "".join(f"DROP VIEW IF EXISTS {name};\n" for name in reversed(NAMES)) + "".join(
    f"CREATE VIEW {name} AS {body};\n" for name, body in _REPORTS.items()
)
"""Statements that drop and create every report."""
