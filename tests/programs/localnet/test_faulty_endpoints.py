"""Endpoints that misbehave, seen by clients: real sockets' bytes in memory, on a virtual clock."""

import json

import httpx
import pytest
import trio
from httpx_ws import WebSocketDisconnect, WebSocketNetworkError, aconnect_ws
from solders.pubkey import Pubkey

from keeper.drills.memory_net import MemoryNet
from programs.localnet.bank import BankConfig
from programs.localnet.faults import (
    Congestion,
    EndpointFaults,
    FaultProfile,
    ForkFaults,
    SendingFaults,
    StreamFaults,
)
from programs.localnet.server import LocalnetConfig, serve
from programs.localnet.spoiled import SPOILAGES
from programs.rpc import RpcError, RpcFailure, RpcTimeout, RpcUnavailable
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.rpc_transport import Endpoint

SOL = 10**9
SURE = 10_000
PATIENT = RpcSettings(try_timeout_s=2, read_deadline_s=6)


@pytest.fixture
async def start(nursery, autojump_clock):
    """Starts networks whose sockets are in memory, with slots of 100 ms."""
    config = BankConfig(slot_ms=100, confirmed_slots=1, finality_slots=4, past_blocks=8)

    async def starting(**settings):
        return await nursery.start(serve, LocalnetConfig(port=0, bank=config, **settings))

    with MemoryNet().plugged_in():
        yield starting


@pytest.fixture
async def client():
    async with httpx.AsyncClient() as client:
        yield client


def _endpoint(client, url):
    return Endpoint(url, client, try_timeout_s=2, body_bytes_max=1 << 20)


async def called(endpoint, method, params):
    return (await endpoint.call(method, params)).result


@pytest.mark.parametrize("spoilage", SPOILAGES)
async def test_no_spoiled_reply_becomes_data(autojump_clock, start, client, spoilage):
    network = await start()
    endpoint = _endpoint(client, network.url)
    network.trouble.asked.spoil_next(spoilage)
    with pytest.raises(RpcFailure):
        await called(endpoint, "getSlot", [])
    assert await called(endpoint, "getSlot", []) >= network.bank.slot_at("finalized") - 1
    assert network.trouble.tally[f"reply.{spoilage}"] == 1


@pytest.mark.parametrize("spoilage", ["hanging", "dripping"])
async def test_a_client_without_a_limit_on_the_whole_call_waits_and_waits(
    autojump_clock, start, spoilage
):
    network = await start()
    network.trouble.asked.spoil_next(spoilage)
    patient = httpx.Timeout(None) if spoilage == "hanging" else httpx.Timeout(0.5)
    async with httpx.AsyncClient(timeout=patient) as client:
        began_s = trio.current_time()
        with trio.move_on_after(3):
            await client.post(network.url, json={"id": 1, "method": "getSlot"})
        assert trio.current_time() - began_s == pytest.approx(3)


async def test_a_dripping_reply_arrives_whole_in_the_end(autojump_clock, start, client):
    network = await start()
    network.trouble.asked.spoil_next("dripping")
    reply = await client.post(network.url, json={"id": 1, "method": "getHealth"})
    assert reply.json()["result"] == "ok"


async def test_what_a_limit_says_is_what_providers_say(autojump_clock, start, client):
    network = await start()
    network.trouble.asked.spoil_next("limited")
    reply = await client.post(network.url, json={"id": 1, "method": "getHealth"})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")


async def test_a_batch_is_spoiled_as_a_whole(autojump_clock, start, client):
    network = await start()
    network.trouble.asked.spoil_next("wrong_id")
    batch = [{"id": number, "method": "getHealth"} for number in (1, 2)]
    reply = await client.post(network.url, json=batch)
    assert [each["id"] for each in reply.json()] == ["not-yours-1", "not-yours-1"]


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_sender_who_got_an_error_cannot_know(autojump_clock, start, client, is_done):
    network = await start()
    network.trouble.asked.spoil_next("unavailable", method="requestAirdrop", is_done=is_done)
    to = Pubkey.new_unique()
    with pytest.raises(RpcUnavailable):
        await called(_endpoint(client, network.url), "requestAirdrop", [str(to), SOL])
    assert (network.bank.account(to) is not None) == is_done


async def test_reads_fail_over_to_an_endpoint_that_answers(autojump_clock, start):
    network = await start(endpoints=2)
    assert [address.port for address in network.addresses][1] == network.ws_port + 1
    network.trouble.asked.spoil_next("hanging", 100)
    async with open_rpc([each.url for each in network.addresses], PATIENT) as rpc:
        assert (await rpc.get_latest_blockhash("processed")).last_valid_block_height > 150


async def test_a_hanging_network_is_a_timeout(autojump_clock, start):
    network = await start()
    network.trouble.asked.spoil_next("hanging", 100)
    async with open_rpc([network.url], PATIENT) as rpc:
        with pytest.raises(RpcTimeout):
            await rpc.get_latest_blockhash("processed")


async def test_an_endpoint_behind_says_what_was_true_and_knows_no_fresh_blockhash(
    autojump_clock, start, client
):
    faults = FaultProfile(endpoints=(EndpointFaults(), EndpointFaults(lag_blocks=6)))
    network = await start(faults=faults)
    await trio.sleep(2)
    ahead, behind = (_endpoint(client, address.url) for address in network.addresses)
    processed = {"commitment": "processed"}
    assert (
        await called(ahead, "getSlot", [processed]) - await called(behind, "getSlot", [processed])
        == 6
    )
    heights = [await called(each, "getBlockHeight", [processed]) for each in (ahead, behind)]
    assert heights[0] - heights[1] == 6
    fresh = (await called(ahead, "getLatestBlockhash", [processed]))["value"]["blockhash"]
    assert (await called(ahead, "isBlockhashValid", [fresh, processed]))["value"] is True
    assert (await called(behind, "isBlockhashValid", [fresh, processed]))["value"] is False
    to = Pubkey.new_unique()
    network.bank.airdrop(to, SOL)
    assert (await called(ahead, "getBalance", [str(to), processed]))["value"] == SOL
    assert (await called(behind, "getBalance", [str(to), processed]))["value"] == 0
    await trio.sleep(0.7)
    assert (await called(behind, "getBalance", [str(to), processed]))["value"] == SOL
    with pytest.raises(RpcError, match="Minimum context slot"):
        await called(
            behind, "getBalance", [str(to), processed | {"minContextSlot": network.bank.slot}]
        )


async def _told(network, method, *params, slots=20):
    """What one websocket client hears in some slots."""
    heard = []
    with trio.move_on_after(slots * 0.1):
        async with aconnect_ws(network.ws_url) as socket:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            await socket.send_text(json.dumps(request))
            while True:
                heard.append(json.loads(await socket.receive_text()))
    return heard


async def test_a_silent_connection_accepts_a_subscription_and_says_no_more(autojump_clock, start):
    network = await start(faults=FaultProfile(streams=StreamFaults(silent_bps=SURE)))
    assert [set(each) for each in await _told(network, "slotSubscribe")] == [
        {"jsonrpc", "result", "id"}
    ]


async def test_some_notifications_are_left_out(autojump_clock, start):
    network = await start(faults=FaultProfile(streams=StreamFaults(lost_bps=5_000)))
    heard = await _told(network, "slotSubscribe", slots=60)
    slots = [each["params"]["result"]["slot"] for each in heard[1:]]
    assert 10 < len(slots) < 50
    assert slots == sorted(set(slots))


async def test_a_cut_connection_ends_without_a_word(autojump_clock, start):
    network = await start(faults=FaultProfile(streams=StreamFaults(cut_bps=SURE)))
    with pytest.RaisesGroup(
        pytest.RaisesExc((WebSocketDisconnect, WebSocketNetworkError)),
        flatten_subgroups=True,
        allow_unwrapped=True,
    ):
        await _told(network, "slotSubscribe")


async def test_a_fork_is_told_by_slots_that_go_on_from_an_older_parent(
    autojump_clock, start, nursery
):
    network = await start()
    heard = []

    async def listen():
        heard.extend(await _told(network, "slotSubscribe", slots=12))

    async with trio.open_nursery() as listening:
        listening.start_soon(listen)
        await trio.sleep(0.55)
        network.trouble.asked.fork(2)
    told = [each["params"]["result"] for each in heard[1:]]
    jumps = [each["slot"] - each["parent"] for each in told]
    assert jumps.count(3) == 1
    assert jumps.count(1) == len(jumps) - 1
    assert [each["slot"] for each in told] == list(range(told[0]["slot"], told[-1]["slot"] + 1))


async def test_what_went_wrong_can_be_asked_for(autojump_clock, start, client):
    faults = FaultProfile(
        sending=SendingFaults(lost_bps=SURE),
        forks=ForkFaults(fork_bps=2_000),
        congestion=Congestion(spam_per_slot=1),
    )
    network = await start(faults=faults, fault_seed=5)
    await trio.sleep(3)
    report = (await client.get(f"{network.url}/faults")).json()
    assert report["is_armed"] is True
    assert report["counts"]["fork.count"] > 0
    assert report["counts"]["spam.arrived"] >= 29


async def test_the_quiet_endpoint_answers_whatever_the_others_do(autojump_clock, start, client):
    network = await start()
    network.trouble.asked.spoil_next("html", 5)
    assert await called(_endpoint(client, network.quiet.url), "getHealth", []) == "ok"


def test_there_are_1_to_16_endpoints():
    with pytest.raises(ValueError, match="endpoints is 0, expected 1 to 16"):
        LocalnetConfig(endpoints=0)
    many = FaultProfile(endpoints=(EndpointFaults(),) * 17)
    with pytest.raises(ValueError, match="endpoints is 17, expected 1 to 16"):
        LocalnetConfig(faults=many)
