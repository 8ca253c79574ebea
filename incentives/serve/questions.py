"""What operators ask the ledger in a browser: titles, descriptions and SQL, over the views that the command line uses.

Core.
"""

from typing import Any, Final

DATABASE: Final = "ledger"
"""How the ledger is called in addresses, whatever its file is."""

_QUERIES: Final[dict[str, tuple[str, str, str]]] = {
    "statement": (
        "Statement of a wallet",
        "Every line of one wallet, oldest first: accrued, payable, in_flight (its root is posted), paid. 1 MMT is 10^9.",
        "SELECT seq, slot, epoch, code, role, amount, signature FROM statement_line WHERE wallet = :wallet ORDER BY seq",
    ),
    "wallets": (
        "What wallets have earned",
        "The wallets that earned most, and where it stands.",
        "SELECT wallet, earned, accrued, payable, in_flight, paid FROM wallet_balance ORDER BY earned DESC LIMIT 1000",
    ),
    "trial_balance": (
        "Trial balance",
        "Every kind of account; the balances sum to zero, or something is very wrong.",
        "SELECT * FROM trial_balance ORDER BY account",
    ),
    "epochs": (
        "Epochs",
        "One row an epoch: what came into the pot, what is owed out of it, what of that is paid.",
        "SELECT * FROM epoch_report ORDER BY epoch DESC",
    ),
    "explain": (
        "One transfer",
        "What a transfer follows from. `incentives explain` also writes out the formula.",
        "SELECT * FROM transfer_named WHERE seq = :transfer",
    ),
    "bootstrap": (
        "The first 100 trades",
        "Who got the double reward; a voided trade was not held long enough, used up its number and earned nothing.",
        "SELECT * FROM bootstrap_trade ORDER BY trade_number",
    ),
    "payouts": (
        "Payouts of an epoch",
        "Every leaf of an epoch's roots, and the transactions that posted and paid it.",
        "SELECT * FROM payout_report WHERE epoch = :epoch ORDER BY part, leaf",
    ),
    "stuck": (
        "Payouts that wait",
        "Leaves of posted roots that are not paid, the oldest first; `incentives proof WALLET` lets the wallet claim.",
        "SELECT * FROM payout_stuck LIMIT 1000",
    ),
    "anomalies": (
        "Recorded exceptions",
        "Claims that were voided, roots and payments that this ledger does not know.",
        "SELECT * FROM anomaly ORDER BY seq DESC LIMIT 1000",
    ),
}
_TABLES: Final = {
    "event": "Finalized events of the program, as logged, in the chain's order; each hash covers all lines before it.",
    "transfer": "Double entry: one debit, one credit, MMT base units; never changed.",
    "account": "Whose balances: `pot`, `season`, and four of every wallet.",
    "epoch": "Closed epochs; `hash` is the ledger's head at the close, which the roots' manifests name.",
    "epoch_allocation": "What each wallet claimed in an epoch, exactly, and what it was allocated.",
    "payout": "Leaves: pending, then posted or voided, once.",
    "boosted_trade": "The first 100 trades of the platform.",
    "config_version": "The rules in force, append-only.",
    "anomaly": "Recorded exceptions; they move no MMT.",
    "chain_reading": "What the chain was seen to hold, for `incentives reconcile`.",
    "snapshot": "The rules' memory, to start quickly from; no history.",
}


def metadata(program: str) -> dict[str, Any]:
    """Return what Datasette shows besides the rows.

    Args:
        program: its address.
    """
    queries = {
        name: {"title": title, "description": description, "sql": sql}
        for name, (title, description, sql) in _QUERIES.items()
    }
    return {
        "title": "MMT rewards",
        "description": f"The reward ledger of program {program}, read-only, as it grows.",
        "databases": {
            DATABASE: {
                "queries": queries,
                "tables": {name: {"description": text} for name, text in _TABLES.items()},
            }
        },
    }
