"""Several endpoints of one cluster, some of them bad: real sockets' bytes in memory, on a virtual clock."""

from urllib.parse import urlsplit

import pytest
import trio
from solders.pubkey import Pubkey
from solders.signature import Signature
from structlog.testing import capture_logs

from keeper.drills.memory_net import MemoryNet
from programs.agreement import Landmark
from programs.breaker import BreakerState
from programs.endpoint_watch import go_round
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc import RpcOtherCluster, RpcTimeout, RpcUnavailable
from programs.rpc_http import open_rpc
from programs.rpc_question import Question
from programs.rpc_settings import RpcSettings

SOL = 10**9
SLOT_S = 0.1
SYSTEM = Pubkey.default()


def bank_config(seed=0):
    return BankConfig(slot_ms=100, confirmed_slots=1, finality_slots=4, past_blocks=200, seed=seed)


@pytest.fixture
async def start(nursery, autojump_clock):
    """Starts networks whose sockets are in memory."""

    async def starting(endpoints=2, seed=0, port=0, life=None):
        config = LocalnetConfig(port=port, bank=bank_config(seed), endpoints=endpoints)

        async def live(task_status):
            with life or trio.CancelScope():
                await serve(config, task_status=task_status)

        return await nursery.start(live)

    with MemoryNet().plugged_in():
        yield starting


def asking(*urls, **settings):
    given = {"try_timeout_s": 2, "read_deadline_s": 6, "max_lag_slots": 10} | settings
    return open_rpc(urls, RpcSettings(**given), draw=lambda: 0.5)


def urls_of(network):
    return [address.url for address in network.addresses]


async def test_one_hangs_and_reads_go_on_elsewhere_within_one_timeout(autojump_clock, start):
    network = await start()
    network.trouble.asked.spoil_next("hanging", 1_000)
    async with asking(*urls_of(network)) as rpc:
        began_s = trio.current_time()
        await rpc.get_latest_blockhash("confirmed")
        assert trio.current_time() - began_s < 2.5
        # Who answered is asked first from then on.
        began_s = trio.current_time()
        await rpc.get_latest_blockhash("confirmed")
        assert trio.current_time() - began_s < 0.5
        assert sum(rpc.statistics()[0].failures.values()) == 1


async def test_one_hangs_and_no_send_waits_for_it_however_many_there_are(
    autojump_clock, start, pay, bank_of_payer
):
    network = await start()
    await bank_of_payer(network)
    network.trouble.asked.spoil_next("hanging", 1_000, endpoint=1, method="sendTransaction")
    async with asking(*urls_of(network)) as rpc:
        began_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(60):
                wire = bytes(pay(network.bank, Pubkey.new_unique()))
                nursery.start_soon(rpc.send_transaction, wire)
        assert trio.current_time() - began_s < 1
        # Reads of the endpoint that hangs on sends have places of their own.
        assert await rpc.pool.ask(1, _slot_question()) > 0


def _slot_question():
    return Question(method="getSlot", params=({"commitment": "confirmed"},), parse=int)


@pytest.fixture
def bank_of_payer(payer):
    async def fund(network):
        network.bank.airdrop(payer.pubkey(), 1_000 * SOL)
        await trio.sleep(3 * SLOT_S)

    return fund


@pytest.mark.parametrize("spoilage", ["html", "limited", "unavailable", "truncated", "cut"])
async def test_one_serves_rubbish_and_every_read_is_right_the_first_time(
    autojump_clock, start, spoilage
):
    network = await start()
    to = Pubkey.new_unique()
    network.bank.airdrop(to, SOL)
    network.trouble.asked.spoil_next(spoilage, 1_000)
    async with asking(*urls_of(network)) as rpc:
        for _ in range(5):
            assert await rpc.get_balance(to, "processed") == SOL


async def test_a_429_body_is_never_data_and_its_wish_to_be_left_alone_is_granted(
    autojump_clock, start
):
    network = await start(endpoints=1)
    async with asking(network.url) as rpc:
        await rpc.get_slot("confirmed")
        network.trouble.asked.spoil_next("limited", 1)  # retry-after: 1
        began_s = trio.current_time()
        assert await rpc.get_slot("confirmed") >= network.bank.slot - 20
        assert trio.current_time() - began_s >= 1
        (endpoint,) = rpc.statistics()
        assert endpoint.failures == {"status_429": 1}


async def test_what_is_too_far_behind_is_refused_and_a_newer_endpoint_asked(autojump_clock, start):
    network = await start()
    await trio.sleep(8)
    async with asking(*urls_of(network)) as rpc:
        await rpc.get_slot("processed")
        to = Pubkey.new_unique()
        network.bank.airdrop(to, SOL)
        network.nodes[0].lag_blocks = 40
        slots = []
        for _ in range(20):
            assert await rpc.get_balance(to, "processed") == SOL
            slots.append(await rpc.get_slot("processed"))
            await trio.sleep(SLOT_S)
        assert slots == sorted(slots)
        behind, good = rpc.statistics()
        assert behind.lag_slots > 10 >= good.lag_slots
        assert behind.failures["behind"] >= 1


async def test_no_read_is_older_than_what_was_believed_even_when_the_newest_endpoint_dies(
    autojump_clock, start
):
    network = await start()
    await trio.sleep(4)
    async with asking(*urls_of(network)) as rpc:
        newest = await rpc.get_slot("processed")
        network.nodes[1].lag_blocks = 35
        network.trouble.asked.spoil_next("cut", 100_000, endpoint=0)
        refused, found = 0, None
        while found is None:
            try:
                found = await rpc.get_slot("processed")
            except RpcUnavailable:
                refused += 1
                await trio.sleep(0.5)
        assert refused > 0
        assert found >= newest - 10
        # It had to catch up with what was known.
        assert network.bank.slot > newest + 20


async def test_an_endpoint_of_another_cluster_never_gives_data_and_is_told_of_once(
    autojump_clock, start
):
    network, other = await start(endpoints=1), await start(endpoints=1, seed=9)
    to = Pubkey.new_unique()
    other.bank.airdrop(to, SOL)
    async with asking(network.url, other.url) as rpc:
        await rpc.get_genesis_hash()
        network.trouble.asked.spoil_next("unavailable", 2)
        with capture_logs() as logs:
            for _ in range(5):
                assert await rpc.get_balance(to, "processed") == 0
                await go_round(rpc.pool, None)
        assert [line["event"] for line in logs].count("endpoint.set_aside") == 1
        assert rpc.statistics()[1].set_aside == "other_cluster"
        # Nothing is sent there either.
        assert rpc.pool.recipients("sendTransaction") == (0,)


async def test_a_chain_replaced_behind_its_address_is_noticed_with_the_next_blockhash(
    autojump_clock, start
):
    life = trio.CancelScope()
    network = await start(endpoints=1, life=life)
    async with asking(network.url) as rpc:
        await rpc.get_latest_blockhash("confirmed")
        life.cancel()
        await trio.sleep(SLOT_S)
        other = await start(endpoints=1, seed=9, port=urlsplit(network.url).port)
        assert other.url == network.url
        with pytest.raises(RpcOtherCluster) as refused:
            await rpc.get_latest_blockhash("confirmed")
        assert refused.value.found == other.bank.genesis_hash
        assert refused.value.expected == network.bank.genesis_hash


async def test_blockhashes_on_a_known_connection_cost_one_call_each(autojump_clock, start):
    network = await start(endpoints=1)
    async with asking(network.url) as rpc:
        await rpc.get_latest_blockhash("confirmed")
        before = rpc.statistics()[0].calls
        for _ in range(10):
            await rpc.get_latest_blockhash("confirmed")
            await trio.sleep(0.2)
        assert rpc.statistics()[0].calls == before + 10


async def test_an_endpoint_that_serves_other_bytes_where_the_program_is_is_set_aside(
    autojump_clock, start
):
    network = await start()
    landmark = Landmark(address=SYSTEM, owner=SYSTEM, offset=0, data=b"not what is there")
    async with asking(*urls_of(network)) as rpc:
        await go_round(rpc.pool, landmark)
        assert {each.set_aside for each in rpc.statistics()} == {"other_program"}
        with pytest.raises(RpcUnavailable, match="no endpoint is believed"):
            await rpc.get_slot("confirmed")
        await go_round(rpc.pool, landmark)


async def test_a_breaker_opens_probes_and_closes_on_time(autojump_clock, start):
    network = await start()
    async with asking(*urls_of(network), try_timeout_s=0.5) as rpc:
        await rpc.get_slot("confirmed")
        network.trouble.asked.spoil_next("hanging", 3, endpoint=1)
        for _ in range(3):
            await go_round(rpc.pool, None)
        assert rpc.statistics()[1].breaker is BreakerState.OPEN
        calls = rpc.statistics()[1].calls
        await trio.sleep(0.9)
        await go_round(rpc.pool, None)
        assert rpc.statistics()[1].calls == calls  # not yet due
        await trio.sleep(0.1)
        await go_round(rpc.pool, None)
        assert rpc.statistics()[1].breaker is BreakerState.CLOSED


async def test_all_hang_and_the_read_ends_at_its_deadline(autojump_clock, start):
    network = await start()
    for endpoint in (0, 1):
        network.trouble.asked.spoil_next("hanging", 1_000, endpoint=endpoint)
    async with asking(*urls_of(network)) as rpc:
        began_s = trio.current_time()
        with pytest.raises(RpcTimeout):
            await rpc.get_slot("confirmed")
        assert trio.current_time() - began_s == pytest.approx(6, abs=0.1)


async def test_the_watch_probes_whoever_is_not_asked_and_finds_the_faster_one(
    autojump_clock, start
):
    network = await start()
    async with asking(*urls_of(network), check_interval_s=1) as rpc:
        rpc.watch_endpoints(None)
        await trio.sleep(3.5)
        assert all(each.calls >= 6 for each in rpc.statistics())
        assert all(each.failures == {} for each in rpc.statistics())
        assert rpc.pool.dispute is None


async def test_settled_statuses_hold_height_and_history_of_one_endpoint(
    autojump_clock, start, nursery
):
    network = await start()
    await trio.sleep(2)
    async with asking(*urls_of(network)) as rpc:
        network.trouble.asked.spoil_next("unavailable", 1, method="getSignatureStatuses")
        found = await rpc.get_settled_statuses([Signature.default()])
        assert found.statuses == (None,)
        assert found.finalized_block_height > 0
        calls = [each.calls for each in rpc.statistics()]
        assert calls[1] == 4  # its cluster, the epoch, the first block, the statuses
