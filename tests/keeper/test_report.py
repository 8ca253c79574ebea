"""keeper/report.py: what it says of transactions is what the database says."""

from collections import Counter, deque
from dataclasses import replace
from types import SimpleNamespace

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.prices.board import PriceBoard
from keeper.report import endpoint_json, report
from keeper.tally import MARKET_RESOLVED, PostedPrice, StuckChain, Tally, Withheld
from programs.endpoint_counts import Counts
from programs.outcomes import Expired, Failed, JobRef, Landed, end_row
from programs.standing import Standing
from state.attempts import Attempts
from state.in_loop import InLoopStore
from tests.fakes import ScriptedCluster, signed_batch

FACTS = SimpleNamespace(
    genesis_hash="genesis", program="program", program_sha256="sha", upgrade_authority=None
)
PAYER = SimpleNamespace(address="payer", balance_lamports=1, is_oracle_authority=True)
ENDS = st.lists(
    st.tuples(
        st.sampled_from(["prices", "liquidations", "setup"]),
        st.sampled_from(["open", "landed", "failed", "expired"]),
        st.integers(1, 3),
        st.integers(0, 100_000),
        st.none() | st.integers(0, 10_000),
    ),
    max_size=12,
)


def reported(summary, tally=None):
    return report(
        facts=FACTS,
        payer=PAYER,
        tally=tally or Tally(),
        summary=summary,
        prices=PriceBoard().statistics(),
        resends=0,
        run_s=1.0,
    )


@given(ENDS, st.integers(0, 4))
@settings(deadline=None, max_examples=40)  # each makes a database
def test_the_reports_numbers_are_the_databases(ends, earlier):
    """Whatever the tally missed, because a lane was cut off or a fork moved a landing."""

    async def run():
        store = InLoopStore()
        attempts, cluster = Attempts(store), ScriptedCluster(trio.current_time)
        for number, each in enumerate(ends):
            if number == earlier:
                first_id.append(await attempts.last_id())
            await record(attempts, cluster, number, *each)
        first_id.append(await attempts.last_id())
        summary = await attempts.summary(after_id=first_id[0])
        rows = store.db.conn.execute(
            "SELECT lane, state, coalesce(fee_lamports, 0), coalesce(cu_used, 0), "
            "(SELECT count(*) FROM attempt_job WHERE attempt_id = id), "
            "CASE WHEN cu_used IS NULL THEN 0 ELSE cu_limit END FROM attempt WHERE id > ?",
            [first_id[0]],
        ).fetchall()
        store.close()
        return reported(summary)["transactions"], rows

    first_id: list[int] = []
    found, rows = trio.run(run)

    def expected(rows):
        return {
            **{
                state: sum(row[1] == state for row in rows)
                for state in ("landed", "failed", "expired", "open")
            },
            "jobs_landed": sum(row[4] for row in rows if row[1] == "landed"),
            "fees_lamports": sum(row[2] for row in rows),
        }

    assert expected(rows) == {key: found[key] for key in expected(rows)}
    assert found["by_lane"] == {
        lane: expected([row for row in rows if row[0] == lane])
        for lane in sorted({row[0] for row in rows})
    }
    assert (sum(row[3] for row in rows), sum(row[5] for row in rows)) == (
        found["cu_used"],
        found["cu_requested"],
    )


async def record(attempts, cluster, number, lane, state, jobs, fee_lamports, cu_used):
    """Write one attempt of `jobs` jobs, and its end."""
    batch = signed_batch(cluster, f"job {number}")
    refs = tuple(
        JobRef(job_id=f"{number}.{job}", kind="do", target="t", effect="e") for job in range(jobs)
    )
    await attempts.record_attempt(
        type(batch)(
            lane=lane,
            jobs=refs,
            transaction=batch.transaction,
            latest=batch.latest,
            budget=batch.budget,
        )
    )
    signature = batch.transaction.signature
    common = {
        "signature": signature,
        "slot": 5,
        "cu_used": cu_used,
        "fee_lamports": fee_lamports,
        "logs": (),
        "is_finalized": False,
    }
    if state == "landed":
        await attempts.record_ends([end_row(Landed(**common))])
    elif state == "failed":
        await attempts.record_ends([end_row(Failed(**common, err="E"))])
    elif state == "expired":
        await attempts.record_ends([end_row(Expired(signature=signature, reason="gone"))])


def empty_summary():
    async def run():
        store = InLoopStore()
        found = await Attempts(store).summary()
        store.close()
        return found

    return trio.run(run)


def test_a_run_without_transactions_has_no_ratios_and_no_latencies():
    found = reported(empty_summary())
    assert None is found["transactions"]["jobs_per_tx"]
    assert None is found["liquidations"]["jobs_per_tx"]
    assert None is found["latency_ms"]["due_to_landed_p50"]
    assert {} == found["transactions"]["by_lane"]
    assert 0 == found["transactions"]["duplicates"]


def test_why_transactions_failed_is_told_in_words_the_most_frequent_first():
    refused = '{"InstructionError":[%d,{"Custom":121}]}'
    errors = {'"AccountInUse"': 2, refused % 3: 2, refused % 4: 1}
    found = reported(replace(empty_summary(), errors=errors))["transactions"]["failed_because"]
    assert [3, 2] == list(found.values())
    assert ["MARKET_NOT_OPEN", "AccountInUse"] == [words.partition(":")[0] for words in found]


def test_latencies_are_told_to_the_microsecond():
    tally = Tally()
    tally.note_latency("liquidations", 6119.261274987366)
    assert 6119.261 == reported(empty_summary(), tally)["liquidations"]["due_to_landed_ms_p50"]


def test_prices_are_written_as_decimals_without_loss():
    tally = Tally()
    for price_e6, token in ((65_500, "a"), (1_000_000, "b"), (1, "c"), (0, "d")):
        tally.posted_tokens[token] = PostedPrice(
            price_e6=price_e6, price_class="valid", source="clob", recorded_body=None, slot=1
        )
    posted = reported(empty_summary(), tally)["prices"]["posted_by_token"]
    assert ["0.0655", "1", "0.000001", "0"] == [each["price"] for each in posted.values()]


def test_latencies_are_of_all_lanes_and_of_liquidations_alone():
    tally = Tally()
    for lane, latency_ms in (("prices", 10.0), ("liquidations", 30.0), ("liquidations", 20.0)):
        tally.note_latency(lane, latency_ms)
    found = reported(empty_summary(), tally)
    assert (20.0, 30.0) == tuple(found["latency_ms"].values())[:2]
    assert {
        "due_to_landed_p50": 10.0,
        "due_to_landed_p99": 10.0,
        "due_to_landed_p99_9": 10.0,
    } == found["latency_ms"]["by_lane"]["prices"]
    assert 0.075 == found["latency_slots"]["due_to_landed_p99"]
    assert 20.0 == found["liquidations"]["due_to_landed_ms_p50"]
    assert 30.0 == found["liquidations"]["due_to_landed_ms_p99"]


def test_chains_stuck_at_the_end_are_listed_those_for_the_longest_first():
    tally = Tally(chains_due=30, chain_steps_landed=7, chains_completed=2, chains_cancelled=1)
    tally.note_latency("chains", 120.0)
    tally.stuck_chains = {
        f"chain {number:02}": StuckChain(
            step=1,
            kind="borrow",
            refusal="COVERAGE_LOW",
            reason="vault coverage is below 0.5",
            since_slot=100 - number,
            is_forecast=True,
        )
        for number in range(25)
    }
    chains = reported(empty_summary(), tally)["chains"]

    assert (30, 7, 2, 1, 25) == tuple(
        chains[name] for name in ("due", "landed_steps", "landed_chains", "cancelled", "stuck_now")
    )
    assert 20 == len(chains["stuck"])
    assert {
        "chain": "chain 24",
        "step": 1,
        "kind": "borrow",
        "refusal": "COVERAGE_LOW",
        "reason": "vault coverage is below 0.5",
        "since_slot": 76,
    } == chains["stuck"][0]
    assert 120.0 == chains["due_to_landed_ms_p50"] == chains["due_to_landed_ms_p99"]


def test_prices_not_posted_at_the_end_are_listed_those_for_the_longest_first():
    tally = Tally()
    for number, slot, reason in (
        (1, 30, "no_price"),
        (2, 10, "stale:too_old"),
        (3, 5, MARKET_RESOLVED),
    ):
        tally.withheld[number] = Withheld(reason=reason, outcome=None, since_slot=slot, since_s=0.0)
    found = reported(empty_summary(), tally)["prices"]["withheld"]
    assert (2, [2, 1]) == (found["markets"], [each["market"] for each in found["longest"]])
    assert {"market": 2, "outcome": None, "reason": "stale:too_old", "since_slot": 10} == found[
        "longest"
    ][0]


def test_the_endpoints_are_told_of_by_names_without_keys():
    endpoint = Counts(calls=3, failures=Counter(timeout=2), latencies_s=deque([0.25])).statistics(
        "https://one.example/…", Standing(behind_slots=7)
    )
    assert {
        "name": "https://one.example/…",
        "calls": 3,
        "asked_beside": 0,
        "failures": {"timeout": 2},
        "breaker": "closed",
        "lag_slots": 7,
        "set_aside": None,
        "latency_ms_p50": 250.0,
        "latency_ms_p99": 250.0,
    } == endpoint_json(endpoint)
