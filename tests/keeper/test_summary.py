"""keeper/summary.py."""

from keeper.summary import summary_lines

REPORT = {
    "run_s": 40.04,
    "cluster": {"genesis_hash": "GENESIS"},
    "prices": {
        "posted": 7,
        "by_class": {"valid": 2, "stale": 1},
        "errors": {},
        "breakers": {"clob.books": "closed"},
        "withheld": {"markets": 0, "longest": []},
    },
    "positions": {"now": 9, "scans": 3, "skipped": {}},
    "liquidations": {"landed": 5, "bounty_base_units": 1_230_000, "bad_debt_base_units": 0},
    "chains": {
        "due": 0,
        "landed_steps": 0,
        "landed_chains": 0,
        "cancelled": 0,
        "bounty_base_units": 0,
        "stuck_now": 0,
        "stuck": [],
    },
    "transactions": {
        "landed": 4,
        "failed": 1,
        "expired": 2,
        "open": 0,
        "duplicates": 0,
        "failed_because": {"PRICE_OUT_OF_ORDER: a newer price has been posted already": 1},
        "fees_lamports": 25_001,
        "lamports_per_landed_job": 5_000.2,
        "cu_headroom_bps_p50": 320,
        "cu_headroom_bps_p99": 1_480,
    },
    "payer": {"signed_elsewhere": 0},
    "stopped_because": None,
    "would_send": None,
    "latency_ms": {"due_to_landed_p50": 120.4, "due_to_landed_p99": None},
    "settled_attempts": 0,
    "refusals": {"prices.no_price": 3},
}


def test_a_run_is_told_in_a_dozen_lines():
    assert [
        "ran for        40.0 s against genesis GENESIS",
        "prices         7 posted; now 2 valid, 1 stale",
        "positions      9 at the last of 3 scans; accounts skipped: none",
        "liquidations   5 landed, bounty $1.23, bad debt $0.00",
        "transactions   4 landed, 1 failed, 2 expired, 0 open, 0 duplicates",
        "failed         1 for PRICE_OUT_OF_ORDER: a newer price has been posted already",
        "spent          0.000025 SOL in fees, 5000 lamports a landed job; compute units over what was used: p50 3.2 %, p99 14.8 %",
        "due to landed  p50 120 ms, p99 -",
        "not done       3 prices.no_price",
    ] == summary_lines(REPORT)


def test_what_was_settled_and_what_is_open_is_said_only_when_there_is_some():
    transactions = REPORT["transactions"] | {"open": 2}
    lines = summary_lines(REPORT | {"transactions": transactions, "settled_attempts": 3})

    assert "settled        3 transactions of an earlier run" == lines[-2]
    assert "The open transactions are settled at the next start, before any new work." == lines[-1]


def test_trouble_with_prices_is_said_only_when_there_was_some():
    withheld = {"market": 5, "outcome": 0, "reason": "uncertain:jump", "since_slot": 157}
    prices = REPORT["prices"] | {
        "errors": {"clob.refused": 12, "gamma.status_429": 2},
        "breakers": {"clob.books": "open", "clob.time": "closed"},
        "withheld": {"markets": 4, "longest": [withheld, withheld | {"market": 2}]},
    }

    assert [
        "calls failed   12 clob.refused, 2 gamma.status_429",
        "breakers       clob.books open at the end: asked again only now and then",
        (
            "not posted     4 markets at the end, longest: 5 for uncertain:jump since slot 157, "
            "2 for uncertain:jump since slot 157"
        ),
    ] == summary_lines(REPORT | {"prices": prices})[-3:]


def test_what_a_rehearsal_would_have_sent_and_what_stopped_a_run_is_said():
    prices = {"transactions": 3, "jobs": 20, "simulated_badly": 1}
    lines = summary_lines(
        REPORT
        | {
            "would_send": {"prices": prices},
            "stopped_because": "program X was replaced",
            "payer": {"signed_elsewhere": 2},
        }
    )

    assert "STOPPED        program X was replaced" == lines[0]
    assert "would send     3 prices with 20 jobs (1 simulated badly); nothing was sent" == lines[-2]
    assert "shared key     2 transactions were signed by another process" == lines[-1]


def test_chains_are_told_only_when_there_were_some_and_the_longest_stuck_with_the_reason():
    stuck = {"chain": "CHAIN", "step": 2, "kind": "open", "reason": "too little room"}
    chains = REPORT["chains"] | {
        "landed_steps": 9,
        "landed_chains": 2,
        "bounty_base_units": 1_500_000,
        "stuck_now": 3,
        "stuck": [stuck] * 3,
    }
    lines = summary_lines(REPORT | {"chains": chains})

    assert "chains         9 steps landed, 2 chains completed, 0 cancelled, bounty $1.50" in lines
    told = "CHAIN at step 2 (open): too little room"
    assert f"stuck          3 chains at the end, longest: {told}; {told}" in lines
