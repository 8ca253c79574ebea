"""[incentives] of keeper.toml: read strictly here, and left alone by the keeper."""

import os
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from incentives.config import ConfigError, load_settings, parse_settings
from incentives.parameters import Rules
from keeper.config import load_config

SHIPPED = Path(__file__).parents[2] / "keeper.toml"
PROGRAM = str(Pubkey(bytes([7]) * 32))


def raw(**tables):
    cluster = {"rpc_urls": ["http://127.0.0.1:8899"], "program_id": PROGRAM, "other": 1}
    return {"cluster": cluster, "state": {"folder": "state"}, "lanes": {}, **tables}


def parsed(**tables):
    return parse_settings(raw(**tables), Path("/etc/keeper/keeper.toml"))


def test_the_shipped_file_has_incentives_that_both_services_accept():
    settings = load_settings(SHIPPED)
    assert settings.incentives.enabled
    assert settings.incentives.dwell_slots == 150
    assert settings.slot_ms == load_config(SHIPPED).cluster.slot_ms
    assert settings.program == load_config(SHIPPED).cluster.program_id


def test_without_a_table_the_rules_are_those_of_the_specification():
    settings = parsed()
    assert not settings.incentives.enabled
    assert settings.incentives.parameters.epoch_slots == 9_000
    assert settings.incentives.parameters.versions == (Rules(),)
    assert settings.ledger_path("4sGjMW1sUnHzSxGspuhpqL") == Path(
        "/etc/keeper/state/incentives-4sGjMW1sUnHz.db"
    )
    assert settings.manifests == Path("/etc/keeper/state/payouts")


def test_the_ledger_of_a_sandbox_lies_apart_from_what_must_never_be_lost():
    settings = parsed(sandbox={"enabled": True})
    assert settings.manifests == Path("/etc/keeper/state/sandbox/payouts")
    assert settings.ledger_path("x" * 44).parent == Path("/etc/keeper/state/sandbox")


def test_history_may_be_read_elsewhere_than_the_keeper_reads():
    settings = parsed(incentives={"rpc_urls": ["https://archive.example"]})
    assert settings.rpc_urls == ("https://archive.example",)
    assert parsed().rpc_urls == ("http://127.0.0.1:8899",)


def test_versions_of_the_rules_are_read_in_their_order():
    versions = [{"mining_rate_ppm": 500}, {"from_epoch": 7, "trade_reward_ppm": 0}]
    settings = parsed(incentives={"rules": versions})
    assert settings.incentives.parameters.version_at(7) == 2
    assert settings.incentives.rules[1].trade_reward_ppm == 0


def test_every_mistake_is_told_at_once():
    table = {"epoch_slots": 7_000, "unknown": 1, "rules": [{"mining_rate_ppm": 0.5}]}
    with pytest.raises(ConfigError) as refusal:
        parse_settings(raw(incentives=table, state={}), Path("keeper.toml"))
    told = str(refusal.value)
    assert "3 mistakes" in told
    assert "state.folder: missing" in told
    assert "incentives.unknown: unknown key" in told
    assert "incentives.rules.0.mining_rate_ppm" in told


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"epoch_slots": 7_000}, "a divisor of 9000"),
        ({"poll_slots": 0}, "poll_slots is 0, expected 1 to 9000"),
        ({"rules": [{"from_epoch": 1}]}, "first version must have from_epoch = 0"),
        ({"rules": [{}, {"from_epoch": 3}, {"from_epoch": 3}]}, "expected a later one than 3"),
        ({"rules": [{"notional_max": -1}]}, "notional_max"),
    ],
)
def test_rules_that_cannot_be_are_refused_in_a_sentence(table, words):
    with pytest.raises(ConfigError, match=words):
        parsed(incentives=table)


def test_the_ledger_last_written_is_the_one_that_is_read(tmp_path):
    settings = parse_settings(raw(), tmp_path / "keeper.toml")
    with pytest.raises(ConfigError, match="there is no ledger in"):
        settings.find_ledger()
    settings.folder.mkdir()
    for at_s, name in enumerate(("incentives-b.db", "incentives-a.db")):
        (settings.folder / name).touch()
        os.utime(settings.folder / name, (at_s, at_s))
    assert settings.find_ledger().name == "incentives-a.db"


def test_endpoints_are_asked_as_patiently_as_the_keeper_asks_them(tmp_path):
    keys = "rpc_timeout_ms = 750\nmax_lag_slots = 9\nbreaker_failures = 2\nbreaker_probe_ms = 300\n"
    keys += "breaker_probe_max_ms = 4_000\nretry_after_max_ms = 5_000\ncheck_interval_ms = 600\n"
    file = tmp_path / "keeper.toml"
    file.write_text(SHIPPED.read_text().replace("[cluster]\n", f"[cluster]\n{keys}", 1))
    found = load_settings(file).rpc_settings
    assert found == load_config(file).cluster.rpc_settings
    assert (0.75, 2.25, 0.6) == (
        found.try_timeout_s,
        found.read_deadline_s,
        found.check_interval_s,
    )
    file.write_text(SHIPPED.read_text().replace("[cluster]\n", "[cluster]\nmax_lag_slots = 1\n", 1))
    with pytest.raises(ConfigError, match="max_lag_slots is 1, expected 2 to 150"):
        load_settings(file)
