"""`incentives reconcile`, against a cluster on a socket and against what is recorded."""

import json
import threading
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from click.testing import CliRunner
from solders.pubkey import Pubkey
from written_ledger import IDENTITY, being_written, played

from incentives.chain_reading import ChainReading, record_reading
from incentives.cli.commands import cli
from incentives.reconciliation import Holdings, compare
from programs.genesis import SINK_MMT, TREASURY_MMT
from programs.layout import GLOBAL_DTYPE, LAYOUT_VERSION, AccountKind
from programs.spl_token import _MINT, _TOKEN_ACCOUNT

PAID = 23_275_070_014
POSTED = 2 * 25_720_164_609
AT_THE_END = ChainReading(
    slot=1_210,
    supply=SINK_MMT + TREASURY_MMT,
    sink=SINK_MMT,
    treasury=TREASURY_MMT - PAID,
    posted=POSTED,
)
BEFORE_THE_PAYOUT = replace(AT_THE_END, slot=1_155, treasury=TREASURY_MMT, posted=POSTED // 2)


def accounts(reading):
    """Return mint, sink, treasury and genesis account as the chain has them: data and owner."""
    token = str(Pubkey.default())
    row = np.zeros(1, GLOBAL_DTYPE)
    row["kind"], row["version"], row["posted_mmt"] = (
        AccountKind.GLOBAL,
        LAYOUT_VERSION,
        reading.posted,
    )
    nobody = bytes(32)
    holding = [
        _TOKEN_ACCOUNT.pack(nobody, nobody, amount, 0, nobody, 1, 0, 0, 0, 0, nobody)
        for amount in (reading.sink, reading.treasury)
    ]
    mint = _MINT.pack(0, nobody, reading.supply, 9, 1, 0, nobody)
    return [(mint, token), *((data, token) for data in holding), (row.tobytes(), IDENTITY.program)]


@contextmanager
def cluster(reading, genesis_hash=IDENTITY.genesis_hash):
    """Serve what a cluster says of the MMT accounts."""
    values = [
        {
            "data": [b64encode(data).decode(), "base64"],
            "owner": owner,
            "lamports": 1,
            "executable": False,
            "rentEpoch": 0,
            "space": len(data),
        }
        for data, owner in accounts(reading)
    ]
    answers = {
        "getGenesisHash": genesis_hash,
        "getMultipleAccounts": {"context": {"slot": reading.slot}, "value": values},
    }

    class Node(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(
                {"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]}
            ).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Node) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    recorded = [
        partial(record_reading, reading=BEFORE_THE_PAYOUT, read_at="2026-11-22T00:00:00+00:00"),
        partial(record_reading, reading=AT_THE_END, read_at="2026-11-22T01:00:00+00:00"),
    ]
    with being_written(path, played(), first=recorded):
        yield path


def reconciled(ledger, *options):
    return CliRunner().invoke(cli, ["reconcile", "--ledger", str(ledger), *options])


def items(result):
    return {row["item"]: row for row in json.loads(result.stdout)["items"]}


@pytest.mark.parametrize("reading", [AT_THE_END, BEFORE_THE_PAYOUT])
def test_a_ledger_agrees_with_the_chain_as_of_the_slot_at_which_it_was_read(ledger, reading):
    with cluster(reading) as url:
        result = reconciled(ledger, "--rpc-url", url)
    found = json.loads(result.stdout)
    assert (0, True, "live") == (result.exit_code, found["agrees"], found["source"])
    assert (reading.slot, 0) == (found["slot"], found["slots_behind"])
    assert {"supply", "sink", "treasury", "posted", "paid"} == set(items(result))
    assert str(TREASURY_MMT - reading.treasury) == items(result)["paid"]["ledger"]


@pytest.mark.parametrize(
    ("name", "item"),
    [("supply", "supply"), ("sink", "sink"), ("treasury", "treasury"), ("posted", "posted")],
)
def test_a_single_base_unit_of_difference_is_found(ledger, name, item):
    wrong = replace(AT_THE_END, **{name: asdict(AT_THE_END)[name] + 1})
    with cluster(wrong) as url:
        result = reconciled(ledger, "--rpc-url", url)
    assert (1, "1") == (result.exit_code, items(result)[item]["difference"])
    assert json.loads(result.stdout)["agrees"] is False


def test_a_ledger_that_is_behind_is_waited_for_and_then_said_to_be_behind(ledger):
    ahead = replace(AT_THE_END, slot=5_000)
    with cluster(ahead) as url:
        agreeing = reconciled(ledger, "--rpc-url", url)
    assert 0 == agreeing.exit_code, "nothing was paid since"
    with cluster(replace(ahead, treasury=0)) as url:
        behind = reconciled(ledger, "--rpc-url", url, "--wait-s", "0.3")
    found = json.loads(behind.stdout)
    assert (1, 5_000 - found["read_through_slot"]) == (behind.exit_code, found["slots_behind"])


def test_where_no_cluster_answers_the_last_reading_is_taken_and_its_age_said(ledger):
    with cluster(AT_THE_END) as url:
        pass
    for options in (("--rpc-url", url), ("--recorded",)):
        result = reconciled(ledger, *options)
        found = json.loads(result.stdout)
        assert (0, "recorded", 1_210) == (result.exit_code, found["source"], found["slot"])
        assert ("2026-11-22T01:00:00+00:00", True) == (found["read_at"], found["age_s"] > 0)
        assert ("this is about what was last recorded" in result.stderr) == (
            options != ("--recorded",)
        )


def test_a_root_that_the_ledger_did_not_compute_is_counted_and_told(tmp_path):
    season = played()
    season.telling.at(1_211)
    season.tell(season.telling.posted(0, 7, bytes(32), count=1, total=500, number=9))
    reading = replace(AT_THE_END, slot=1_211, posted=POSTED + 500)
    with being_written(tmp_path / "ledger.db", season), cluster(reading) as url:
        result = reconciled(tmp_path / "ledger.db", "--rpc-url", url)
        table = reconciled(tmp_path / "ledger.db", "--rpc-url", url, "--table").stdout
    found, posted = json.loads(result.stdout), items(result)["posted"]
    assert (0, True) == (result.exit_code, found["agrees"])
    assert (1, "500") == (found["foreign_roots"], found["posted_unknown"])
    assert (str(POSTED), "500", "0") == (posted["ledger"], posted["foreign"], posted["difference"])
    assert "foreign" in table
    assert "0.000000500" in table


def test_a_root_that_the_ledger_never_recorded_is_a_difference(ledger):
    with cluster(replace(AT_THE_END, posted=POSTED + 500)) as url:
        result = reconciled(ledger, "--rpc-url", url)
    posted = items(result)["posted"]
    assert (1, "0", "500") == (result.exit_code, posted["foreign"], posted["difference"])


def test_another_cluster_is_refused(ledger):
    with cluster(AT_THE_END, genesis_hash=str(Pubkey.default())) as url:
        result = reconciled(ledger, "--rpc-url", url)
    assert 2 == result.exit_code
    assert result.stderr.startswith("incentives: the cluster's genesis is 1111")


def test_a_ledger_without_a_reading_cannot_be_reconciled_alone(tmp_path):
    with being_written(tmp_path / "ledger.db", played()):
        result = reconciled(tmp_path / "ledger.db", "--recorded")
    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "no reading of the chain is recorded" in result.stderr


def test_what_was_left_unspent_and_what_a_foreign_root_paid_are_in_the_balance():
    balances = {
        "mint": -SINK_MMT - TREASURY_MMT,
        "sink": SINK_MMT,
        "season": 10,
        "unspent": 20,
        "pot": -5,
        "unexplained": 7,
    }
    balances["paid"] = TREASURY_MMT - 32
    chain = Holdings(
        supply=SINK_MMT + TREASURY_MMT, sink=SINK_MMT, treasury=25, posted=TREASURY_MMT - 25
    )
    differences = {one.item: one.difference for one in compare(balances, chain)}
    assert differences == {"supply": 0, "sink": 0, "treasury": 0, "posted": 7, "paid": 0}
