"""The transparency pack, checked as a stranger would: by its own script, against a network with the committed program."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import trio
from click.testing import CliRunner
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from incentives.amounts import in_mmt
from incentives.cli.commands import cli
from incentives.emission import emitted_by
from incentives.ledger.opened import read_ledger
from incentives.lines import EpochClose
from incentives.manifests import Anchor
from incentives.publish.from_ledger import published_epochs
from incentives.publish.pack import PackError, write_pack
from incentives.publish.published import PublishedEpoch, PublishedRoot
from keeper.manifest import parse_manifest
from programs import instructions
from programs.accounts import Global
from programs.addresses import epoch_address, global_address
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.merkle import Reward, build_tree, hash_leaf, verify
from tests.incentives.told_ledger import write_ledger

PROGRAM_KEY = Keypair.from_seed(bytes([71] * 32))
PROGRAM = PROGRAM_KEY.pubkey()
GENESIS = "4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn"


def tree_of(count, *, index=0):
    rewards = [
        Reward(wallet=Pubkey(bytes([8, i % 256, i // 256]) + bytes(29)), amount=10**9 + i)
        for i in range(count)
    ]
    return build_tree(0, index, rewards)


def published(*trees, number=0, **changes):
    roots = tuple(
        PublishedRoot(
            account=str(epoch_address(PROGRAM, 0, tree.index)[0]),
            tree=tree,
            posted=None,
            paid_leaves=0,
        )
        for tree in trees
    )
    total = sum(tree.total for tree in trees)
    facts = {
        "number": number,
        "start_slot": 0,
        "end_slot": 100,
        "emitted": total + 5,
        "rolled_over": 0,
        "allocated": total,
        "is_scaled": False,
        "anchor": Anchor(
            genesis_hash=GENESIS,
            program=PROGRAM,
            head="ab" * 32,
            formula_version=1,
            rules_version=1,
        ),
        "roots": roots,
    }
    return PublishedEpoch(**(facts | changes))


def write(folder, *epochs):
    for _ in write_pack(folder, epochs, program=str(PROGRAM), genesis=GENESIS):
        pass
    return folder / "epochs" / "000000"


async def check(pack, *arguments):
    def run():
        command = [sys.executable, "-I", pack / "check.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return await trio.to_thread.run_sync(run)


@pytest.fixture
async def network(nursery):
    return await nursery.start(
        serve,
        LocalnetConfig(
            port=0,
            bank=BankConfig(slot_ms=20, confirmed_slots=1, finality_slots=2),
            programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
            is_founded=True,
        ),
    )


async def until(holds):
    with trio.fail_after(20):
        while not holds():  # noqa: ASYNC110 - slots pass without telling anyone
            await trio.sleep(0.02)


async def post(network, tree):
    bank = network.bank
    await until(lambda: has_emitted(network, tree.total))
    posting = instructions.post_epoch(
        PROGRAM,
        bank.faucet.pubkey(),
        epoch=0,
        index=tree.index,
        root=tree.root,
        leaf_count=len(tree.rewards),
        total=tree.total,
    )
    blockhash = bank.block_at("processed").blockhash
    message = Message.new_with_blockhash([posting], bank.faucet.pubkey(), blockhash)
    record = bank.execute(VersionedTransaction(message, [bank.faucet]))
    assert record.error is None, record
    slot = bank.block_at("processed").slot
    await until(lambda: bank.block_at("finalized").slot > slot)


async def test_a_stranger_checks_a_published_root_with_the_script_alone(network, tmp_path):
    tree = tree_of(3)
    folder = write(tmp_path, published(tree))
    root = folder / "root-0.json"
    before = await check(tmp_path, root, network.url)
    assert before.returncode == 1
    assert "is no account of" in before.stderr
    await post(network, tree)
    said = await check(tmp_path, root, network.url, str(PROGRAM))
    assert said.returncode == 0, said.stderr
    assert "3 leaves; 0 are paid" in said.stdout


def has_emitted(network, amount):
    """A root may be posted once the season has emitted what it pays: a fraction of a second here."""
    genesis = Global.from_bytes(network.bank.account(global_address(PROGRAM)[0]).data)
    slot = network.bank.block_at("processed").slot
    return emitted_by(slot, genesis.season_start_slot, genesis.season_slots) >= amount


async def test_a_leaf_that_is_not_on_chain_is_found_out(network, tmp_path):
    tree = tree_of(2)
    await post(network, tree)
    folder = write(tmp_path, published(tree))
    said = json.loads((folder / "root-0.json").read_text())
    planted = {
        "amount": said | {"leaves": [[said["leaves"][0][0], 10**9 + 1], said["leaves"][1]]},
        "order": said | {"leaves": said["leaves"][::-1]},
        "missing": said | {"leaves": said["leaves"][:1]},
        "index": said | {"index": 1},
    }
    for name, spoiled in planted.items():
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(spoiled))
        result = await check(tmp_path, file, network.url)
        assert (result.returncode, "NOT what stands on chain" in result.stderr) == (1, True), name
    foreign = await check(tmp_path, folder / "root-0.json", network.url, str(Pubkey.default()))
    assert foreign.returncode == 1


def test_a_published_root_is_a_manifest_that_a_keeper_pays_from(tmp_path):
    tree = tree_of(5, index=2)
    folder = write(tmp_path, published(tree))
    manifest = parse_manifest((folder / "root-0.json").read_bytes())
    assert (manifest.epoch, manifest.index, manifest.root) == (0, 2, tree.root)
    assert manifest.rewards == tree.rewards


def test_every_published_proof_leads_to_the_root(tmp_path):
    tree = tree_of(11)
    folder = write(tmp_path, published(tree))
    rows = [json.loads(line) for line in (folder / "proofs-0.ndjson").read_text().splitlines()]
    assert len(rows) == 11
    for row in rows:
        reward = Reward(wallet=Pubkey.from_string(row["wallet"]), amount=int(row["amount"]))
        path = [bytes.fromhex(node) for node in row["path"]]
        assert verify(tree.root, hash_leaf(0, 0, row["leaf"], reward), row["leaf"], path)
    leaves = (folder / "leaves-0.csv").read_text().splitlines()
    assert leaves[1:] == [f"{i},{each.wallet},{each.amount}" for i, each in enumerate(tree.rewards)]


def test_a_pack_is_not_written_through_a_link_and_is_for_everybody_to_read(tmp_path):
    strangers, shared = tmp_path / "strangers", tmp_path / "shared"
    strangers.write_text("theirs")
    shared.mkdir()
    (shared / ".check.py.draft").symlink_to(strangers)
    folder = write(shared, published(tree_of(4)))
    assert "theirs" == strangers.read_text()
    files = [shared / "check.py", shared / "index.html", *folder.iterdir()]
    assert {0o644} == {file.stat().st_mode & 0o777 for file in files}


def test_a_pack_is_written_again_as_its_roots_are_paid_and_its_leaves_never_change(tmp_path):
    tree = tree_of(4)
    epoch = published(tree)
    folder = write(tmp_path, epoch)
    root = (folder / "root-0.json").stat().st_mtime_ns
    paid = replace(epoch, roots=(replace(epoch.roots[0], posted="5ig", paid_leaves=4),))
    write(tmp_path, paid)
    assert (folder / "root-0.json").stat().st_mtime_ns == root
    assert "4, 4 of them paid" in (folder / "index.html").read_text()
    assert "<td>paid</td>" in (tmp_path / "index.html").read_text()
    with pytest.raises(PackError, match="strangers may have checked it"):
        write(tmp_path, published(tree_of(3)))


async def test_what_is_published_is_what_the_ledger_owes(tmp_path):
    lines = await write_ledger(tmp_path / "ledger.db")
    closes = [line for line in lines if isinstance(line, EpochClose)]
    db = read_ledger(tmp_path / "ledger.db")
    pack = tmp_path / "pack"
    rows = list(write_pack(pack, published_epochs(db), program=str(PROGRAM), genesis=GENESIS))
    assert [row.number for row in rows] == [close.epoch for close in closes]
    for close in closes:
        folder = pack / "epochs" / f"{close.epoch:06d}"
        owed = [[each.wallet, each.amount] for each in close.allocations if each.amount]
        if owed:
            assert json.loads((folder / "root-0.json").read_text())["leaves"] == owed
        else:
            assert not (folder / "root-0.json").exists()
    assert any(row.wallets for row in rows)


async def test_the_command_publishes_the_ledger_and_refuses_another_ones_folder(tmp_path):
    ledger, pack = tmp_path / "ledger.db", tmp_path / "pack"
    await write_ledger(ledger)
    run = CliRunner().invoke
    for _ in range(2):
        result = run(cli, ["publish", str(pack), "--ledger", str(ledger)])
        assert (result.exit_code, result.stderr) == (0, "")
        assert "4 epochs with 3 roots" in result.stdout
    root = pack / "epochs" / "000000" / "root-0.json"
    root.write_text(root.read_text().replace('"index": 0', '"index": 1'))
    refused = run(cli, ["publish", str(pack), "--ledger", str(ledger)])
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"incentives: {root} differs from what the ledger says now")
    missing = run(cli, ["publish", str(pack), "--ledger", str(tmp_path / "none.db")])
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)


def test_an_epoch_in_which_nothing_was_owed_says_so(tmp_path):
    folder = write(tmp_path, published(emitted=7, allocated=0))
    assert "Nothing was owed" in (folder / "index.html").read_text()
    assert sorted(each.name for each in folder.iterdir()) == ["index.html"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PackError, match="cannot be written"):
        write(tmp_path / "file" / "pack", published(tree_of(1)))


@pytest.mark.parametrize(
    ("base_units", "written"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (10**9, "1"),
        (1_234_500_000_000, "1,234.5"),
        (-5, "-0.000000005"),
    ],
)
def test_amounts_are_written_in_full(base_units, written):
    assert in_mmt(base_units) == written
