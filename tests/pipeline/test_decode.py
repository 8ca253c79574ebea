"""`keeper decode` against a network: what the chain has, by name."""

import json

import pytest
from click.testing import CliRunner
from quiet_world import PROGRAM, quiet_world
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.cli.decode import decode_command
from programs.accounts import Vault
from programs.addresses import global_address, vault_address

STRANGER = Keypair.from_seed(b"z" * 32).pubkey()


@pytest.fixture(scope="module")
def world():
    with quiet_world() as found:
        yield found


@pytest.fixture(scope="module")
def decode(world):
    def run(*arguments):
        options = ["--rpc-url", f"http://127.0.0.1:{world.rpc_port}", "--program-id", str(PROGRAM)]
        return CliRunner().invoke(decode_command, [*map(str, arguments), *options])

    return run


def newest(world, address):
    return world.do(lambda: next(iter(world.bank.ledger.newest_first(address))))


def test_an_account_is_shown_with_every_field(world, decode):
    address = vault_address(PROGRAM)[0]
    shown = json.loads(decode(address, "--json").stdout)
    vault = Vault.from_bytes(world.account(address).data)
    assert shown["kind"] == "vault"
    assert shown["fields"]["cash"] == vault.cash
    assert shown["fields"]["tokens"] == str(vault.tokens)
    assert shown["in_words"]["cash"].startswith("$")
    text = decode(address).stdout
    assert f"vault {address}" in text
    assert str(vault.tokens) in text


def test_a_transaction_is_shown_with_its_instructions_and_events_in_order(world, decode):
    record = newest(world, global_address(PROGRAM)[0])
    shown = json.loads(decode(record.signature, "--json").stdout)
    ours = [step for step in shown["instructions"] if step["program"] == str(PROGRAM)]
    assert ours
    assert all(step["name"] for step in ours)
    assert ours[0]["accounts"]["global"] == str(global_address(PROGRAM)[0])
    assert shown["events"]
    assert [shown["err"], shown["error"], shown["problem"]] == [None, None, None]
    assert shown["cu"] > 0
    text = decode(record.signature).stdout
    assert f"transaction {record.signature}" in text
    assert f"event: {shown['events'][0]['kind']}" in text


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (STRANGER, f"{STRANGER} does not exist on this cluster: check --rpc-url"),
        ("x", "'x' is neither an address nor a signature in base58"),
        ("0" * 80, "is neither an address nor a signature in base58"),
        (
            Keypair.from_seed(b"z" * 32).sign_message(b""),
            "the cluster has no confirmed transaction",
        ),
        (Pubkey.default(), f"not to the program {PROGRAM}: check --program-id"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(decode, what, expected):
    ended = decode(what)
    assert ended.exit_code == 2
    assert expected in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_transaction_of_others_is_told_apart(world, decode):
    world.do(world.bank.airdrop, STRANGER, 10**9)
    record = newest(world, STRANGER)
    for _ in range(200):
        ended = decode(record.signature)
        if "no confirmed transaction" not in ended.stderr:
            break
    assert "does not involve the program" in ended.stderr


def test_an_account_with_damaged_bytes_is_told_apart(world, decode):
    address = Keypair.from_seed(b"y" * 32).pubkey()
    world.set_account(address, Account(10**9, bytes([99] * 40), PROGRAM))
    for _ in range(200):
        ended = decode(address)
        if "does not exist" not in ended.stderr:
            break
    assert "belongs to the program, but is no account of it: found 40 bytes" in ended.stderr


def test_a_cluster_that_does_not_answer_is_one_sentence():
    ended = CliRunner().invoke(
        decode_command,
        [str(STRANGER), "--rpc-url", "http://127.0.0.1:1", "--program-id", str(PROGRAM)],
    )
    assert ended.exit_code == 2
    assert "the cluster cannot be read" in ended.stderr
