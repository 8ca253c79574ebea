"""keeper/pay.py on the local network, over sockets: the committed program, real landing, real state."""

import pytest
import trio
from payout_network import open_desk, paying, until, wallet

from keeper.lane_config import LaneConfig


@pytest.fixture
async def desk(nursery, tmp_path):
    return await open_desk(nursery, tmp_path)


async def test_every_wallet_of_every_root_is_paid_once_several_subtrees_a_transaction(desk):
    desk.open_accounts(*range(20))
    first, second = desk.tree(20), desk.tree(3, index=1)
    for tree in (first, second):
        desk.post(tree)
        desk.write(tree)
    async with paying(desk) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 23)
        assert lane.kit.tally.reward_base_units == first.total + second.total
        assert lane.kit.tally.landed["payouts"] < lane.kit.tally.jobs_landed["payouts"] == 4
        assert lane.kit.tally.failed["payouts"] == 0
    assert [2 * (100 + i) if i < 3 else 100 + i for i in range(20)] == desk.balances(20)

    # A keeper that knows nothing learns from the chain that nothing is left.
    async with paying(desk) as lane:
        await trio.sleep(0.5)
        assert 0 == lane.kit.tally.landed["payouts"]
    assert first.total + second.total == sum(desk.balances(20))


async def test_what_another_has_paid_and_wallets_without_an_account_are_left_out(desk):
    desk.open_accounts(*range(8))
    tree = desk.tree(10)
    desk.post(tree)
    desk.pay(tree, 4, 1)
    desk.write(tree)
    async with paying(desk) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 6)
        assert {"payouts.no_token_account": 2} == lane.kit.tally.refusals
    assert [*range(100, 108), None, None] == desk.balances(10)


async def test_token_accounts_are_opened_first_where_the_operator_says_so(desk):
    desk.open_accounts(0)
    tree = desk.tree(3)
    desk.post(tree)
    desk.write(tree)
    async with paying(desk, creates=True) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 3)
        rent = sum([row async for row in _rents(lane)])
        assert 2 * 2_039_280 == rent
    assert [100, 101, 102] == desk.balances(3)


async def test_an_account_that_we_opened_and_its_owner_closed_is_never_opened_again(desk):
    """Its owner has its rent: whoever may close it again and again would be paid for that, not for trading."""
    desk.open_accounts(0)
    trees = [desk.tree(2, index=index) for index in range(3)]
    for tree in trees:
        desk.post(tree)
    desk.write(trees[0])
    async with paying(desk, creates=True) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 2)
        desk.close_account(1, heir=0)
        await desk.confirm()
        desk.write(trees[1])
        await until(lambda: lane.kit.tally.rewards_paid == 3)
        await until(lambda: lane.kit.tally.refusals["payouts.token_account_closed_again"] == 1)

    # The next keeper knows it from the database.
    desk.write(trees[2])
    async with paying(desk, creates=True) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 1)
        assert {"payouts.token_account_closed_again": 1} == lane.kit.tally.refusals
        assert 2_039_280 == sum([row async for row in _rents(lane)])
        assert 0 == lane.kit.tally.token_accounts_missing

    # He opens it himself, and is paid all that waited.
    desk.open_accounts(1)
    await desk.confirm()
    async with paying(desk, creates=True) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 2)
    assert [3 * 100 + 101, 2 * 101] == desk.balances(2)


async def test_nobody_waits_for_a_wallet_whose_account_cannot_be_opened(desk):
    """In one subtree: some have accounts, some get one, and of one the account cannot be opened."""
    desk.open_accounts(0, 2)
    desk.occupy(1)
    tree = desk.tree(6)
    desk.post(tree)
    desk.write(tree)
    async with paying(desk, creates=True) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 5)
        assert {
            "payouts.simulation_refused": 4,
            "payouts.token_account_refused": 1,
        } == lane.kit.tally.refusals
    assert desk.tree(6).total - 101 == desk.epoch(tree).paid


async def test_who_can_be_paid_does_not_wait_until_there_is_money_for_rent(desk):
    desk.open_accounts(0)
    tree = desk.tree(3)
    desk.post(tree)
    desk.write(tree)
    poor = LaneConfig(hourly_spend_max_lamports=1_000_000)
    async with paying(desk, creates=True, purse=poor.purse()) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 1)
        await until(lambda: lane.kit.tally.refusals["payouts.token_account_withheld"] == 2)


async def test_a_crowd_without_accounts_keeps_nobody_behind_it_waiting(desk):
    """More of them than one round looks at, and no money for their rent: each pauses, and the next have their turn."""
    crowd, behind = desk.tree(100), desk.tree(101, index=1)
    desk.open_accounts(100)
    for tree in (crowd, behind):
        desk.post(tree)
        desk.write(tree)
    poor = LaneConfig(hourly_spend_max_lamports=1_000_000)
    async with paying(desk, creates=True, purse=poor.purse(), concurrency=1) as lane:
        await until(lambda: lane.kit.tally.rewards_paid == 1)
        assert 0 < lane.kit.tally.refusals["payouts.token_account_withheld"] <= 100


async def test_payments_go_before_openings(desk):
    """With one place: an older root of wallets without an account keeps nobody waiting who has one."""
    old, new = desk.tree(24), desk.tree(25, index=1)
    desk.open_accounts(24)
    for tree in (old, new):
        desk.post(tree)
        desk.write(tree)
    async with paying(desk, creates=True, concurrency=1) as lane:
        await until(lambda: lane.kit.tally.rewards_paid)
        rows = await lane.kit.attempts.store.read(
            lambda db: db.conn.execute("SELECT kind FROM attempt_job").fetchall()
        )
    assert ("pay",) == rows[0]


async def _rents(lane):
    rows = await lane.kit.attempts.store.read(
        lambda db: db.conn.execute("SELECT rent_lamports FROM attempt").fetchall()
    )
    for (rent,) in rows:
        yield rent


async def test_a_manifest_is_paid_only_as_the_chain_has_it_and_waits_until_it_is_posted(desk):
    desk.open_accounts(*range(3))
    honest, lying = desk.tree(3), desk.tree(2, index=1)
    desk.write(honest)
    (desk.folder / "broken.json").write_text('{"epoch": 1')
    desk.post(lying)
    desk.write(lying, leaves=[[str(wallet(2)), 10**9]])
    async with paying(desk) as lane:
        await until(lambda: len(lane.kit.tally.refusals) == 3)
        assert {
            "payouts.manifest_unreadable": 1,
            "payouts.manifest_contradicted": 1,
            "payouts.root_not_posted": 1,
        } == lane.kit.tally.refusals
        desk.post(honest)
        await until(lambda: lane.kit.tally.rewards_paid == 3)
    assert [100, 101, 102] == desk.balances(3)
    assert 0 == desk.epoch(lying).paid_count
