"""incentives/cli/cluster.py: which cluster a command asks, and how patiently."""

import socket

import pytest
from click.testing import CliRunner
from written_ledger import being_written, played, wallet

from incentives.cli.commands import cli


@pytest.fixture
def silent_url():
    """A node that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("command", ["season", "recompute --from-chain", "reconcile"])
def test_a_cluster_is_asked_for_as_long_as_keeper_toml_says(tmp_path, silent_url, command):
    """With rpc_timeout_ms at its least a silent node is given up after 150 ms; by default it would take 15 s."""
    config = tmp_path / "keeper.toml"
    config.write_text(
        f'[cluster]\nrpc_urls = ["{silent_url}"]\nprogram_id = "{wallet("program")}"\nrpc_timeout_ms = 50\n'
        f'[state]\nfolder = "state"\n[incentives]\nledger = "ledger.db"\n'
    )
    with being_written(tmp_path / "ledger.db", played()):
        found = CliRunner().invoke(cli, [*command.split(), "--config", str(config)])
    assert 2 == found.exit_code
    assert "the cluster cannot be read (no answer within 0.15 s from http" in found.output
