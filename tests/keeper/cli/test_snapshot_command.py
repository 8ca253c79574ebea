"""`keeper snapshot` against a network, from writing to a proof that strangers check."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result
from solders.pubkey import Pubkey

from bench._snapshot_world import States, make_states
from keeper.cli.commands import cli
from keeper.saved import check
from programs.layout import AccountKind
from tests.keeper.saved.saved_network import network_of, put

CHECK = Path(check.__file__)


@pytest.fixture(scope="module")
def states() -> States:
    return make_states(6, 10, next_rounds_percent=30)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["snapshot", *words])


def proved(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(CHECK), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_a_platform_is_saved_verified_compared_and_proved(
    states: States, tmp_path: Path
) -> None:
    program = str(Pubkey.from_bytes(states.program))
    one, other = str(tmp_path / "one.snapshot"), str(tmp_path / "other.snapshot")

    async def asked(*words: str) -> Result:
        return await trio.to_thread.run_sync(run, *words)

    async with network_of(states) as network:
        where = ["--url", network.url]
        written = await asked("write", *where, "--program", program, "--out", one, "--json")
        assert written.exit_code == 0, written.output
        same = await asked("verify", one, "--against-chain", *where, "--json")
        assert same.exit_code == 0, same.output
        put(network.bank, states.program, states.following)
        network.bank.advance_slot(2)
        differs = await asked("verify", one, "--against-chain", *where)
        assert differs.exit_code == 1
        changes = ["write", *where, "--program", program, "--out", other, "--base", one]
        assert (await asked(*changes)).exit_code == 0
    told = json.loads(run("read", other, "--json").stdout)
    assert (told["form"], told["base"]) == ("changes", "one.snapshot")
    assert told["kinds"]["market"] == 6
    assert json.loads(run("verify", other, "--json").stdout)["passed"]
    compared = run("diff", one, other, "--json")
    assert compared.exit_code == 1
    found = json.loads(compared.stdout)["differences"]["position"]
    before, after = (
        {str(Pubkey.from_bytes(a)): d for a, d in each if d[0] == AccountKind.POSITION}
        for each in (states.first, states.following)
    )
    assert set(found["closed"]) == set(before) - set(after)
    assert set(found["added"]) == set(after) - set(before)
    assert set(found["changed"]) == {a for a in before if after.get(a, before[a]) != before[a]}

    root = json.loads(run("read", one, "--json").stdout)["root"]
    for kind in AccountKind:
        for address, data in states.first:
            if data[0] == kind:
                said = run("prove", one, str(Pubkey.from_bytes(address)))
                proof = tmp_path / "proof.json"
                proof.write_text(said.stdout)
                checked = proved(str(proof), root)
                assert checked.returncode == 0, checked.stderr
                assert f"is counted by root {root}" in checked.stdout
                break
    forged = json.loads(proof.read_text())
    for change in (
        {"path": [{**forged["path"][0], "vault_debt": 2**64}, *forged["path"][1:]]},
        {"path": [{**forged["path"][0], "vault_debt": -1}, *forged["path"][1:]]},
        {"path": [{**forged["path"][0], "rewards_owed": 5}, *forged["path"][1:]]},
        {"path": forged["path"][1:]},
        {"index": forged["index"] ^ 1},
        {"leaves": forged["leaves"] + 1},
    ):
        proof.write_text(json.dumps(forged | change))
        assert "NOT PROVED" in proved(str(proof), root).stderr


def test_a_file_that_is_none_and_an_account_that_is_not_there_get_one_sentence(
    tmp_path: Path,
) -> None:
    path = tmp_path / "none"
    path.write_bytes(b"something else")
    for words in (["read"], ["verify"], ["diff", str(path)]):
        refused = run(*words, str(path))
        assert "other first bytes" in str(refused.exception)
    assert "Missing argument" in run("prove", str(path)).output
