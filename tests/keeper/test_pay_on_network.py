"""keeper/pay.py on the local network, over sockets: the committed program, real landing, real state."""

import pytest
import trio
from payout_network import open_desk, paying, until, wallet


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
