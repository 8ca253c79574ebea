"""`keeper genesis`: exactly once, whatever happens, and refused in one sentence when it cannot be."""

import json
import subprocess
import sys

import pytest
import spl.token.instructions as spl
from solders.account import Account
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from spl.token.models import MintToParams

from programs import addresses
from programs.accounts import Global
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.founding import derived_mint
from programs.genesis import MINT_BYTES, SEASON_SLOTS, create_mint
from programs.localnet.genesis import deploy_immutable

PEOPLE = {name: Pubkey.new_unique() for name in ("market", "oracle", "incentives", "fees", "halt")}
OWN = (
    "--market-authority",
    PEOPLE["market"],
    "--oracle-authority",
    PEOPLE["oracle"],
    "--incentives-authority",
    PEOPLE["incentives"],
    "--fee-treasury-owner",
    PEOPLE["fees"],
    "--halt-authority",
    PEOPLE["halt"],
)


@pytest.fixture
def deployed(operator):
    """The committed program, immutable, without genesis."""
    image = ProgramImage(program=operator.program, code=PROGRAM_SO.read_bytes())
    operator.chain.do(deploy_immutable, operator.chain.bank, image)
    return operator


def parameters(operator):
    account = operator.chain.account(addresses.global_address(operator.program.pubkey())[0])
    return None if account is None else Global.from_bytes(account.data)


def send(operator, instructions, *signers):
    bank, payer = operator.chain.bank, operator.payer

    def execute():
        blockhash = bank.block_at("processed").blockhash
        message = Message.new_with_blockhash(instructions, payer.pubkey(), blockhash)
        return bank.execute(VersionedTransaction(message, [payer, *signers])).error

    assert operator.chain.do(execute) is None


def make_mint(operator, mint, decimals, authority=None):
    payer = operator.payer.pubkey()
    rent = operator.chain.bank.rent_exempt_lamports(MINT_BYTES)
    send(operator, create_mint(payer, mint.pubkey(), authority or payer, decimals, rent), mint)


def refused(operator, *options):
    code, out, told = operator.run("genesis", *options)
    assert (code, out) == (2, "")
    return told.splitlines()[-1]


def test_it_fixes_what_it_showed_at_the_cost_it_said_and_ends_with_an_audit(deployed):
    quote = Keypair()
    make_mint(deployed, quote, 6)
    _code, planned = deployed.json("genesis", "--quote-mint", quote.pubkey(), *OWN, "--dry-run")
    assert parameters(deployed) is None
    before = deployed.chain.lamports(deployed.payer.pubkey())

    code, found = deployed.json("genesis", "--quote-mint", quote.pubkey(), *OWN)

    assert code == 0
    assert (found["event"], found["differences"]) == ("genesis", [])
    assert found["mint_authority"] is None
    assert found["entropy_sink_base_units"] == 90_000_000 * 10**9
    assert planned["authorities"] == found["authorities"]
    assert (planned["mmt_mint"], planned["quote_mint"]) == (found["mmt_mint"], str(quote.pubkey()))
    spent = before - deployed.chain.lamports(deployed.payer.pubkey())
    assert (spent, planned["transactions"]) == (planned["cost_lamports"], 1)
    state = parameters(deployed)
    assert (state.oracle_authority, state.halt_authority) == (PEOPLE["oracle"], PEOPLE["halt"])
    assert state.season_slots == SEASON_SLOTS


def test_a_second_run_says_it_is_done_verifies_and_spends_nothing(deployed):
    deployed.run("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    before = deployed.chain.lamports(deployed.payer.pubkey())
    for options in (("--new-quote-mint", "--authority", PEOPLE["market"]), ()):
        code, out, told = deployed.run("genesis", *options)
        assert code == 0
        assert "nothing to do but to verify it" in told
        assert out.splitlines()[-1].startswith("no differences")
    assert deployed.chain.lamports(deployed.payer.pubkey()) == before


def test_a_second_run_that_asks_for_other_values_is_refused(deployed):
    deployed.run("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    told = refused(deployed, "--authority", PEOPLE["market"], "--halt-authority", PEOPLE["halt"])
    assert "has had its genesis, which cannot be repeated" in told
    assert f"halt is {PEOPLE['market']}, not {PEOPLE['halt']}" in told
    told = refused(deployed, "--quote-mint", PEOPLE["fees"])
    assert f"not {PEOPLE['fees']}" in told


def test_one_that_stopped_after_making_the_mints_goes_on(deployed):
    # What a version that makes them one by one, or another tool, leaves behind.
    make_mint(deployed, derived_mint(deployed.program, "quote"), 6)
    make_mint(deployed, derived_mint(deployed.program, "MMT"), 9)
    code, found = deployed.json("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    assert (code, found["differences"]) == (0, [])


def test_killed_while_it_waits_it_has_happened_whole_or_not_at_all(deployed):
    words = deployed.words("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    with subprocess.Popen(
        [sys.executable, "-m", "keeper.cli.main", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith("cost"):
                process.kill()
                break
    code, found = deployed.json("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    assert (code, found["differences"]) == (0, [])


def test_authorities_and_quote_token_may_stand_in_keeper_toml(deployed, tmp_path):
    quote = Keypair()
    make_mint(deployed, quote, 6)
    keeper = deployed.path("keeper", Keypair())
    config = tmp_path / "keeper.toml"
    config.write_text(
        f'[cluster]\nrpc_urls = ["http://127.0.0.1:9"]\nprogram_id = "{deployed.program.pubkey()}"\n'
        f'[keys]\nkeeper = "{keeper.name}"\n[state]\nfolder = "state"\n[genesis]\n'
        f'quote_mint = "{quote.pubkey()}"\nmarket_authority = "{PEOPLE["market"]}"\n'
        f'incentives_authority = "{PEOPLE["incentives"]}"\n'
        f'fee_treasury_owner = "{PEOPLE["fees"]}"\n'
    )
    told = refused(deployed, "--config", config)
    assert "nothing says who has --halt-authority" in told
    options = ("--config", config, "--halt-authority", PEOPLE["halt"])
    code, found = deployed.json("genesis", *options)
    assert (code, found["quote_mint"]) == (0, str(quote.pubkey()))
    owner = Keypair.from_bytes(bytes(json.loads(keeper.read_text()))).pubkey()
    assert found["authorities"]["oracle"] == str(owner), "the keeper's own key"
    assert found["authorities"]["halt"] == str(PEOPLE["halt"])


def test_without_authorities_or_a_quote_token_it_names_the_options(deployed):
    assert "--new-quote-mint" in refused(deployed)
    told = refused(deployed, "--new-quote-mint", "--oracle-authority", PEOPLE["oracle"])
    named = "--market-authority, --incentives-authority, --fee-treasury-owner, --halt-authority"
    assert named in told


def test_two_quote_tokens_are_refused(deployed):
    assert "exclude each other" in refused(
        deployed, "--new-quote-mint", "--quote-mint", PEOPLE["fees"]
    )


def test_a_program_that_is_not_deployed_is_refused(operator):
    told = refused(operator, "--new-quote-mint", "--authority", PEOPLE["market"])
    assert "genesis needs the program deployed for good" in told
    assert "run `keeper deploy` first" in told


@pytest.mark.parametrize(
    ("decimals", "words"),
    [(9, "has 9 decimals, expected 6"), (None, "found no account, expected an SPL mint")],
)
def test_a_quote_token_that_is_none_is_refused(deployed, decimals, words):
    quote = Keypair()
    if decimals is not None:
        make_mint(deployed, quote, decimals)
    told = refused(deployed, "--quote-mint", quote.pubkey(), "--authority", PEOPLE["market"])
    assert words in told


def test_an_mmt_mint_that_cannot_be_used_is_refused(deployed):
    mint = Keypair()
    path = deployed.path("mmt", mint)
    options = ("--new-quote-mint", "--authority", PEOPLE["market"], "--mmt-mint", path)
    make_mint(deployed, mint, 9)
    holder = spl.get_associated_token_address(deployed.payer.pubkey(), mint.pubkey())
    payer = deployed.payer.pubkey()
    pre_mine = MintToParams(
        program_id=addresses.TOKEN_PROGRAM,
        mint=mint.pubkey(),
        dest=holder,
        mint_authority=payer,
        amount=1,
    )
    opened = spl.create_associated_token_account(payer, payer, mint.pubkey())
    send(deployed, [opened, spl.mint_to(pre_mine)])
    assert "a mint with a pre-mine" in refused(deployed, *options)
    for decimals, authority, words in (
        (6, None, "a mint of 6 decimals"),
        (9, PEOPLE["fees"], f"a mint whose authority is {PEOPLE['fees']}"),
    ):
        mint = Keypair()
        deployed.path("mmt", mint)
        make_mint(deployed, mint, decimals, authority)
        assert words in refused(deployed, *options)


def test_an_mmt_mint_that_is_another_account_is_refused(deployed):
    mint = Keypair()
    stranger = Account(10**9, bytes(82), PEOPLE["fees"], executable=False)
    deployed.chain.do(deployed.chain.bank.set_account, mint.pubkey(), stranger)
    deployed.chain.do(deployed.chain.bank.advance_slot, 2)
    path = deployed.path("mmt", mint)
    told = refused(
        deployed, "--new-quote-mint", "--authority", PEOPLE["market"], "--mmt-mint", path
    )
    assert f"found an account of {PEOPLE['fees']}, expected an unminted one" in told


def test_a_genesis_account_that_cannot_be_read_is_refused(deployed):
    deployed.run("genesis", "--new-quote-mint", "--authority", PEOPLE["market"])
    address = addresses.global_address(deployed.program.pubkey())[0]
    deployed.chain.edit(address, data=b"\x63" + deployed.chain.account(address).data[1:])
    deployed.chain.do(deployed.chain.bank.advance_slot, 2)
    told = refused(deployed, "--new-quote-mint", "--authority", PEOPLE["market"])
    assert "the genesis account cannot be read: found account kind 99" in told


def test_a_payer_that_is_too_poor_is_told_before_anything_is_sent(deployed):
    poor = Keypair()
    deployed.chain.do(deployed.chain.bank.airdrop, poor.pubkey(), 5_000_000)
    options = ("--new-quote-mint", "--authority", PEOPLE["market"])
    code, _out, told = deployed.run("genesis", *options, payer=deployed.path("poor", poor))
    assert code == 2
    assert f"payer {poor.pubkey()} has 0.005000000 SOL, expected at least 0.0" in told
    assert parameters(deployed) is None
