"""`keeper deploy` through the real loader, over sockets: interrupted, resumed, abandoned, refused."""

import json
import os
import pty
import signal
import subprocess
import sys
from hashlib import sha256

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs import loader
from programs.addresses import SYSTEM_PROGRAM
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage, buffer_keypair
from programs.localnet.genesis import deploy_immutable
from tests.programs.test_deploy import RETURN_SEVEN, RETURN_ZERO, elf

SMALL = elf(RETURN_ZERO + RETURN_ZERO[8:] * 300)
"""A program of three chunks."""


@pytest.fixture
def so(tmp_path):
    path = tmp_path / "small.so"
    path.write_bytes(SMALL)
    return path


def deployed(operator):
    address = loader.program_data_address(operator.program.pubkey())
    account = operator.chain.account(address)
    return None if account is None else loader.decode_program_data(account.data)


def finish(operator):
    """Leave a finished deployment of the small program behind."""
    image = ProgramImage(program=operator.program, code=SMALL)
    operator.chain.do(deploy_immutable, operator.chain.bank, image)


def buffer_of(operator, code=SMALL):
    return buffer_keypair(ProgramImage(program=operator.program, code=code)).pubkey()


def test_a_deployment_is_proved_and_costs_what_was_said(operator, so):
    before = operator.chain.lamports(operator.payer.pubkey())

    code, found = operator.json("deploy", "--so", so)

    assert code == 0
    assert (found["event"], found["upgrade_authority"]) == ("deployed", None)
    assert found["sha256"] == sha256(SMALL).hexdigest() == found["expected_sha256"]
    assert found["refused"] == ["Upgrade", "SetAuthority", "Close"]
    spent = before - operator.chain.lamports(operator.payer.pubkey())
    assert spent == found["rent_lamports"] + found["fees_lamports"]
    assert deployed(operator).code == SMALL
    assert deployed(operator).authority is None
    assert operator.chain.lamports(buffer_of(operator)) == 0


def test_a_bid_for_inclusion_costs_what_was_said(operator, so):
    before = operator.chain.lamports(operator.payer.pubkey())
    code, found = operator.json("deploy", "--so", so, "--cu-price", "123457", "--at-once", "1")
    spent = before - operator.chain.lamports(operator.payer.pubkey())
    assert (code, spent) == (0, found["rent_lamports"] + found["fees_lamports"])
    assert found["fees_lamports"] > 5_000 * (found["transactions"] + 2)


def test_the_whole_committed_program_killed_in_the_middle_goes_on_where_it_was(operator):
    """kill -9 of a process, then the same command again."""
    code = PROGRAM_SO.read_bytes()
    buffer = buffer_of(operator, code)
    words = operator.words("deploy", "--at-once", "8")
    with subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith("8 of "):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    written_before = operator.chain.writes(buffer)
    assert deployed(operator) is None

    ended, found = operator.json("deploy")

    assert ended == 0
    assert 0 < found["chunks_left"] <= found["chunks"] - 8
    again = operator.chain.writes(buffer) - written_before
    # Its chunks and the last transaction; up to eight were in flight when the first run was killed.
    assert found["chunks_left"] - 8 < again <= found["chunks_left"] + 8 + 1
    assert deployed(operator).code == code
    assert deployed(operator).authority is None


def test_a_second_run_says_it_is_done_and_proves_it_at_no_cost(operator, so):
    finish(operator)
    before = operator.chain.lamports(operator.payer.pubkey())

    code, out, told = operator.run("deploy", "--so", so)

    assert code == 0
    assert "already deployed" in told
    assert [line.split()[0] for line in out.splitlines() if "Immutable" in line] == [
        "Upgrade",
        "SetAuthority",
        "Close",
    ]
    assert operator.chain.lamports(operator.payer.pubkey()) == before


def test_a_done_deployment_is_proved_by_a_payer_without_sol_but_for_the_probes(operator, so):
    finish(operator)
    poor = operator.path("poor", Keypair())
    code, out, _told = operator.run("deploy", "--so", so, payer=poor)
    assert code == 0
    assert out.count("skipped: payer") == 3


def test_a_dry_run_shows_the_cost_and_sends_nothing(operator, so):
    code, out, told = operator.run("deploy", "--so", so, "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["transactions"] == 5
    assert "lamports" in told
    assert "NOT the committed program" in told
    assert operator.chain.writes(operator.payer.pubkey()) == 1, "the airdrop"


def test_lamports_sent_beforehand_to_the_addresses_do_not_stop_a_deployment(operator, so):
    bank = operator.chain.bank
    operator.chain.do(bank.airdrop, operator.program.pubkey(), 1_000_000)
    operator.chain.do(bank.airdrop, buffer_of(operator), 3_000_000_000)
    before = operator.chain.lamports(operator.payer.pubkey())
    code, found = operator.json("deploy", "--so", so)
    assert code == 0
    assert deployed(operator).code == SMALL
    # What lay in the buffer beyond its rent comes to the payer with the deployment.
    spent = before - operator.chain.lamports(operator.payer.pubkey())
    assert spent <= found["rent_lamports"] + found["fees_lamports"]


def test_abandoning_recovers_the_rent_of_the_buffer_and_one_can_begin_again(operator, so):
    before = operator.chain.lamports(operator.payer.pubkey())
    plant_buffer(operator, SMALL[:1_000] + bytes(len(SMALL) - 1_000))
    rent = operator.chain.lamports(buffer_of(operator))

    code, found = operator.json("deploy", "--so", so, "--abandon")

    assert code == 0
    assert (found["event"], found["recovered_lamports"]) == ("abandoned", rent)
    assert operator.chain.lamports(buffer_of(operator)) == 0
    assert operator.chain.lamports(operator.payer.pubkey()) == before + rent - 5_000
    assert operator.run("deploy", "--so", so)[0] == 0


def plant_buffer(operator, written, authority=None, code=SMALL):
    """A buffer as an interrupted deployment leaves it."""
    authority = authority or operator.payer.pubkey()
    data = b"\1\0\0\0\1" + bytes(authority) + written
    bank = operator.chain.bank
    account = Account(
        lamports=bank.rent_exempt_lamports(len(data)),
        data=data,
        owner=loader.LOADER,
        executable=False,
    )
    operator.chain.do(bank.set_account, buffer_of(operator, code), account)


def test_only_chunks_that_differ_are_written(operator, so):
    wrong = bytearray(SMALL)
    wrong[1_500] ^= 1
    plant_buffer(operator, bytes(wrong))
    code, found = operator.json("deploy", "--so", so)
    assert (code, found["chunks"], found["chunks_left"], found["transactions"]) == (0, 3, 1, 2)
    assert deployed(operator).code == SMALL


def test_a_buffer_of_ones_own_keypair_serves_as_well(operator, so):
    mine = Keypair()
    code, found = operator.json("deploy", "--so", so, "--buffer", operator.path("buffer", mine))
    assert (code, found["buffer"]) == (0, str(mine.pubkey()))


def refused(operator, *options, payer=None):
    code, out, told = operator.run("deploy", *options, payer=payer)
    assert (code, out) == (2, "")
    return told.splitlines()[-1]


def test_other_bytes_under_the_same_id_are_refused(operator, so, tmp_path):
    finish(operator)
    other = tmp_path / "other.so"
    other.write_bytes(elf(RETURN_SEVEN))
    told = refused(operator, "--so", other)
    assert "deployed for good with other bytes" in told
    assert sha256(SMALL).hexdigest() in told


@pytest.mark.parametrize(("flipped", "words"), [(0, "these bytes"), (1, "other bytes")])
def test_an_authority_that_is_still_held_is_told_in_its_own_words(operator, so, flipped, words):
    finish(operator)
    holder = Pubkey.new_unique()
    address = loader.program_data_address(operator.program.pubkey())
    data = operator.chain.account(address).data
    data = data[:12] + b"\1" + bytes(holder) + data[45:-1] + bytes([data[-1] ^ flipped])
    operator.chain.edit(address, data=data)
    told = refused(operator, "--so", so)
    assert f"deployed with {words}, but {holder} still holds its upgrade authority" in told


def test_a_closed_program_cannot_be_deployed_again(operator, so):
    finish(operator)
    address = loader.program_data_address(operator.program.pubkey())
    operator.chain.edit(address, data=b"", owner=SYSTEM_PROGRAM, lamports=0)
    assert "was deployed and closed" in refused(operator, "--so", so)


def test_lamports_at_the_address_of_the_code_are_told(operator, so):
    address = loader.program_data_address(operator.program.pubkey())
    operator.chain.do(operator.chain.bank.airdrop, address, 1_000_000)
    assert f"somebody sent lamports to {address}" in refused(operator, "--so", so)


def test_a_payer_that_is_too_poor_is_told_what_it_takes_before_anything_is_sent(operator):
    poor = Keypair()
    operator.chain.do(operator.chain.bank.airdrop, poor.pubkey(), 10_000_000)
    told = refused(operator, payer=operator.path("poor", poor))
    assert f"payer {poor.pubkey()} has 0.010000000 SOL, expected at least 0." in told
    assert operator.chain.writes(poor.pubkey()) == 1, "the airdrop"


def test_a_buffer_begun_by_another_payer_is_told(operator, so):
    other = Pubkey.new_unique()
    plant_buffer(operator, SMALL, authority=other)
    assert f"was begun by {other}, not by {operator.payer.pubkey()}" in refused(
        operator, "--so", so
    )


def test_a_buffer_of_another_length_or_kind_is_told(operator, so, tmp_path):
    mine = Keypair()
    path = operator.path("buffer", mine)
    short = b"\1\0\0\0\1" + bytes(operator.payer.pubkey()) + bytes(10)
    for data, words in ((short, "has room for 10 bytes"), (bytes(60), "no buffer")):
        account = Account(10**9, data, loader.LOADER, executable=False)
        operator.chain.do(operator.chain.bank.set_account, mine.pubkey(), account)
        assert words in refused(operator, "--so", so, "--buffer", path)
    account = Account(10**9, bytes(60), Pubkey.new_unique(), executable=False)
    operator.chain.do(operator.chain.bank.set_account, mine.pubkey(), account)
    assert "is an account of" in refused(operator, "--so", so, "--buffer", path)


def test_an_id_that_is_another_account_is_told(operator, so):
    stranger = Account(10**9, bytes(8), Pubkey.new_unique(), executable=False)
    operator.chain.do(operator.chain.bank.set_account, operator.program.pubkey(), stranger)
    assert "not a program of the upgradeable loader" in refused(operator, "--so", so)


def test_an_id_of_the_loader_that_is_no_program_is_told(operator, so):
    finish(operator)
    address = operator.program.pubkey()
    data = b"\1" + operator.chain.account(address).data[1:]
    operator.chain.edit(address, data=data, executable=False)
    operator.chain.do(operator.chain.bank.advance_slot, 2)
    assert "is taken (the account is no program" in refused(operator, "--so", so)


def test_a_payer_that_is_no_wallet_is_told(operator, so):
    owner = Pubkey.new_unique()
    operator.chain.edit(operator.payer.pubkey(), data=b"1", owner=owner)
    operator.chain.do(operator.chain.bank.advance_slot, 2)
    assert f"is an account of {owner}, which cannot pay" in refused(operator, "--so", so)


def test_on_a_terminal_it_asks_and_no_means_no(operator, so):
    controller, terminal = pty.openpty()
    words = operator.words("deploy", "--so", so)
    with subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", *words],
        stdin=terminal,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(controller, b"n\n")
        told = process.stderr.read()
    os.close(terminal)
    os.close(controller)
    assert "Deploy it, for ever? [y/N]" in told
    assert process.returncode == 1
    assert operator.chain.lamports(buffer_of(operator)) == 0


def test_one_key_cannot_be_program_and_payer(operator, so):
    told = refused(operator, "--so", so, payer=operator.folder / "program.json")
    assert "is both --program and --payer" in told


def test_there_is_nothing_to_abandon_before_and_after(operator, so):
    assert "there is no buffer" in refused(operator, "--so", so, "--abandon")
    finish(operator)
    assert "its buffer became the program" in refused(operator, "--so", so, "--abandon")


def test_a_payer_that_cannot_pay_for_closing_is_told(operator, so):
    poor = Keypair()
    plant_buffer(operator, SMALL, authority=poor.pubkey())
    path = operator.path("poor", poor)
    assert "for the fee of closing the buffer" in refused(
        operator, "--so", so, "--abandon", payer=path
    )


def test_a_dry_run_of_abandoning_says_what_would_return(operator, so):
    plant_buffer(operator, SMALL)
    code, _out, told = operator.run("deploy", "--so", so, "--abandon", "--dry-run")
    assert code == 0
    assert "would return 0." in told
    assert operator.chain.lamports(buffer_of(operator)) > 0


def test_code_that_the_loader_refuses_ends_with_its_words(operator, tmp_path):
    bad = tmp_path / "bad.so"
    bad.write_bytes(elf(b"\xff" * 16))
    told = refused(operator, "--so", bad)
    assert "the deployment makes no progress" in told
    assert "InvalidAccountData" in told
    assert operator.run("deploy", "--so", bad, "--abandon")[0] == 0


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read: No such file"), (b"text", "expected an sBPF v3")]
)
def test_a_file_that_is_no_program_is_told(operator, tmp_path, content, words):
    path = tmp_path / "file.so"
    if content is not None:
        path.write_bytes(content)
    assert words in refused(operator, "--so", path)


def test_a_missing_keypair_is_told(operator):
    assert "does not exist" in refused(operator, payer=operator.folder / "none.json")


def test_an_unreachable_cluster_is_one_sentence(operator):
    words = operator.words("deploy")
    words[2] = "http://127.0.0.1:9"
    ended = subprocess.run(
        [sys.executable, "-m", "keeper.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("keeper: the cluster cannot be read")
    assert "check that it runs and that --url is right" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_url_that_is_none_is_refused(operator):
    code, _out, told = operator.run("deploy", "--url", "127.0.0.1:8899")
    assert code == 2
    assert "expected an http:// or https:// URL" in told


def test_the_keypair_of_another_program_than_keeper_toml_names_is_refused(operator, tmp_path):
    config = tmp_path / "keeper.toml"
    named = Pubkey.new_unique()
    config.write_text(
        f'[cluster]\nrpc_urls = ["{operator.chain.url}"]\nprogram_id = "{named}"\n'
        '[keys]\nkeeper = "keeper.json"\n[state]\nfolder = "state"\n'
    )
    told = refused(operator, "--config", config)
    assert f"is of program {operator.program.pubkey()}, keeper.toml names {named}" in told
