"""keeper/other_signers.py, on a virtual clock over a scripted cluster."""

import trio
from scripted import PAYER
from solders.keypair import Keypair
from structlog.testing import capture_logs

from keeper.other_signers import watch_other_signers
from keeper.tally import Tally
from programs.rpc import RpcTimeout
from tests.fakes import FakeRpc, ScriptedCluster, signed_batch

STRANGER = Keypair.from_seed(bytes([5] * 32))


async def watch(rpc, ours, *, for_s, from_slot=0):
    """Watch PAYER for a while; return the tally and the warnings."""
    tally = Tally()

    async def recorded(signatures):
        await trio.lowlevel.checkpoint()
        return frozenset(signatures) & {str(each) for each in ours}

    with capture_logs() as logs, trio.move_on_after(for_s):
        await watch_other_signers(rpc, [PAYER.pubkey()], from_slot, recorded, tally, 10.0)
    return tally, [line for line in logs if line["event"] == "payer.shared"]


def landed(cluster, job, payer=PAYER, names=()):
    batch = signed_batch(cluster, job, payer=payer, names=names)
    assert cluster.receive(batch.wire) is None
    return batch.transaction.signature


async def test_what_our_key_signed_elsewhere_is_counted_once_and_told_once_a_minute(autojump_clock):
    cluster = ScriptedCluster(trio.current_time)
    ours, theirs = landed(cluster, "ours"), landed(cluster, "theirs")
    landed(cluster, "a strangers", STRANGER)
    tally, told = await watch(FakeRpc(cluster), [ours], for_s=200.0)

    assert 1 == tally.foreign_signatures
    assert [f"another process signs with this key: {theirs}"] == [line["reason"] for line in told]


async def test_a_flood_of_them_is_one_warning_a_minute(autojump_clock):
    cluster = ScriptedCluster(trio.current_time)

    async def sign():
        for number in range(30):
            landed(cluster, f"theirs {number}")
            await trio.sleep(4)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sign)
        tally, told = await watch(FakeRpc(cluster), [], for_s=129.0)
    assert 2 <= len(told) <= 3
    assert 30 == tally.foreign_signatures


async def test_what_was_signed_before_the_start_and_what_only_names_us_is_no_news(autojump_clock):
    cluster = ScriptedCluster(trio.current_time)
    landed(cluster, "before")
    rpc = FakeRpc(cluster)
    rpc.faults["get_signatures_for_address"] = [RpcTimeout("late")]
    tally, told = await watch(rpc, [], for_s=100.0, from_slot=cluster.slot + 2)
    assert (0, []) == (tally.foreign_signatures, told)


def named(cluster, job, signer=STRANGER):
    """Land a transaction of somebody else's that names PAYER."""
    return landed(cluster, job, signer, names=[PAYER.pubkey()])


async def test_a_flood_after_a_theft_does_not_hide_it(autojump_clock):
    """Whoever has the key names it in any number of transactions of his own afterwards, before the next look."""
    cluster = ScriptedCluster(trio.current_time)
    theft = landed(cluster, "theirs")
    for number in range(2_500):
        named(cluster, f"dust {number}")
    tally, told = await watch(FakeRpc(cluster), [], for_s=15.0)
    assert 1 == tally.foreign_signatures
    assert [f"another process signs with this key: {theft}"] == [line["reason"] for line in told]


async def test_a_flood_before_a_theft_only_delays_its_discovery(autojump_clock):
    cluster = ScriptedCluster(trio.current_time)
    for number in range(100):
        named(cluster, f"dust {number}")
    landed(cluster, "theirs")
    rpc = FakeRpc(cluster)
    rpc.faults["get_transaction"] = [RpcTimeout("late")]
    tally, _ = await watch(rpc, [], for_s=60.0)
    assert 1 == tally.foreign_signatures
