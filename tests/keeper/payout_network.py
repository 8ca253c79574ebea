"""A local network over sockets on which rewards are posted and paid: the committed program, real landing, real state."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import spl.token.instructions as spl
import trio
from solders.account import Account
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction
from spl.token.models import CloseAccountParams, TransferParams

from keeper.execute import Kit, open_lane, watch_blockhashes
from keeper.lane_config import LaneConfig
from keeper.newest import Newest
from keeper.pay import PayRules, pay_due_rewards
from keeper.post_roots import Posting
from keeper.tally import Tally
from programs import instructions
from programs.accounts import Epoch, Global
from programs.addresses import TOKEN_PROGRAM, epoch_address, global_address
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


def key(number):
    return Keypair.from_seed(bytes([9, number]) + bytes(30))


def wallet(number):
    return key(number).pubkey()


@dataclass
class Desk:
    """The platform's side: its faucet is every authority."""

    bank: object
    url: str
    folder: Path
    state: Path
    genesis_hash: str

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

    def close_account(self, number, *, heir):
        """Let a wallet move all it has to another one and close its token account, whose rent it gets."""
        owner, faucet = key(number), self.bank.faucet
        source, target = (
            spl.get_associated_token_address(each, self.mint)
            for each in (wallet(number), wallet(heir))
        )
        amount = decode_token_account(self.bank.account(source).data).amount
        own = {"program_id": TOKEN_PROGRAM, "owner": owner.pubkey()}
        move = TransferParams(source=source, dest=target, amount=amount, **own)
        close = CloseAccountParams(account=source, dest=owner.pubkey(), **own)
        listed = [spl.transfer(move), spl.close_account(close)]
        blockhash = self.bank.block_at("processed").blockhash
        message = Message.new_with_blockhash(listed, faucet.pubkey(), blockhash)
        record = self.bank.execute(VersionedTransaction(message, [faucet, owner]))
        assert record.error is None, record

    async def confirm(self):
        """Wait until whoever reads what is confirmed sees all that was done."""
        done = self.bank.block_at("processed").slot
        await until(lambda: self.bank.block_at("confirmed").slot >= done)

    def occupy(self, number):
        """Put an account where a wallet's token account belongs that no token account can be made of."""
        address = spl.get_associated_token_address(wallet(number), self.mint)
        stone = Account(lamports=10**7, data=b"", owner=PROGRAM, executable=False)
        self.bank.set_account(address, stone)

    def tree(self, count, *, index=0):
        rewards = [Reward(wallet=wallet(i), amount=100 + i) for i in range(count)]
        return build_tree(0, index, rewards)

    def post(self, tree):
        terms = {"epoch": 0, "index": tree.index, "root": tree.root}
        terms |= {"leaf_count": len(tree.rewards), "total": tree.total}
        authority = self.bank.faucet.pubkey()
        self.execute(instructions.post_epoch(PROGRAM, authority, **terms))

    def write(self, tree, *, name=None, **changes):
        leaves = [[str(reward.wallet), reward.amount] for reward in tree.rewards]
        manifest = {"epoch": 0, "index": tree.index, "root": tree.root.hex(), "leaves": leaves}
        (self.folder / f"{name or tree.index}.json").write_text(json.dumps(manifest | changes))

    @property
    def chain(self):
        """What a manifest says to be posted here."""
        return {"genesis_hash": self.genesis_hash, "program": str(PROGRAM)}

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


async def open_desk(nursery, tmp_path):
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
    async with open_rpc([network.url], RpcSettings()) as rpc:
        genesis_hash = str(await rpc.get_genesis_hash())
    return Desk(network.bank, network.url, folder, tmp_path / "keeper.db", genesis_hash)


@asynccontextmanager
async def paying(desk, *, creates=False, authority=None, purse=None, concurrency=4):
    """The payouts lane at work, posting as `authority`; cancelled half way at the end, as by a crash."""
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
        lane = open_lane(
            kit, "payouts", PAYER, purse or LaneConfig().purse(), concurrency=concurrency
        )
        rules = PayRules(folder=desk.folder, creates_token_accounts=creates, interval_s=0.1)
        poster = replace(lane, signers=() if authority is None else (authority,))
        posting = Posting(lane=poster, incentives_authority=desk.bank.faucet.pubkey())
        pay = partial(pay_due_rewards, posting=posting, genesis_hash=desk.genesis_hash)
        nursery.start_soon(pay, lane, rules, desk.mint, trio.Event())
        with trio.fail_after(PATIENCE_S):
            yield lane
        nursery.cancel_scope.cancel()


async def until(condition):
    while not condition():  # noqa: ASYNC110 - it is asked of the chain and of counts, which tell nobody
        await trio.sleep(SLOT_S)
