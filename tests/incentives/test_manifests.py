"""incentives/manifests.py and manifest_folder.py: files that the keeper pays from."""

import json
import os
from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from incentives.lines import Allocation, EpochClose
from incentives.manifest_folder import ManifestConflictError, write_manifests
from incentives.manifests import Anchor, ManifestFile, manifest_files
from keeper.manifest import parse_manifest, peek
from programs.addresses import epoch_address

PROGRAM = Pubkey(bytes([3] * 32))
ANCHOR = Anchor(
    genesis_hash="5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    program=PROGRAM,
    head="ab" * 32,
    formula_version=1,
    rules_version=2,
)
WALLETS = [Pubkey(bytes([i]) + bytes(31)) for i in range(1, 4)]


def close(amounts, epoch=91):
    return EpochClose(
        epoch=epoch,
        start_slot=0,
        end_slot=100,
        rolled_over=0,
        emitted=sum(amounts),
        claim_denominator=1,
        is_scaled=False,
        allocations=tuple(
            Allocation(wallet=str(wallet), claim_numerator=amount, amount=amount)
            for wallet, amount in zip(WALLETS, amounts, strict=True)
        ),
    )


def test_the_keeper_reads_what_is_written():
    (file,) = manifest_files(close([5, 0, 2**60]), ANCHOR, 100)
    manifest = parse_manifest(file.text.encode())
    assert (1, 65_536) == (manifest.head.epoch, manifest.head.index)
    assert manifest.head.names_its_chain
    assert manifest.head == peek(file.text[:4_096].encode())
    assert [(WALLETS[0], 5), (WALLETS[2], 2**60)] == [
        (r.wallet, r.amount) for r in manifest.rewards
    ]


def test_a_manifest_names_its_chain_its_account_and_the_close_it_follows_from():
    (file,) = manifest_files(close([5, 0, 2**60]), ANCHOR, 100)
    assert file.name == "5eykt4Us-00000091-00000.json"
    found = json.loads(file.text)
    assert list(found)[-1] == "leaves"
    found.pop("leaves")
    assert len(found.pop("root")) == 64
    assert {
        "genesis_hash": ANCHOR.genesis_hash,
        "program": str(PROGRAM),
        "account": str(epoch_address(PROGRAM, 1, 65_536)[0]),
        "epoch": 1,
        "index": 65_536,
        "count": 2,
        "total": str(2**60 + 5),
        "ledger_epoch": 91,
        "ledger_head": "ab" * 32,
        "formula_version": 1,
        "rules_version": 2,
    } == found


def test_an_epoch_that_owes_nothing_has_no_manifest():
    assert () == manifest_files(close([0, 0, 0]), ANCHOR, 100)


def test_manifests_are_written_where_they_are_missing_and_written_again_change_nothing(tmp_path):
    folder = tmp_path / "state" / "payouts"
    files = [*manifest_files(close([1, 2, 3]), ANCHOR, 100)]
    assert 1 == write_manifests(folder, files)
    before = (folder / files[0].name).stat()
    files += manifest_files(close([1, 2, 3], epoch=92), ANCHOR, 100)
    assert 1 == write_manifests(folder, files)
    assert 0 == write_manifests(folder, files)
    after = (folder / files[0].name).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(file.name for file in files) == sorted(p.name for p in folder.iterdir())


def test_a_manifest_that_says_something_else_is_never_replaced(tmp_path):
    (file,) = manifest_files(close([1, 2, 3]), ANCHOR, 100)
    write_manifests(tmp_path, [file])
    with pytest.raises(ManifestConflictError, match="differs from what the ledger says now"):
        write_manifests(tmp_path, [replace(file, text=file.text.replace("3]", "4]"))])
    assert file.text == (tmp_path / file.name).read_text()


def test_a_draft_of_a_crash_is_no_manifest_and_does_no_harm(tmp_path):
    (file,) = manifest_files(close([1, 2, 3]), ANCHOR, 100)
    (tmp_path / f".{file.name}.1.draft").write_text(file.text[:40])
    assert 1 == write_manifests(tmp_path, [file])
    assert [tmp_path / file.name] == sorted(tmp_path.glob("*.json"))


def test_a_link_in_a_shared_folder_is_not_written_through(tmp_path):
    (file,) = manifest_files(close([1, 2, 3]), ANCHOR, 100)
    folder, strangers = tmp_path / "shared", tmp_path / "strangers"
    folder.mkdir()
    strangers.write_text("theirs")
    (folder / f".{file.name}.{os.getpid()}.draft").symlink_to(strangers)
    assert 1 == write_manifests(folder, [file])
    assert ("theirs", file.text) == (strangers.read_text(), (folder / file.name).read_text())
    assert 0o600 == (folder / file.name).stat().st_mode & 0o777


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    (tmp_path / "payouts").write_text("no folder")
    with pytest.raises(ManifestConflictError, match="nobody is paid until they can"):
        write_manifests(tmp_path / "payouts", [ManifestFile("a.json", "{}")])


def test_a_link_under_the_name_of_its_draft_is_not_followed(tmp_path):
    folder = tmp_path / "payouts"
    folder.mkdir()
    (tmp_path / "victim").write_text("precious")
    (file,) = manifest_files(close([1, 2, 3]), ANCHOR, 100)
    (folder / f".{file.name}.{os.getpid()}.draft").symlink_to(tmp_path / "victim")
    assert 1 == write_manifests(folder, [file])
    assert "precious" == (tmp_path / "victim").read_text()
    assert file.text == (folder / file.name).read_text()
