"""`incentives follow` at the command line: every refusal is one sentence."""

import signal

import trio
from click.testing import CliRunner
from solders.pubkey import Pubkey

from incentives.cli.commands import cli
from incentives.cli.follow import _run
from incentives.config import load_settings
from state.metrics import IS_DRAINING, TASK_RUNNING
from state.sample_socket import read_samples, socket_path

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


async def test_a_service_that_waits_for_its_cluster_says_that_it_lives_and_at_the_end_that_it_ends(
    tmp_path,
):
    config = tmp_path / "keeper.toml"
    program = Pubkey(bytes([9]) * 32)
    config.write_text(CONFIG.format(url="http://127.0.0.1:9", program=program, incentives=""))
    settings = load_settings(config)
    heard = []
    with trio.fail_after(30):
        async with (
            read_samples(socket_path(settings.folder, "incentives"), retry_s=0.01) as samples,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(lambda: _run(settings, is_once=False, until_stdin_closes=False))
            heard.append(await anext(samples))
            signal.raise_signal(signal.SIGTERM)
            heard.append(await anext(samples))
    assert [each.is_last for each in heard] == [False, True]
    assert heard[0].get(TASK_RUNNING, "incentives", "reading") == 1.0
    assert heard[1].get(IS_DRAINING, "incentives") == 1.0
    assert heard[1].get(TASK_RUNNING, "incentives", "reading") is None
