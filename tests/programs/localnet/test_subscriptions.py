"""Websocket notifications: what they say, when, and to whom."""

import json
from base64 import b64encode

import pytest
import trio
from httpx_ws import WebSocketDisconnect, aconnect_ws
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.responses import parse_websocket_message

from programs.localnet.params import Params
from programs.localnet.rpc_errors import RpcError
from programs.localnet.subscriptions import SUBSCRIPTIONS_MAX, Subscriptions
from programs.localnet.websocket import Connection

SOL = 10**9


@pytest.fixture
def subscriptions(node):
    return Subscriptions(node)


@pytest.fixture
def close_slot(bank, node, subscriptions):
    """Closes a slot; returns the notifications as solders parses them."""

    def close():
        messages = subscriptions.due()
        node.mark_told()
        bank.advance_slot()
        return [parse_websocket_message(json.dumps(message))[0] for message in messages]

    return close


def test_an_account_is_told_at_the_depth_of_its_commitment(bank, subscriptions, close_slot, pay):
    bank.advance_slot(5)
    to = Pubkey.new_unique()
    for level in ("processed", "confirmed", "finalized"):
        config = {"commitment": level, "encoding": "base64"}
        subscriptions.answer("accountSubscribe", Params([str(to), config]))
    slot = bank.slot
    bank.execute(pay(bank, to, 1_000_000))
    bank.execute(pay(bank, to, 1_000_001))
    told = [close_slot() for _ in range(5)]
    assert [[item.subscription for item in items] for items in told] == [[0], [1], [], [2], []]
    first = told[0][0].result
    assert (first.context.slot, first.value.lamports) == (slot, 2_000_001)


def test_a_later_write_does_not_leak_into_an_earlier_block(bank, subscriptions, close_slot, pay):
    bank.advance_slot(5)
    to = Pubkey.new_unique()
    subscriptions.answer("accountSubscribe", Params([str(to), {"encoding": "base64"}]))
    lamports = []
    for _ in range(8):
        bank.execute(pay(bank, to, 1_000_000))
        lamports += [item.result.value.lamports for item in close_slot()]
    assert lamports == [1_000_000 * number for number in range(1, 6)]


def test_a_closed_account_is_told_as_empty(bank, subscriptions, close_slot, payer, pay):
    config = {"commitment": "processed", "encoding": "base64"}
    subscriptions.answer("accountSubscribe", Params([str(payer.pubkey()), config]))
    balance = bank.account(payer.pubkey()).lamports
    bank.execute(pay(bank, Pubkey.new_unique(), balance - 5_000))
    (item,) = close_slot()
    assert item.result.value.lamports == 0


def test_program_accounts_are_filtered_as_in_the_request(bank, subscriptions, close_slot):
    program, wanted, other = (Pubkey.new_unique() for _ in range(3))
    config = {
        "commitment": "processed",
        "encoding": "base64",
        "filters": [{"dataSize": 2}, {"memcmp": {"offset": 1, "bytes": "3"}}],
    }
    subscriptions.answer("programSubscribe", Params([str(program), config]))
    bank.set_account(wanted, Account(SOL, b"\1\2", program))
    bank.set_account(other, Account(SOL, b"\2\1", program))
    bank.set_account(Pubkey.new_unique(), Account(SOL, b"\1\2", Pubkey.new_unique()))
    assert [item.result.value.pubkey for item in close_slot()] == [wanted]


def test_a_signature_is_told_once_and_then_gone(bank, subscriptions, close_slot, pay):
    good, bad = pay(bank, Pubkey.new_unique()), pay(bank, Pubkey.new_unique(), 10**18)
    for transaction in (good, bad):
        params = Params([str(transaction.signatures[0]), {"commitment": "confirmed"}])
        subscriptions.answer("signatureSubscribe", params)
    assert close_slot() == []
    bank.execute(good)
    bank.execute(bad)
    assert close_slot() == []
    # Read as JSON: solders 0.29 cannot parse an InstructionError here, although agave sends it just so.
    errors = [message["params"]["result"]["value"]["err"] for message in subscriptions.due()]
    assert errors == [None, {"InstructionError": [0, {"Custom": 1}]}]
    assert close_slot() == []
    with pytest.raises(RpcError, match="Invalid subscription id"):
        subscriptions.answer("signatureUnsubscribe", Params([0]))


def test_logs_of_all_or_of_those_that_mention_an_address(bank, subscriptions, close_slot, pay):
    to = Pubkey.new_unique()
    level = {"commitment": "processed"}
    subscriptions.answer("logsSubscribe", Params(["all", level]))
    subscriptions.answer("logsSubscribe", Params([{"mentions": [str(to)]}, level]))
    close_slot()
    hit = bank.execute(pay(bank, to)).signature
    miss = bank.execute(pay(bank, Pubkey.new_unique())).signature
    told = [(item.subscription, item.result.value.signature) for item in close_slot()]
    assert told == [(0, hit), (0, miss), (1, hit)]


def test_slots_and_roots_are_told_each_once(bank, subscriptions, close_slot):
    subscriptions.answer("slotSubscribe", Params([]))
    subscriptions.answer("rootSubscribe", Params([]))
    slots, roots = [], []
    for _ in range(6):
        for item in close_slot():
            (slots if item.subscription == 0 else roots).append(item.result)
    assert [item.slot for item in slots] == [1, 2, 3, 4, 5, 6]
    assert roots == [0, 1, 2, 3]


def test_unsubscribing_ends_it(subscriptions, close_slot):
    number = subscriptions.answer("slotSubscribe", Params([]))
    with pytest.raises(RpcError, match="Invalid subscription id"):
        subscriptions.answer("rootUnsubscribe", Params([number]))
    assert subscriptions.answer("slotUnsubscribe", Params([number])) is True
    assert close_slot() == []


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("blockSubscribe", ["all"], -32601),
        ("getSlot", [], -32601),
        ("Unsubscribe", [1], -32601),
        ("accountSubscribe", [], -32602),
        ("signatureSubscribe", ["x"], -32602),
        ("logsSubscribe", [{"mentions": []}], -32602),
        ("logsSubscribe", [{"mentions": ["a", "b"]}], -32602),
        ("logsSubscribe", ["some"], -32602),
        ("slotUnsubscribe", ["0"], -32602),
    ],
)
def test_what_cannot_be_subscribed_is_refused(subscriptions, method, params, code):
    with pytest.raises(RpcError) as refused:
        subscriptions.answer(method, Params(params))
    assert refused.value.code == code


def test_a_connection_has_a_bounded_number_of_subscriptions(subscriptions):
    for _ in range(SUBSCRIPTIONS_MAX):
        subscriptions.answer("slotSubscribe", Params([]))
    with pytest.raises(RpcError, match="at most"):
        subscriptions.answer("slotSubscribe", Params([]))


async def _ask(ws, method, *params):
    await ws.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    while True:
        message = await ws.receive_json()
        if "id" in message:
            return message


async def test_notifications_arrive_over_a_real_socket(network):
    to = Keypair().pubkey()
    level = {"commitment": "confirmed", "encoding": "base64"}
    with trio.fail_after(30):
        async with aconnect_ws(network.ws_url) as ws:
            assert (await _ask(ws, "accountSubscribe", str(to), level))["result"] == 0
            signature = network.bank.airdrop(to, SOL)
            assert (await _ask(ws, "signatureSubscribe", str(signature), level))["result"] == 1
            told = {}
            while len(told) < 2:
                message = await ws.receive_json()
                told[message["method"]] = message["params"]["result"]["value"]
            assert told["accountNotification"]["lamports"] == SOL
            assert told["signatureNotification"] == {"err": None}


async def test_websockets_work_on_the_http_port_as_well(network):
    with trio.fail_after(30):
        async with aconnect_ws(network.url.replace("http", "ws")) as ws:
            await _ask(ws, "slotSubscribe")
            assert (await ws.receive_json())["method"] == "slotNotification"


async def test_malformed_messages_are_answered_and_the_connection_lives(network):
    with trio.fail_after(30):
        async with aconnect_ws(network.ws_url) as ws:
            await ws.send_text("{")
            assert (await ws.receive_json())["error"]["code"] == -32700
            await ws.send_json([])
            assert (await ws.receive_json())["error"]["code"] == -32600
            assert (await _ask(ws, "getSlot"))["error"]["code"] == -32601
            await ws.send_json([{"id": 1, "method": "slotSubscribe"}, {"id": 2, "method": "no"}])
            assert [reply["id"] for reply in await ws.receive_json()] == [1, 2]


async def test_a_binary_frame_ends_the_connection_and_not_the_server(network):
    with trio.fail_after(30):
        async with aconnect_ws(network.ws_url) as ws:
            await ws.send_bytes(b"\0")
            with pytest.raises(WebSocketDisconnect):
                await ws.receive_json()
        async with aconnect_ws(network.ws_url) as ws:
            assert "result" in await _ask(ws, "slotSubscribe")


def test_a_client_too_far_behind_is_given_up(node):
    outbox, _pending = trio.open_memory_channel(2)
    connection = Connection(node, outbox)
    for number in range(2):
        connection.post(number)
    assert not connection.is_behind
    connection.post(3)
    assert connection.is_behind
    outbox.close()
    connection.post(4)


def test_data_is_base64_whatever_the_client_forgot_to_ask(bank, subscriptions):
    address, program = Pubkey.new_unique(), Pubkey.new_unique()
    subscriptions.answer("accountSubscribe", Params([str(address), {"commitment": "processed"}]))
    bank.set_account(address, Account(SOL, bytes(200), program))
    (message,) = subscriptions.due()
    data = message["params"]["result"]["value"]["data"]
    assert data == [b64encode(bytes(200)).decode(), "base64"]
