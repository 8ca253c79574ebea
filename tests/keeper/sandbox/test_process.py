"""The whole sandbox in this process, reached over its sockets."""

import stat
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import numpy as np
import pytest
import trio

from keeper.errors import SandboxError
from keeper.keypair import load_keypair
from keeper.prices.discovery import discover_markets
from keeper.prices.feed_config import FeedConfig
from keeper.risk import assess
from keeper.sandbox.cast import PROGRAM_KEY, cast_of
from keeper.sandbox.config import SandboxConfig
from keeper.sandbox.process import run_sandbox
from keeper.sandbox.wallet import land_all
from keeper.scan import scan
from programs import instructions
from programs.accounts import Side
from programs.loader import decode_program_data, program_data_address
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings

USD = 1_000_000
SMALL = SandboxConfig(
    rpc_port=0, venue_port=0, markets=2, slot_ms=20, jump_every_ticks=0, positions_per_side=8
)


@asynccontextmanager
async def sandbox(config, folder, **options):
    """Run one, and an RPC client to it."""
    async with trio.open_nursery() as nursery:

        async def run(task_status):
            await run_sandbox(
                config, folder / "keys" / "keeper.json", task_status=task_status, **options
            )

        endpoints = await nursery.start(run)
        async with open_rpc([endpoints.rpc_url], RpcSettings()) as rpc:
            yield endpoints, rpc
        nursery.cancel_scope.cancel()


async def post_price(rpc, endpoints, price_e6, markets, signer=None):
    """Be the oracle for a moment."""
    keeper = signer or load_keypair(endpoints.keeper_keypair)
    slot = await rpc.get_slot("processed")
    posts = [
        instructions.update_prices(
            endpoints.program_id,
            keeper.pubkey(),
            market,
            price_class=0,
            publish_slot=slot,
            readings=[(price_e6, 0)],
        )
        for market in markets
    ]
    await land_all(rpc, [(posts, [keeper])])


async def test_a_jump_of_the_oracle_puts_one_side_of_a_market_under_water(tmp_path):
    async with sandbox(SMALL, tmp_path) as (endpoints, rpc):
        found = await scan(rpc, endpoints.program_id, "confirmed")
        assert len(found.markets) == endpoints.markets == 2
        assert found.vault.cash == 2_000_000 * USD
        markets = found.markets.addresses
        with trio.fail_after(10):
            while _leveraged(found.positions) < (16, 16):
                await post_price(rpc, endpoints, 500_000, markets)
                await trio.sleep(0.1)
                found = await scan(rpc, endpoints.program_id)
        assert not len(assess(found.markets, found.positions, found.slot).index)

        for _ in range(4):
            await post_price(rpc, endpoints, 350_000, markets)
            await trio.sleep(0.04)
        found = await scan(rpc, endpoints.program_id)
        due = assess(found.markets, found.positions, found.slot)

        assert np.bincount(due.market_row).min() >= 8
        assert set(found.positions["side"][due.index]) == {Side.YES}


def _leveraged(positions) -> tuple[int, int]:
    has_debt = positions["debt"] > 0
    return tuple(int((has_debt & (positions["side"] == side)).sum()) for side in Side)


async def test_the_program_is_immutable_and_the_keeper_is_its_oracle(tmp_path):
    config = replace(SMALL, active_markets_max=0)
    async with sandbox(config, tmp_path, genesis_seed=7) as (endpoints, rpc):
        code = await rpc.get_account(program_data_address(endpoints.program_id), "confirmed")
        found = await scan(rpc, endpoints.program_id)
        keeper = load_keypair(endpoints.keeper_keypair)
        feed = FeedConfig(clob_url=endpoints.clob_url, gamma_url=endpoints.gamma_url)
        listed = await discover_markets(feed)

        assert endpoints.program_id == PROGRAM_KEY.pubkey()
        assert decode_program_data(code.data).authority is None
        assert found.global_.oracle_authority == keeper.pubkey()
        assert found.global_.quote_mint == endpoints.quote_mint
        assert await rpc.get_balance(keeper.pubkey(), "processed") > 10**9
        assert {bytes(each.condition_id) for each in found.markets.values()} == {
            each.condition_bytes for each in listed
        }
        tokens = {int(each.yes_token_id) for each in listed}
        assert tokens == {
            int.from_bytes(bytes(each.yes_token_or_hash), "big") for each in found.markets.values()
        }
        stranger = cast_of(config.seed).admin.key
        with pytest.raises(SandboxError, match="WRONG_AUTHORITY: the signer is not the authority"):
            await post_price(rpc, endpoints, 500_000, found.markets.addresses, stranger)
    path = endpoints.keeper_keypair
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async with sandbox(config, tmp_path, genesis_seed=8) as (again, _):
        assert load_keypair(again.keeper_keypair) == keeper
        assert again.genesis_hash != endpoints.genesis_hash


async def test_a_replay_makes_the_markets_of_the_recording(tmp_path, recorded):
    config = replace(SMALL, replay=recorded)
    async with sandbox(config, tmp_path) as (endpoints, rpc):
        found = await scan(rpc, endpoints.program_id)

        prices = sorted(market.pools[0].price_e6 for market in found.markets.values())
        assert len(prices) == 2
        assert 65_500 in prices
        assert all(market.pools[0].liquidity for market in found.markets.values())


@pytest.mark.parametrize("name", ["rpc_port", "venue_port"])
async def test_a_port_in_use_is_one_sentence(tmp_path, name):
    (taken,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = taken.socket.getsockname()[1]

    with trio.fail_after(10):
        try:
            await run_sandbox(replace(SMALL, **{name: port}), tmp_path / "keeper.json")
        except* SandboxError as group:
            said = str(group.exceptions[0])

    assert str(port) in said
    assert "\n" not in said
    await taken.aclose()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"slot_ms": 1}, "slot_ms is 1, expected 10 to 10000"),
        ({"markets": 0}, "markets is 0"),
        ({"positions_per_side": 17}, "positions_per_side is 17, expected 0 to 16"),
    ],
)
def test_a_setting_out_of_range_says_what_is_allowed(fields, words):
    with pytest.raises(ValueError, match=words):
        SandboxConfig(**fields)


async def test_faults_begin_when_the_platform_is_founded_and_leave_the_actors_alone(tmp_path):
    profile = tmp_path / "often.toml"
    profile.write_text(
        "[forks]\nfork_bps = 3_000\n[replies]\nhtml_bps = 5_000\n[congestion]\nspam_per_slot = 1\n"
        "[[endpoints]]\n[[endpoints]]\nlag_blocks = 3\n[[endpoints]]\n"
    )
    config = replace(SMALL, faults=str(profile), rpc_endpoints=2)
    async with trio.open_nursery() as nursery:
        endpoints = await nursery.start(run_sandbox, config, tmp_path / "keeper.json")
        assert len(endpoints.rpc_urls) == 3  # as many as the profile describes
        assert endpoints.rpc_urls[0] == endpoints.rpc_url
        with trio.fail_after(30):
            async with httpx.AsyncClient() as client:
                while True:
                    report = (await client.get(f"{endpoints.rpc_urls[2]}/faults")).json()
                    counts = report["counts"]
                    if counts.get("fork.count", 0) and counts.get("spam.arrived", 0):
                        break
                    await trio.sleep(0.05)
        assert report["is_armed"] is True
        assert not [kind for kind in counts if kind.startswith("reply.")]
        nursery.cancel_scope.cancel()


async def test_faults_that_cannot_be_loaded_are_one_sentence(tmp_path):
    with pytest.raises(
        SandboxError, match=r"sandbox\.faults \(--faults\): no fault profile at mild"
    ):
        await run_sandbox(replace(SMALL, faults="mild"), tmp_path / "keeper.json")
