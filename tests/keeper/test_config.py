"""keeper/config.py."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.config import effective, load_config, parse_config
from keeper.errors import ConfigError

ROOT = Path(__file__).parents[2]
PROGRAM = "11111111111111111111111111111112"
LEAST = f"""
[cluster]
rpc_urls = ["https://rpc.example"]
program_id = "{PROGRAM}"
[keys]
keeper = "keys/keeper.json"
[state]
folder = "state"
"""


def write(tmp_path, text):
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    return path


def mistakes_of(tmp_path, text):
    with pytest.raises(ConfigError) as refused:
        load_config(write(tmp_path, text))
    return str(refused.value)


def test_the_shipped_file_is_valid_and_runs_the_sandbox():
    config = load_config(ROOT / "keeper.toml")
    assert config.sandbox.enabled
    assert config.cluster.slot_ms == config.polymarket.slot_ms


def test_the_least_file_runs_against_a_real_cluster(tmp_path):
    config = load_config(write(tmp_path, LEAST))

    assert not config.sandbox.enabled
    assert tmp_path / "keys" / "keeper.json" == config.keys.keeper
    assert "https://clob.polymarket.com" == config.polymarket.clob_url
    assert 400 == config.polymarket.slot_ms


def test_every_mistake_is_listed_with_its_dotted_key(tmp_path):
    text = mistakes_of(
        tmp_path,
        """
        [cluster]
        rpc_urls = ["ftp://x", "http://ok"]
        program_id = "not base58!"
        slot_ms = "400"
        typo = 1
        [lanes.prices]
        concurrency = 0
        [posting]
        heartbeat_slots = 101
        [state]
        """,
    )

    for expected in (
        "cluster.rpc_urls.0: expected an http:// or https:// URL, found 'ftp://x'",
        "cluster.program_id: 'not base58!' is no address in base58",
        "cluster.slot_ms:",
        "cluster.typo: unknown key",
        "lanes.prices: concurrency is 0, expected 1 to 1000",
        "posting: heartbeat_slots is 101",
        "keys: missing",
        "state.folder: missing",
    ):
        assert expected in text
    assert "8 mistakes" in text


def test_a_number_in_quotes_or_with_a_fraction_is_no_integer(tmp_path):
    for wrong in ('"5"', "5.5", "true"):
        text = LEAST + f"[landing]\ndrain_s = {wrong}\n"
        assert "landing.drain_s" in mistakes_of(tmp_path, text)


def test_the_slot_has_one_key_only(tmp_path):
    text = LEAST + "[polymarket]\nslot_ms = 400\n"
    assert "polymarket.slot_ms: unknown key; set cluster.slot_ms" in mistakes_of(tmp_path, text)


def test_a_file_that_is_missing_or_no_toml_gets_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="does not exist: name the file with --config"):
        load_config(tmp_path / "none.toml")
    assert "is no TOML" in mistakes_of(tmp_path, "cluster = [")
    assert "a date or time" in mistakes_of(tmp_path, LEAST + "[sandbox]\nseed = 2026-01-01\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["cluster", "keys", "state", "polymarket", "slot_ms", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).filter(lambda value: isinstance(value, dict))
)
def test_no_shape_of_file_gets_further_than_a_list_of_mistakes(raw):
    with pytest.raises(ConfigError, match="mistake"):
        parse_config(raw, Path("keeper.toml"))


def test_the_effective_configuration_has_every_key_and_no_objects(tmp_path):
    shown = effective(load_config(write(tmp_path, LEAST)))

    assert PROGRAM == shown["cluster"]["program_id"]
    assert set(tomllib.loads((ROOT / "keeper.toml").read_text())) <= set(shown)
    assert str(tmp_path / "state") == shown["state"]["folder"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("max_lag_slots = 1", "cluster: max_lag_slots is 1, expected 2 to 150"),
        ("breaker_failures = 0", "cluster: breaker_failures is 0, expected 1 to 100"),
        ("check_interval_ms = 10", "cluster: check_interval_ms is 10, expected 500 to 600000"),
        (
            "breaker_probe_ms = 5_000\nbreaker_probe_max_ms = 1_000",
            "cluster: breaker_probe_max_ms is 1000, expected at least breaker_probe_ms (5000)",
        ),
    ],
)
def test_bad_settings_of_rpc_endpoints_are_one_sentence_each(tmp_path, setting, said):
    text = LEAST.replace("[cluster]\n", f"[cluster]\n{setting}\n")
    assert said in mistakes_of(tmp_path, text)


def test_the_settings_of_rpc_endpoints_reach_the_pool(tmp_path):
    text = LEAST.replace("[cluster]\n", "[cluster]\nmax_lag_slots = 9\nbreaker_failures = 4\n")
    settings = load_config(write(tmp_path, text)).cluster.rpc_settings
    assert (9, 4) == (settings.max_lag_slots, settings.breaker_rules.failures)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("poll_interval_slots = nan", "poll_interval_slots is nan, expected 0.05 to 25"),
        ("poll_interval_slots = inf", "poll_interval_slots is inf, expected 0.05 to 25"),
        ("poll_interval_slots = 1e-9", "poll_interval_slots is 1e-09, expected 0.05 to 25"),
        ("resend_interval_slots = 151", "resend_interval_slots is 151, expected 1 to 150"),
        ("drain_s = 0", "drain_s is 0, expected 1 to 3600"),
    ],
)
def test_landing_neither_spins_nor_waits_for_ever(tmp_path, line, said):
    assert f"landing: {said}" in mistakes_of(tmp_path, f"{LEAST}\n[landing]\n{line}\n")


def test_lookup_tables_cannot_lock_less_than_nothing(tmp_path):
    text = mistakes_of(tmp_path, f"{LEAST}\n[lanes]\ntables_rent_max_lamports = -1\n")
    assert "lanes: tables_rent_max_lamports is -1, expected 0 to 9223372036854775807" in text
