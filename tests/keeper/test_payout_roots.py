"""keeper/payout_roots.py: what a folder holds beside manifests."""

import json
import os

import pytest
from solders.pubkey import Pubkey

from keeper.payout_roots import Roots
from keeper.tally import Tally

PROGRAM, WALLET = Pubkey(bytes([1] * 32)), Pubkey(bytes([3] * 32))


def manifest(*, index=0, amount=5):
    leaves = [[str(WALLET), amount]]
    return json.dumps({"epoch": 3, "index": index, "root": "ab" * 32, "leaves": leaves})


@pytest.fixture
def roots():
    return Roots(PROGRAM, Tally())


async def test_what_is_no_file_neither_blocks_nor_hides_a_manifest(roots, tmp_path):
    os.mkfifo(tmp_path / "a.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.json").mkdir()
    (tmp_path / "d.json").write_text(manifest())
    await roots.read_folder(tmp_path)
    assert [root.file.name for root in roots.waiting] == ["d.json"]


async def test_a_second_manifest_of_a_root_waits_until_the_first_is_contradicted(roots, tmp_path):
    (tmp_path / "draft.json").write_text(manifest(amount=4))
    (tmp_path / "final.json").write_text(manifest())
    (tmp_path / "other.json").write_text(manifest(index=1))
    await roots.read_folder(tmp_path)
    assert [root.file.name for root in roots.waiting] == ["draft.json", "other.json"]
    roots.waiting[0].is_over = True
    assert [root.file.name for root in roots.waiting] == ["final.json", "other.json"]
