"""Rewards paid by a keeper that is killed half way: each wallet once, by the chain's own bitmap."""

import json
import struct

from processes import finish, started
from quiet_world import PROGRAM, quiet_world
from solders.account import Account
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address
from test_bad_input import config_for

from keeper.sandbox.cast import cast_of
from programs.accounts import Epoch
from programs.addresses import TOKEN_PROGRAM, epoch_address
from programs.merkle import Reward, build_tree
from programs.spl_token import decode_token_account

WALLETS = 240
TOKEN_ACCOUNT = struct.Struct("<32s32s44xB56x")


def wallet(number):
    return Pubkey(bytes([9]) + number.to_bytes(2, "little") + bytes(29))


def tokens_of(world, mint, number):
    address = get_associated_token_address(wallet(number), mint)
    return decode_token_account(world.account(address).data).amount


def test_a_keeper_killed_while_it_pays_goes_on_after_it_and_pays_no_wallet_twice(tmp_path):
    cast = cast_of(1)
    mint = cast.mmt_mint.pubkey()
    tree = build_tree(0, 0, [Reward(wallet=wallet(i), amount=100 + i) for i in range(WALLETS)])
    with quiet_world(seed=5) as world:
        for number in range(WALLETS):
            data = TOKEN_ACCOUNT.pack(bytes(mint), bytes(wallet(number)), 1)
            account = Account(lamports=2_039_280, data=data, owner=TOKEN_PROGRAM)
            world.set_account(get_associated_token_address(wallet(number), mint), account)
        config = config_for(tmp_path, world)
        # What is shown is no matter of speed: a busy machine must not open the endpoint's breaker.
        config.write_text(
            config.read_text().replace("rpc_timeout_ms = 300", "rpc_timeout_ms = 5000")
        )
        folder = tmp_path / "var/state/payouts"
        folder.mkdir(parents=True)
        leaves = [[str(reward.wallet), reward.amount] for reward in tree.rewards]
        manifest = {"epoch": 0, "index": 0, "root": tree.root.hex(), "leaves": leaves}
        # The keeper is the incentives authority here, and posts the root itself.
        manifest |= {"genesis_hash": str(world.bank.genesis_hash), "program": str(PROGRAM)}
        (folder / "epoch-0.json").write_text(json.dumps(manifest))
        options = ("run", "--json", "--config", str(config))
        with started(*options) as keeper:
            keeper.wait_for(lambda _: len(keeper.named("rewards.paid")) >= 3)
            keeper.process.kill()

        def epoch():
            return Epoch.from_bytes(world.account(epoch_address(PROGRAM, 0, 0)[0]).data)

        assert 0 < epoch().paid_count < WALLETS
        with started(*options) as keeper:
            keeper.wait_for(lambda line: line["event"] == "root.paid")
            keeper.process.terminate()
            report = finish(keeper)
        assert (epoch().paid_count, epoch().paid) == (WALLETS, tree.total)
        assert list(range(100, 100 + WALLETS)) == [
            tokens_of(world, mint, number) for number in range(WALLETS)
        ]
    assert 0 == report["transactions"]["duplicates"]
    assert 0 == report["transactions"]["by_lane"]["payouts"]["failed"]
    assert 0 == report["payouts"]["roots_posted"]
    assert 0 < report["payouts"]["paid"] < WALLETS
