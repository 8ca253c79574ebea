"""`keeper halt`: once, by whoever may, final before it says so, and refused in one sentence when it cannot be."""

import subprocess
import sys

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs import addresses
from programs.accounts import Global
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.genesis import deploy_immutable


@pytest.fixture
def halter():
    return Keypair()


@pytest.fixture
def founded(operator, halter):
    """A platform whose halt authority is somebody without any SOL."""
    image = ProgramImage(program=operator.program, code=PROGRAM_SO.read_bytes())
    operator.chain.do(deploy_immutable, operator.chain.bank, image)
    others = Pubkey.new_unique()
    words = ("--new-quote-mint", "--authority", others, "--halt-authority", halter.pubkey())
    code, _out, told = operator.run("genesis", *words)
    assert code == 0, told
    operator.path("halter", halter)
    return operator


def platform(operator):
    account = operator.chain.account(addresses.global_address(operator.program.pubkey())[0])
    return Global.from_bytes(account.data)


def options(operator, *more):
    return ("--authority", operator.folder / "halter.json", *more)


def refused(operator, *words, payer=None):
    code, out, told = operator.run("halt", *words, payer=payer)
    assert (code, out) == (2, "")
    assert not platform(operator).halted
    return told.splitlines()[-1]


def test_it_shows_what_stops_and_halts_at_the_cost_it_said(founded, halter):
    payer = founded.payer.pubkey()
    before = founded.chain.lamports(payer)
    code, planned = founded.json("halt", *options(founded, "--dry-run"))
    assert (code, planned["event"]) == (0, "planned")
    assert not platform(founded).halted
    assert founded.chain.lamports(payer) == before

    code, done = founded.json("halt", *options(founded))

    assert (code, done["event"], done["halt_authority"]) == (0, "halted", str(halter.pubkey()))
    assert platform(founded).halted
    assert before - founded.chain.lamports(payer) == planned["fee_lamports"] == done["fee_lamports"]
    finalized = founded.chain.do(founded.chain.bank.block_at, "finalized").slot
    records = founded.chain.do(
        lambda: list(founded.chain.bank.ledger.newest_first(halter.pubkey()))
    )
    (record,) = records
    assert record.slot <= finalized


def test_a_bid_is_paid_for(founded):
    _code, planned = founded.json("halt", *options(founded, "--cu-price", "50000000", "--dry-run"))
    before = founded.chain.lamports(founded.payer.pubkey())
    code, _done = founded.json("halt", *options(founded, "--cu-price", "50000000"))
    assert code == 0
    spent = before - founded.chain.lamports(founded.payer.pubkey())
    assert spent == planned["fee_lamports"] > 2 * 5_000


def test_a_second_halt_says_so_and_spends_nothing(founded):
    founded.run("halt", *options(founded))
    before = founded.chain.lamports(founded.payer.pubkey())
    code, out, told = founded.run("halt", *options(founded))
    assert (code, out) == (0, "")
    assert "halted before: nothing to do" in told
    code, found = founded.json("halt", *options(founded, "--dry-run"))
    assert (code, found["event"], found["fee_lamports"]) == (0, "already_halted", 0)
    assert founded.chain.lamports(founded.payer.pubkey()) == before


def test_killed_while_it_waits_the_same_command_goes_on(founded):
    words = founded.words("halt", *options(founded))
    with subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", *words],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if line.startswith("fee"):
                process.kill()
                break
    code, _found = founded.json("halt", *options(founded))
    assert code == 0
    assert platform(founded).halted


def test_another_key_is_refused_and_told_whose_it_has_to_be(founded, halter):
    founded.path("stranger", Keypair())
    told = refused(founded, "--authority", founded.folder / "stranger.json")
    assert f"the halt authority of this platform is {halter.pubkey()}" in told


def test_an_authority_that_cannot_pay_is_refused_before_anything_is_sent(founded, halter):
    told = refused(founded, *options(founded), payer=founded.folder / "halter.json")
    assert f"payer {halter.pubkey()} has 0.000000000 SOL" in told
    assert "--payer" in told


def test_a_program_without_a_platform_is_named(operator, halter):
    operator.path("halter", halter)
    code, out, told = operator.run("halt", *options(operator))
    assert (code, out) == (2, "")
    assert f"there is no platform of program {operator.program.pubkey()}" in told
