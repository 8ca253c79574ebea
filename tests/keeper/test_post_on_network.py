"""keeper/post_roots.py on the local network: roots posted once, by who may, where they belong; and what paying takes."""

from collections import Counter

import pytest
import spl.token.instructions as spl
import trio
from payout_network import PAYER, PROGRAM, open_desk, paying, until, wallet
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from structlog.testing import capture_logs

from programs.accounts import Global
from programs.addresses import global_address
from programs.merkle import Reward, build_tree
from programs.spl_token import decode_token_account

HUMANS = [Keypair.from_seed(bytes([50 + i] * 32)).pubkey() for i in range(3)]


@pytest.fixture
async def desk(nursery, tmp_path):
    return await open_desk(nursery, tmp_path)


def posted(desk):
    return Global.from_bytes(desk.bank.account(global_address(PROGRAM)[0]).data).posted_mmt


def held_by(desk, owner):
    account = desk.bank.account(spl.get_associated_token_address(owner, desk.mint))
    return None if account is None else decode_token_account(account.data).amount


async def test_a_root_is_posted_once_and_then_paid(desk):
    desk.open_accounts(*range(3))
    tree = desk.tree(3)
    desk.write(tree, **desk.chain)
    async with paying(desk, authority=desk.bank.faucet) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 3)
        assert (1, 0) == (lane.kit.tally.roots_posted, lane.kit.tally.failed["payouts"])
    assert tree.total == posted(desk)
    async with paying(desk, authority=desk.bank.faucet) as lane:
        await trio.sleep(0.3)
        assert 0 == lane.kit.tally.landed["payouts"]
    assert [100, 101, 102] == desk.balances(3)


async def test_who_is_not_the_authority_posts_nothing_and_says_whose_key_is_missing(desk):
    desk.write(desk.tree(3), **desk.chain)
    with capture_logs() as logs:
        async with paying(desk) as lane:
            await until(lambda: lane.kit.tally.refusals["payouts.root_not_posted"])
            await trio.sleep(0.2)
    (line,) = [line for line in logs if line["event"] == "root.waits"]
    assert f"only the incentives authority {desk.bank.faucet.pubkey()} may" in line["reason"]
    assert f"signs as {PAYER.pubkey()}" in line["reason"]
    assert 0 == posted(desk)


async def test_a_manifest_of_another_chain_or_of_none_is_never_posted(desk):
    trees = [desk.tree(3, index=index) for index in range(3)]
    desk.write(trees[0])
    desk.write(trees[1], **desk.chain | {"genesis_hash": "11111111111111111111111111111111"})
    desk.write(trees[2], **desk.chain | {"program": str(PAYER.pubkey())})
    async with paying(desk, authority=desk.bank.faucet) as lane:
        await until(lambda: lane.kit.tally.refusals["payouts.root_not_posted"])
        await trio.sleep(0.2)
        assert {
            "payouts.root_not_posted": 1,
            "payouts.manifest_of_another_chain": 2,
        } == lane.kit.tally.refusals
    assert 0 == posted(desk)


async def test_two_manifests_that_claim_one_place_are_not_posted_until_one_is_gone(desk):
    desk.open_accounts(*range(3))
    desk.write(desk.tree(3), name="a", **desk.chain)
    desk.write(desk.tree(2), name="b", **desk.chain)
    with capture_logs() as logs:
        async with paying(desk, authority=desk.bank.faucet) as lane:
            await until(lambda: lane.kit.tally.refusals["payouts.root_not_posted"])
            await trio.sleep(0.2)
    (line,) = [line for line in logs if line["event"] == "root.waits"]
    assert "b.json claims the same place with other leaves" in line["reason"]
    assert 0 == posted(desk)
    (desk.folder / "b.json").unlink()
    async with paying(desk, authority=desk.bank.faucet) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 3)


async def test_more_than_the_season_has_emitted_is_refused_in_the_programs_words_and_tried_ever_more_rarely(
    desk,
):
    greedy = build_tree(0, 0, [Reward(wallet=wallet(0), amount=10**18)])
    modest = desk.tree(3, index=1)
    desk.open_accounts(*range(3))
    desk.write(greedy, **desk.chain)
    desk.write(modest, **desk.chain)
    with capture_logs() as logs:
        async with paying(desk, authority=desk.bank.faucet) as lane:
            await until(lambda: lane.kit.tally.rewards_paid == 3)
            await trio.sleep(0.5)
            assert 1 == lane.kit.tally.refusals["payouts.simulation_refused"]
            assert 0 == lane.kit.tally.failed["payouts"]
    (line,) = [line for line in logs if line["event"] == "payouts.refused"]
    assert line["reason"].startswith("EMISSION_EXCEEDED: the posted rewards would exceed")


async def test_another_root_in_the_place_of_ours_is_left_to_its_own_manifest(desk):
    desk.open_accounts(*range(3))
    desk.post(desk.tree(2))
    desk.write(desk.tree(3), **desk.chain)
    async with paying(desk, authority=desk.bank.faucet) as lane:
        await until(lambda: lane.kit.tally.refusals["payouts.manifest_contradicted"])
        await trio.sleep(0.2)
        assert 0 == lane.kit.tally.landed["payouts"]


async def test_the_cost_of_token_accounts_is_told_before_the_first_is_opened_and_only_people_get_one(
    desk,
):
    derived = Pubkey.find_program_address([b"nobody"], PROGRAM)[0]
    owned = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
    wallets = [*HUMANS, derived, owned]
    tree = build_tree(0, 0, [Reward(wallet=one, amount=7) for one in sorted(wallets, key=bytes)])
    desk.write(tree, **desk.chain)
    with capture_logs() as logs:
        async with paying(desk, creates=True, authority=desk.bank.faucet) as lane:
            await until(lambda: lane.kit.tally.rewards_paid == 3)
            tally = lane.kit.tally
            assert 3 == tally.token_accounts_missing
            assert 3 * 2_039_280 == tally.token_accounts_rent_lamports
            assert {
                "payouts.wallet_off_curve": 1,
                "payouts.wallet_owned_by_a_program": 1,
            } == tally.refusals - Counter({"payouts.root_not_posted": 1})
    told = [line.get("kind", line["event"]) for line in logs]
    assert told.index("token_accounts.cost") < told.index("create_token_account")
    assert [7, 7, 7, None, None] == [held_by(desk, one) for one in (*HUMANS, derived, owned)]


async def test_a_wallet_that_claims_for_itself_is_noticed_and_paid_no_second_time(desk):
    desk.open_accounts(*range(9))
    tree = desk.tree(10)
    desk.write(tree, **desk.chain)
    desk.post(tree)
    async with paying(desk) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 9)
        desk.open_accounts(9)
        desk.pay(tree, 9, 0)
        await until(lambda: lane.kit.tally.rewards_claimed)
        assert 1 == lane.kit.tally.rewards_claimed
    assert list(range(100, 110)) == desk.balances(10)
