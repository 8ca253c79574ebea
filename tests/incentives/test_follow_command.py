"""`incentives follow` at the command line: every refusal is one sentence."""

from click.testing import CliRunner
from solders.pubkey import Pubkey

from incentives.cli.commands import cli

CONFIG = """
[cluster]
rpc_urls = ["{url}"]
program_id = "{program}"
rpc_timeout_ms = 200
[state]
folder = "state"
[incentives]
{incentives}
"""


def invoke(tmp_path, *arguments, url="http://127.0.0.1:9", incentives=""):
    config = tmp_path / "keeper.toml"
    program = Pubkey(bytes([9]) * 32)
    config.write_text(CONFIG.format(url=url, program=program, incentives=incentives))
    return CliRunner().invoke(cli, ["follow", "--config", str(config), "--once", *arguments])


def test_a_cluster_that_does_not_answer_is_refused(tmp_path):
    found = invoke(tmp_path)
    assert found.exit_code == 2
    assert "127.0.0.1:9" in found.output
    assert "Traceback" not in found.output


def test_mistakes_of_the_table_are_listed(tmp_path):
    found = invoke(tmp_path, incentives="epoch_slots = 7\ndwell = 3")
    assert found.exit_code == 2
    assert "incentives.dwell: unknown key" in found.output


def test_a_missing_file_is_named(tmp_path):
    found = CliRunner().invoke(cli, ["follow", "--config", str(tmp_path / "none.toml")])
    assert found.exit_code == 2
    assert "none.toml does not exist" in found.output
