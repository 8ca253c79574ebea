"""incentives/cli/season.py, against a real local network."""

import json
from hashlib import sha256

from click.testing import CliRunner
from processes import free_ports, started
from solders.keypair import Keypair

from incentives.cli.commands import cli

PROGRAM = str(Keypair.from_seed(sha256(b"betting-keeper sandbox program").digest()).pubkey())


CONFIG = """
[cluster]
rpc_urls = ["{url}"]
program_id = "{program}"
slot_ms = 100
[state]
folder = "state"
[incentives]
epoch_slots = 100
dwell_slots = 20
[[incentives.rules]]
[[incentives.rules]]
from_epoch = 1
boosted_trades = 40
"""


def ask(tmp_path, *words):
    """Run a command beside the sandbox; return what it printed as JSON."""
    result = CliRunner().invoke(cli, [*words, "--config", str(tmp_path / "keeper.toml")])
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


def test_the_season_is_read_from_the_chain_and_a_ledger_of_it_agrees(tmp_path):
    ports = free_ports(2)
    world = ("sandbox", "--json", "--rpc-port", str(ports[0]), "--venue-port", str(ports[1]))
    arguments = ["season", "--rpc-url", f"http://127.0.0.1:{ports[0]}", "--program-id", PROGRAM]
    with started(*world, "--keypair", str(tmp_path / "keys/keeper.json")) as sandbox:
        sandbox.wait_for(lambda line: line["event"] == "sandbox.ready")
        while CliRunner().invoke(cli, arguments).exception:
            assert (
                sandbox.process.poll() is None
            )  # genesis is confirmed, and finalized some slots later
        found = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
        table = CliRunner().invoke(cli, arguments)
        url = f"http://127.0.0.1:{ports[0]}"
        (tmp_path / "keeper.toml").write_text(CONFIG.format(url=url, program=PROGRAM))
        followed = {"events": 0}
        while followed["events"] < 2:  # markets are made once the season has begun
            followed = ask(tmp_path, "follow", "--once", "--json")
        told = ask(tmp_path, "season", "--json")
        reconciled = ask(tmp_path, "reconcile", "--wait-s", "0")
        again = ask(tmp_path, "recompute", "--from-chain")
        verified = ask(tmp_path, "verify")
        balance = ask(tmp_path, "trial-balance")["accounts"][-1]

    assert (True, "live") == (reconciled["agrees"], reconciled["source"])
    assert (True, "chain") == (again["same"], again["source"])
    assert followed["head"] == again["head"] == verified["head"]
    assert [] == verified["findings"]
    assert "0" == balance["balance"]
    recorded = ask(tmp_path, "reconcile", "--wait-s", "0")
    assert (True, "recorded") == (recorded["agrees"], recorded["source"]), "the sandbox is gone"
    assert found["slot"] >= found["season_start_slot"]
    emitted = 257_201_646 * (found["slot"] - found["season_start_slot"])
    assert 0 <= int(found["emitted_base_units"]) - emitted <= found["slot"]
    assert 100 == found["boosted_trades"] + found["boosted_trades_left"]
    is_later = told["slot"] >= told["season_start_slot"] + 100
    boosted = told["boosted_trades"] + told["boosted_trades_left"]
    assert (40 if is_later else 100) == boosted, "as the rules of the file say of this epoch"
    assert 0 == table.exit_code
    assert "boosted_trades_left" in table.stdout


def test_a_silent_cluster_and_a_wrong_address_get_one_sentence():
    silent = CliRunner().invoke(
        cli,
        ["season", "--rpc-url", f"http://127.0.0.1:{free_ports(1)[0]}", "--program-id", PROGRAM],
    )
    assert 2 == silent.exit_code
    assert "check cluster.rpc_urls or --rpc-url" in silent.output
    wrong = CliRunner().invoke(cli, ["season", "--program-id", "x"])
    assert 2 == wrong.exit_code
    assert "'x' is no address in base58" in wrong.output
