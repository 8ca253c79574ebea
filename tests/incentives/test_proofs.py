"""incentives/proofs.py and `incentives proof`: what a stranger needs to be paid without us, landed in the SVM."""

import base64
import json

import pytest
from click.testing import CliRunner
from harness import Platform, keypair
from reward_desk import RewardDesk
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from incentives.cli.commands import cli
from incentives.lines import Allocation, EpochClose
from incentives.manifests import Anchor, manifest_files
from incentives.proofs import UnprovableError, find_claimable
from programs.accounts import Epoch
from programs.addresses import epoch_address
from programs.merkle import hash_leaf, verify
from programs.spl_token import decode_token_account

STRANGERS = sorted((keypair(f"stranger {i}") for i in range(11)), key=lambda k: bytes(k.pubkey()))
WALLETS = [stranger.pubkey() for stranger in STRANGERS]
CHAIN = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


def manifest(program, *, epoch=0):
    allocations = tuple(
        Allocation(wallet=str(wallet), claim_numerator=1, amount=1_000 + i)
        for i, wallet in enumerate(WALLETS)
    )
    close = EpochClose(
        epoch=epoch,
        start_slot=0,
        end_slot=100,
        rolled_over=0,
        emitted=10**6,
        claim_denominator=1,
        is_scaled=False,
        allocations=allocations,
    )
    anchor = Anchor(
        genesis_hash=CHAIN, program=program, head="ab" * 32, formula_version=1, rules_version=0
    )
    (file,) = manifest_files(close, anchor, 100)
    return file.text


@pytest.fixture(scope="module")
def posted():
    platform = Platform()
    platform.initialize()
    platform.warp(5_000)
    text = manifest(platform.program)
    said = json.loads(text)
    RewardDesk(platform).post_terms(
        epoch=said["epoch"],
        index=said["index"],
        root=bytes.fromhex(said["root"]),
        leaf_count=said["count"],
        total=int(said["total"]),
    )
    return platform, text


def root_of(platform):
    account = platform.svm.get_account(epoch_address(platform.program, 0, 0)[0])
    return Epoch.from_bytes(account.data)


def balance(platform, wallet):
    address = get_associated_token_address(wallet, platform.mmt_mint.pubkey())
    account = platform.svm.get_account(address)
    return None if account is None else decode_token_account(account.data).amount


def test_a_stranger_claims_with_nothing_but_a_manifest_and_a_wallet(posted):
    platform, text = posted
    stranger = STRANGERS[10]
    claim = find_claimable(text.encode(), stranger.pubkey())
    assert claim.standing(root_of(platform)) == "unpaid"
    leaf = hash_leaf(claim.tree.epoch, claim.tree.index, claim.leaf, claim.reward)
    assert verify(claim.tree.root, leaf, claim.leaf, claim.path)
    platform.svm.airdrop(stranger.pubkey(), 10**9)
    platform.send(list(claim.instructions(platform.mmt_mint.pubkey())), [stranger])
    assert balance(platform, stranger.pubkey()) == 1_010
    assert claim.standing(root_of(platform)) == "paid"


def test_the_commands_json_is_all_that_it_takes(posted, tmp_path):
    platform, text = posted
    stranger = STRANGERS[3]
    (tmp_path / "root-0.json").write_text(text)
    (tmp_path / "note.json").write_text("{}")
    mint = str(platform.mmt_mint.pubkey())
    options = ["--manifests", str(tmp_path), "--offline", "--mint", mint, "--json"]
    ran = CliRunner().invoke(cli, ["proof", str(stranger.pubkey()), *options])
    assert ran.exit_code == 0, ran.output
    (claim,) = json.loads(ran.stdout)["claims"]
    assert ("1003", 3, "unknown") == (claim["amount"], claim["leaf"], claim["standing"])
    listed = [
        Instruction(
            Pubkey.from_string(one["program"]),
            base64.b64decode(one["data_base64"]),
            [
                AccountMeta(Pubkey.from_string(each["address"]), each["signer"], each["writable"])
                for each in one["accounts"]
            ],
        )
        for one in claim["instructions"]
    ]
    platform.svm.airdrop(stranger.pubkey(), 10**9)
    platform.send(listed, [stranger])
    assert balance(platform, stranger.pubkey()) == 1_003


def test_a_person_reads_what_is_owed_and_how_far_it_is(posted, tmp_path):
    platform, text = posted
    file = tmp_path / "root-0.json"
    file.write_text(text)
    mint = str(platform.mmt_mint.pubkey())
    options = ["--manifests", str(file), "--offline", "--mint", mint]
    ran = CliRunner().invoke(cli, ["proof", str(WALLETS[0]), *options])
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith("epoch 0: 0.000001000 MMT, unknown\n  leaf 0 of root ")
    assert "sign and send both" in ran.output


@pytest.mark.parametrize(
    ("wallet", "options", "words"),
    [
        (str(WALLETS[0]), ["--epoch", "5"], "no manifest of epoch 5 in"),
        (str(keypair("nobody").pubkey()), [], "has a leaf of"),
    ],
)
def test_who_is_owed_nothing_is_told_so(posted, tmp_path, wallet, options, words):
    platform, text = posted
    (tmp_path / "root-0.json").write_text(text)
    mint = str(platform.mmt_mint.pubkey())
    asked = ["proof", wallet, "--manifests", str(tmp_path), "--offline", "--mint", mint, *options]
    ran = CliRunner().invoke(cli, asked)
    assert ran.exit_code == 2
    assert words in ran.output


def test_a_file_that_proves_nothing_is_refused_and_the_others_are_read(posted, tmp_path):
    platform, text = posted
    wallet = WALLETS[5]
    forged = text.replace("1005]", "999005]")
    assert forged != text
    with pytest.raises(UnprovableError, match="its leaves make"):
        find_claimable(forged.encode(), wallet)
    with pytest.raises(UnprovableError, match="it is no manifest"):
        find_claimable(f'{{"leaves": [["{wallet}", "1"]]}}'.encode(), wallet)
    (tmp_path / "a.json").write_text(forged)
    (tmp_path / "b.json").write_text(text)
    mint = str(platform.mmt_mint.pubkey())
    asked = ["proof", str(wallet), "--manifests", str(tmp_path), "--offline", "--mint", mint]
    ran = CliRunner().invoke(cli, asked)
    assert ran.exit_code == 0
    assert "a.json is passed over: it names the root" in ran.stderr
    assert "0.000001005 MMT" in ran.stdout


def test_the_standing_of_a_leaf_is_the_chains(posted):
    platform, text = posted
    claim = find_claimable(text.encode(), WALLETS[1])
    assert claim.standing(None) == "not posted"
    other = find_claimable(manifest(platform.program, epoch=1).encode(), WALLETS[1])
    assert other.standing(root_of(platform)) == "other root"
    assert find_claimable(text.encode(), keypair("nobody").pubkey()) is None
