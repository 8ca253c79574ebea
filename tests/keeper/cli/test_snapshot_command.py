"""`keeper snapshot` against a network, from writing to a proof that strangers check."""

import json
import runpy
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
from keeper.saved.accounts import take_accounts
from keeper.saved.files import save
from programs.layout import AccountKind
from state.snapshots.piece import Origin
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


def saved_under(program: bytes, states: States, path: Path) -> str:
    """Save the accounts as another program's, and return their root."""
    origin = Origin(genesis_hash=states.genesis_hash, program=program, slot=5)
    return save(path, origin, take_accounts(states.first)).root.hex()


def test_a_proof_is_of_one_program(states: States, tmp_path: Path) -> None:
    ours, theirs = states.program, bytes([9]) * 32
    roots = [saved_under(each, states, tmp_path / each.hex()) for each in (ours, theirs)]
    account = str(Pubkey.from_bytes(states.first[0][0]))
    proof = tmp_path / "proof.json"
    proof.write_text(run("prove", str(tmp_path / theirs.hex()), account).stdout)
    names = [str(Pubkey.from_bytes(each)) for each in (ours, theirs)]

    fooled = proved(str(proof), roots[1], names[0])
    assert fooled.returncode == 1
    assert f"this is of a snapshot of program '{names[1]}', expected {names[0]}" in fooled.stderr
    assert "NOT PROVED" in proved(str(proof), roots[0]).stderr
    told = proved(str(proof), roots[1]).stdout
    assert f"of program {names[1]} on the cluster of genesis hash" in told
    assert "compare it with the one that you mean" in told
    assert "compare" not in proved(str(proof), roots[1], names[1]).stdout
    # The proof may say that it is ours: the root says otherwise.
    proof.write_text(json.dumps(json.loads(proof.read_text()) | {"program": names[0]}))
    for words in ([], roots[1:], [roots[1], names[0]]):
        assert "NOT PROVED" in proved(str(proof), *words).stderr


def test_what_is_no_proof_is_one_sentence(states: States, tmp_path: Path) -> None:
    saved_under(states.program, states, tmp_path / "one")
    account = str(Pubkey.from_bytes(states.first[0][0]))
    sound = json.loads(run("prove", str(tmp_path / "one"), account).stdout)
    sibling = sound["path"][0]
    proof = tmp_path / "proof.json"
    odd = (None, "", -1, 2**64, 1.5, [], {}, "x" * 99, "1" * 44, "\x1b[2J")
    bent = [sound | {key: value} for key in sound for value in odd if key not in {"slot", "totals"}]
    bent += [sound | {"path": [sibling | {key: value}]} for key in sibling for value in odd]
    texts = [*(json.dumps(each) for each in bent), "", "[]", "[" * 9_999, '{"a": 1e999}', "\xff"]
    for text in texts:
        proof.write_text(text)
        ended = checked_in_process(proof)
        assert ended.startswith("NOT PROVED: "), (text[:200], ended)
        assert ended.isprintable()


def checked_in_process(proof: Path) -> str:
    """Return what the checker ends with; a process each would take minutes."""
    before, sys.argv = sys.argv, ["check.py", str(proof), "00" * 32]
    try:
        runpy.run_path(str(CHECK), run_name="__main__")
    except SystemExit as ended:
        return str(ended.code)
    finally:
        sys.argv = before
    return "proved"


def test_a_snapshot_of_another_program_than_the_configured_one_is_named(
    states: States, tmp_path: Path
) -> None:
    saved_under(states.program, states, tmp_path / "one")
    configured = str(Pubkey.from_bytes(bytes([9]) * 32))
    config = tmp_path / "keeper.toml"
    config.write_text(
        f'[cluster]\nrpc_urls = ["http://127.0.0.1:9"]\nprogram_id = "{configured}"\n'
        '[keys]\nkeeper = "key.json"\n[state]\nfolder = "."\n'
    )
    found = str(Pubkey.from_bytes(states.program))
    where = ["--config", str(config)]
    for words in (
        ["verify", str(tmp_path / "one"), "--against-chain", *where],
        ["write", "--base", str(tmp_path / "one"), *where],
    ):
        said = str(run(*words).exception)
        assert f"is a snapshot of program {found}, the configuration names {configured}" in said


def test_a_file_that_is_none_and_an_account_that_is_not_there_get_one_sentence(
    tmp_path: Path,
) -> None:
    path = tmp_path / "none"
    path.write_bytes(b"something else")
    for words in (["read"], ["verify"], ["diff", str(path)]):
        refused = run(*words, str(path))
        assert "other first bytes" in str(refused.exception)
    assert "Missing argument" in run("prove", str(path)).output
