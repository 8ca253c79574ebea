"""keeper/bounty.py, on a virtual clock over a scripted cluster."""

import pytest
from scripted import PAYER, account_of, lane_of, open_world
from spl.token.instructions import get_associated_token_address

from keeper.bounty import open_bounty_account
from keeper.errors import ClusterError
from keeper.fees import FeePolicy
from keeper.lane_config import LaneConfig
from programs.rpc import RpcTimeout


async def opened(world, config=None):
    await open_bounty_account(lane_of(world.kit, "setup", config))


async def test_an_account_that_exists_is_left_alone(autojump_clock):
    async with open_world() as world:
        address = get_associated_token_address(PAYER.pubkey(), world.kit.quote_mint)
        world.rpc.accounts[address] = account_of(b"")
        await opened(world)
        assert {} == world.cluster.received


async def test_a_missing_account_is_created_once(autojump_clock):
    async with open_world() as world:
        await opened(world)
        assert 1 == world.tally.landed["setup"]
        address = get_associated_token_address(PAYER.pubkey(), world.kit.quote_mint)
        assert [(f"create_token_account:{address}",)] == world.rows(
            "SELECT job_id FROM attempt_job"
        )


@pytest.mark.parametrize("end", ["failed", "expired", "withheld", "unread"])
async def test_without_one_the_keeper_says_why_and_what_to_do(autojump_clock, end):
    async with open_world() as world:
        config = LaneConfig()
        if end == "failed":
            world.cluster.judge = lambda *_: {"InstructionError": [3, {"Custom": 1}]}
            expected = r"could not be created \(.+\): fund .* with at least"
        elif end == "expired":
            world.cluster.drops = 10_000
            expected = r"could not be created \(no node refused it\): fund"
        elif end == "withheld":
            config = LaneConfig(fees=FeePolicy())
            expected = r"could not be created \(the fee is at least 5000 lamports"
        else:
            world.rpc.faults["get_account"] = [RpcTimeout("silent")]
            expected = r"cannot be read \(silent\)"
        with pytest.raises(ClusterError, match=expected):
            await opened(world, config)
