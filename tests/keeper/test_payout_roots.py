"""keeper/payout_roots.py: what a folder holds beside manifests."""

import json
import os

import pytest
import trio
from solders.pubkey import Pubkey
from structlog.testing import capture_logs

from keeper.payout_roots import Roots
from keeper.tally import Tally
from programs.merkle import Reward, build_tree

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
    (tmp_path / "bb.json").symlink_to(tmp_path / "bb.json")
    (tmp_path / "c.json").mkdir()
    (tmp_path / "d.json").write_text(manifest())
    await roots.read_folder(tmp_path)
    assert [root.file.name for root in roots.waiting] == ["d.json"]


async def test_a_link_out_of_the_folder_is_refused(roots, tmp_path):
    """Whoever may put files there need not be allowed to read what the keeper reads."""
    folder = tmp_path / "payouts"
    (folder / "within").mkdir(parents=True)
    (tmp_path / "elsewhere.json").write_text(manifest())
    (folder / "a.json").symlink_to(tmp_path / "elsewhere.json")
    (folder / "b.json").symlink_to("../elsewhere.json")
    (folder / "within" / "real").write_text(manifest())
    (folder / "c.json").symlink_to("within/real")
    with capture_logs() as logs:
        await roots.read_folder(folder)
    assert [root.file.name for root in roots.waiting] == ["c.json"]
    assert ["a link that leads out of its folder, expected a file in it"] * 2 == [
        line["reason"] for line in logs if line["event"] == "manifest.refused"
    ]
    # Nor once it has been listed.
    (folder / "within" / "real").unlink()
    (folder / "within" / "real").symlink_to(tmp_path / "elsewhere.json")
    assert await roots.load_tree(roots.waiting[0]) is None


async def test_a_folder_may_be_a_link_itself(roots, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.json").write_text(manifest())
    (tmp_path / "payouts").symlink_to(tmp_path / "real")
    await roots.read_folder(tmp_path / "payouts")
    assert len(roots.waiting) == 1


async def test_a_second_manifest_of_a_root_waits_until_the_first_is_contradicted(roots, tmp_path):
    (tmp_path / "draft.json").write_text(manifest(amount=4))
    (tmp_path / "final.json").write_text(manifest())
    (tmp_path / "other.json").write_text(manifest(index=1))
    await roots.read_folder(tmp_path)
    assert [root.file.name for root in roots.waiting] == ["draft.json", "other.json"]
    roots.waiting[0].is_over = True
    assert [root.file.name for root in roots.waiting] == ["final.json", "other.json"]


def whole(tree, **changes):
    leaves = [[str(reward.wallet), reward.amount] for reward in tree.rewards]
    named = {"genesis_hash": "chain", "program": str(PROGRAM), "epoch": tree.epoch}
    named |= {"index": tree.index, "root": tree.root.hex(), "leaves": leaves}
    return json.dumps(named | changes)


def tree_of(index, *, count=3):
    return build_tree(3, index, [Reward(wallet=WALLET, amount=5 + i) for i in range(count)])


async def test_of_a_season_of_roots_the_leaves_of_few_are_in_memory(roots, tmp_path):
    trees = [tree_of(index) for index in range(6)]
    for tree in trees:
        (tmp_path / f"{tree.index}.json").write_text(whole(tree))
    await roots.read_folder(tmp_path)
    assert [None] * 6 == [root.tree for root in roots.waiting]
    for root, tree in zip(roots.waiting, trees, strict=True):
        assert tree == await roots.load_tree(root)
    assert [False, False, True, True, True, True] == [
        root.tree is not None for root in roots.waiting
    ]
    assert trees[0] == await roots.load_tree(roots.waiting[0])


async def test_leaves_that_do_not_make_the_named_root_end_it_and_a_file_that_is_gone_may_return(
    roots, tmp_path, autojump_clock
):
    (tmp_path / "a.json").write_text(whole(tree_of(0), root="ab" * 32))
    (tmp_path / "b.json").write_text(whole(tree_of(1)))
    await roots.read_folder(tmp_path)
    lying, lost = roots.waiting
    (tmp_path / "b.json").unlink()
    assert [None, None] == [await roots.load_tree(root) for root in (lying, lost)]
    assert (True, False) == (lying.is_over, lost.is_over)
    assert lost.rests_until_s > trio.current_time()
    assert {
        "payouts.manifest_contradicted": 1,
        "payouts.manifest_unreadable": 1,
    } == roots.tally.refusals


async def test_a_root_that_cannot_be_paid_is_looked_at_ever_more_rarely_at_least_once_an_hour(
    roots, tmp_path, autojump_clock
):
    (tmp_path / "a.json").write_text(manifest())
    await roots.read_folder(tmp_path)
    (root,) = roots.waiting
    waits = list[float]()
    for _ in range(9):
        root.rest(60.0)
        waits.append(round(root.rests_until_s - trio.current_time()))
    assert [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600] == waits
