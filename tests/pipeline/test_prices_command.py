"""`keeper prices` against a real network and venue, as an operator and a script use it."""

import json
import subprocess
import sys

import pytest
from processes import free_ports, write_config
from quiet_world import quiet_world


@pytest.fixture(scope="module")
def world():
    with quiet_world() as found:
        yield found


@pytest.fixture
def config(world, tmp_path):
    return write_config(tmp_path, world.rpc_port, world.venue_port)


def prices(config, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "keeper.cli.main", "prices", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_markets_on_chain_are_shown_by_source_without_any_key(config):
    ended = prices(config, "--json")
    found = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert [each["market"] for each in found["markets"]] == ["market 0", "market 1"]
    for each in found["markets"]:
        assert 0 < each["price_e6"] < 1_000_000
        assert each["price_class"] == "valid"
        assert {word["source"] for word in each["sources"]} >= {each["source"]}
    assert found["statistics"]["published"] > 0
    assert not (config.parent / "var").exists()


def test_the_venue_alone_needs_no_cluster(config, world, tmp_path):
    (tmp_path / "alone").mkdir()
    alone = write_config(tmp_path / "alone", free_ports(1)[0], world.venue_port)
    ended = prices(alone, "--venue", "--once", "--match", "event 2")

    assert ended.returncode == 0, ended.stderr
    assert "Will sandbox event 2 happen?" in ended.stdout
    assert "event 1" not in ended.stdout
    # The venue moves: for a moment after a jump its families differ.
    assert ended.stderr in ("1 of 2 markets: 1 valid\n", "1 of 2 markets: 1 uncertain\n")


def test_no_cluster_no_venue_and_no_price_are_one_sentence_each(world, tmp_path):
    (tmp_path / "none").mkdir()
    nowhere = write_config(tmp_path / "none", *free_ports(2))
    (tmp_path / "half").mkdir()
    priceless = write_config(tmp_path / "half", world.rpc_port, free_ports(1)[0])
    for file, arguments, words in (
        (nowhere, ("--once",), "the markets on chain cannot be read"),
        (nowhere, ("--venue",), "the venue does not list its markets"),
        (priceless, ("--once", "--wait", "1s"), "none of 2 markets had a price within 1 s"),
    ):
        ended = prices(file, *arguments)
        assert ended.returncode != 0
        assert words in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr


def test_a_source_that_never_answers_is_named_below_the_table(world, tmp_path):
    file = write_config(tmp_path, world.rpc_port, world.venue_port)
    dead = f'clob_url = "http://127.0.0.1:{free_ports(1)[0]}"'
    file.write_text(
        "\n".join(
            dead if line.startswith("clob_url") else line for line in file.read_text().splitlines()
        )
    )
    ended = prices(file, "--once")

    assert ended.returncode == 0, ended.stderr
    assert "2 of 2 markets: " in ended.stderr
    assert "calls failed: " in ended.stderr
    assert "clob.refused" in ended.stderr
