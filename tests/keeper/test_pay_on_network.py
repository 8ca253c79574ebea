"""keeper/pay.py on the local network, over sockets: the committed program, real landing, real state."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import spl.token.instructions as spl
import trio
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.execute import Kit, open_lane, watch_blockhashes
from keeper.lane_config import LaneConfig
from keeper.newest import Newest
from keeper.pay import PayRules, pay_due_rewards
from keeper.tally import Tally
from programs import instructions
from programs.accounts import Epoch, Global
from programs.addresses import epoch_address, global_address
from programs.betting_platform.build import PROGRAM_SO
from programs.deploy import ProgramImage
from programs.in_flight import InFlight, Pace
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.merkle import Reward, build_tree
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.spl_token import decode_token_account
from programs.submit import land
from state.attempts import Attempts
from state.store import open_store

PROGRAM_KEY = Keypair.from_seed(bytes([77] * 32))
PROGRAM = PROGRAM_KEY.pubkey()
PAYER = Keypair.from_seed(bytes([78] * 32))
SLOT_S = 0.02
PATIENCE_S = 30.0


def wallet(number):
    return Pubkey(bytes([9, number]) + bytes(30))


@dataclass
class Desk:
    """The platform's side: its faucet is every authority."""

    bank: object
    url: str
    folder: Path
    state: Path

    @property
    def mint(self):
        return Global.from_bytes(self.bank.account(global_address(PROGRAM)[0]).data).mmt_mint

    def execute(self, *listed):
        faucet = self.bank.faucet
        blockhash = self.bank.block_at("processed").blockhash
        message = Message.new_with_blockhash(listed, faucet.pubkey(), blockhash)
        record = self.bank.execute(VersionedTransaction(message, [faucet]))
        assert record.error is None, record

    def open_accounts(self, *numbers):
        for number in numbers:
            faucet = self.bank.faucet.pubkey()
            self.execute(spl.create_associated_token_account(faucet, wallet(number), self.mint))

    def tree(self, count, *, index=0):
        rewards = [Reward(wallet=wallet(i), amount=100 + i) for i in range(count)]
        return build_tree(0, index, rewards)

    def post(self, tree):
        terms = {"epoch": 0, "index": tree.index, "root": tree.root}
        terms |= {"leaf_count": len(tree.rewards), "total": tree.total}
        authority = self.bank.faucet.pubkey()
        self.execute(instructions.post_epoch(PROGRAM, authority, **terms))

    def write(self, tree, **changes):
        leaves = [[str(reward.wallet), reward.amount] for reward in tree.rewards]
        manifest = {"epoch": 0, "index": tree.index, "root": tree.root.hex(), "leaves": leaves}
        (self.folder / f"{tree.index}.json").write_text(json.dumps(manifest | changes))

    def pay(self, tree, first, height):
        """Pay a batch without the keeper."""
        batch = tree.batch(first, height)
        tokens = [spl.get_associated_token_address(each, self.mint) for each in batch.wallets]
        self.execute(instructions.pay_rewards(PROGRAM, batch, tokens))

    def balances(self, count):
        found = []
        for number in range(count):
            address = spl.get_associated_token_address(wallet(number), self.mint)
            account = self.bank.account(address)
            found.append(None if account is None else decode_token_account(account.data).amount)
        return found

    def epoch(self, tree):
        return Epoch.from_bytes(self.bank.account(epoch_address(PROGRAM, 0, tree.index)[0]).data)


@pytest.fixture
async def desk(nursery, tmp_path):
    config = LocalnetConfig(
        port=0,
        bank=BankConfig(slot_ms=round(SLOT_S * 1_000), confirmed_slots=1, finality_slots=3),
        programs=(ProgramImage(program=PROGRAM_KEY, code=PROGRAM_SO.read_bytes()),),
        is_founded=True,
        airdrops=((PAYER.pubkey(), 10**10),),
    )
    network = await nursery.start(serve, config)
    folder = tmp_path / "payouts"
    folder.mkdir()
    return Desk(network.bank, network.url, folder, tmp_path / "keeper.db")


@asynccontextmanager
async def paying(desk, *, creates=False):
    """The payouts lane at work; cancelled half way at the end, as by a crash."""
    async with (
        open_rpc([desk.url], RpcSettings()) as rpc,
        open_store(desk.state) as store,
        trio.open_nursery() as nursery,
    ):
        kit = Kit(
            rpc=rpc,
            attempts=Attempts(store),
            in_flight=InFlight(),
            blockhashes=Newest(),
            tally=Tally(),
            program=PROGRAM,
            quote_mint=desk.mint,
            slot_ms=round(SLOT_S * 1_000),
        )
        pace = Pace(poll_interval_s=SLOT_S, resend_interval_s=0.5)
        await nursery.start(land, rpc, kit.attempts, kit.in_flight, lambda: pace)
        genesis = str(await rpc.get_genesis_hash())
        await nursery.start(watch_blockhashes, rpc, kit.blockhashes, 0.05, genesis)
        lane = open_lane(kit, "payouts", PAYER, LaneConfig().purse(), concurrency=4)
        rules = PayRules(folder=desk.folder, creates_token_accounts=creates, interval_s=0.1)
        nursery.start_soon(pay_due_rewards, lane, rules, desk.mint, trio.Event())
        with trio.fail_after(PATIENCE_S):
            yield lane
        nursery.cancel_scope.cancel()


async def until(condition):
    while not condition():  # noqa: ASYNC110 - it is asked of the chain and of counts, which tell nobody
        await trio.sleep(SLOT_S)


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
