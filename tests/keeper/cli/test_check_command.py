"""`keeper check` names who pays for what."""

import json

from click.testing import CliRunner
from solders.keypair import Keypair

from keeper.cli.check import check_command


def write_key(path, keypair):
    path.touch(mode=0o600)
    path.write_text(json.dumps(list(bytes(keypair))))


def checked(folder, *options, url="http://127.0.0.1:1"):
    (folder / "keeper.toml").write_text(
        f'[cluster]\nrpc_urls = ["{url}"]\n'
        'program_id = "5gem261mYxK8YWVx5EPZAv34TmDmvk6RkvmaBg1Drkmw"\n'
        '[keys]\nkeeper = "keeper.json"\n[state]\nfolder = "state"\n'
        '[lanes.liquidations]\nkey = "liquidator.json"\n[sandbox]\nenabled = false\n'
    )
    return CliRunner().invoke(check_command, ["--config", str(folder / "keeper.toml"), *options])


def test_check_prints_who_pays_for_which_lane_and_no_secret(tmp_path):
    keeper, liquidator = Keypair(), Keypair()
    write_key(tmp_path / "keeper.json", keeper)
    write_key(tmp_path / "liquidator.json", liquidator)

    payers = json.loads(checked(tmp_path, "--json").output)["payers"]
    assert ["prices", "liquidations", "chains", "payouts", "tables"] == list(payers)
    assert f"{keeper.pubkey()} ({tmp_path / 'keeper.json'})" == payers["prices"]
    assert f"{liquidator.pubkey()} ({tmp_path / 'liquidator.json'})" == payers["liquidations"]
    text = checked(tmp_path).output
    assert f'payers.chains = "{keeper.pubkey()} (' in text
    assert str(liquidator) not in text


def test_a_lanes_key_that_is_missing_is_named(tmp_path):
    write_key(tmp_path / "keeper.json", Keypair())
    assert "liquidator.json" in str(checked(tmp_path).exception)


def test_keys_within_urls_are_not_printed(tmp_path):
    for name in ("keeper.json", "liquidator.json"):
        write_key(tmp_path / name, Keypair())
    url = "https://rpc.invalid/v2/0123456789abcdef?api-key=fedcba9876543210"
    for options in ((), ("--json",)):
        told = checked(tmp_path, *options, url=url).output
        assert r"https://rpc.invalid/\u2026" in told
        assert "0123456789abcdef" not in told
        assert "fedcba9876543210" not in told
