"""The network over real sockets, used by clients that know nothing of it."""

import json
import socket

import httpx
import pytest
import trio
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import MemcmpOpts, TokenAccountOpts, TxOpts
from solders.account import Account
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID

from programs.localnet.listen import ListenError
from programs.localnet.server import LocalnetConfig, serve

SOL = 10**9


async def _until_confirmed(client, signature):
    with trio.fail_after(30):
        while True:
            status = (await client.get_signature_statuses([signature])).value[0]
            if status is not None and status.confirmations != 0:
                return status
            await trio.sleep(0.01)


async def test_solana_py_airdrops_transfers_and_reads_back(network):
    payer, to = Keypair(), Pubkey.new_unique()
    async with AsyncClient(network.url, Confirmed) as client:
        assert await client.is_connected()
        await _until_confirmed(client, (await client.request_airdrop(payer.pubkey(), SOL)).value)
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL // 4)
        message = Message.new_with_blockhash([transfer(params)], payer.pubkey(), blockhash)
        transaction = VersionedTransaction(message, [payer])
        signature = (await client.send_transaction(transaction)).value
        assert (await _until_confirmed(client, signature)).err is None
        assert (await client.get_balance(to)).value == SOL // 4
        found = await client.get_transaction(signature, commitment=Confirmed)
        assert found.value.transaction.meta.fee == 5_000
        listed = await client.get_signatures_for_address(to, commitment=Confirmed)
        assert [item.signature for item in listed.value] == [signature]
        with pytest.raises(RPCException, match="already been processed"):
            await client.send_transaction(transaction)
        again = await client.send_transaction(transaction, TxOpts(skip_preflight=True))
        assert again.value == signature


async def test_spl_builders_make_a_mint_and_an_account_that_read_back(network, new_token):
    payer, mint = Keypair(), Keypair()
    async with AsyncClient(network.url, Processed) as client:
        await client.request_airdrop(payer.pubkey(), SOL)
        rent = (await client.get_minimum_balance_for_rent_exemption(82)).value
        steps, holder = new_token(rent, payer.pubkey(), mint.pubkey(), 2_500_000)
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        message = MessageV0.try_compile(payer.pubkey(), steps, [], blockhash)
        await client.send_transaction(VersionedTransaction(message, [payer, mint]))
        balance = (await client.get_token_account_balance(holder)).value
        assert (balance.amount, balance.ui_amount_string) == ("2500000", "2.5")
        assert (await client.get_token_supply(mint.pubkey())).value.amount == "2500000"
        of_mint = TokenAccountOpts(mint=mint.pubkey())
        owned = await client.get_token_accounts_by_owner_json_parsed(payer.pubkey(), of_mint)
        assert owned.value[0].account.data.parsed["info"]["mint"] == str(mint.pubkey())
        filters = [165, MemcmpOpts(offset=32, bytes=str(payer.pubkey()))]
        accounts = await client.get_program_accounts(
            TOKEN_PROGRAM_ID, encoding="base64", filters=filters
        )
        assert [item.pubkey for item in accounts.value] == [holder]


async def test_slots_advance_by_the_clock(network):
    async with AsyncClient(network.url, Processed) as client:
        before = (await client.get_slot()).value
        await trio.sleep(0.1)
        assert before + 3 <= (await client.get_slot()).value <= before + 15


async def test_what_the_network_starts_with_is_final(nursery):
    rich = Pubkey.new_unique()
    config = LocalnetConfig(port=0, airdrops=((rich, SOL),))
    network = await nursery.start(serve, config)
    async with AsyncClient(network.url) as client:
        assert (await client.get_balance(rich)).value == SOL


@pytest.fixture
async def http(network):
    async with httpx.AsyncClient(base_url=network.url) as client:
        yield client


def _slot(identity):
    return {"jsonrpc": "2.0", "id": identity, "method": "getSlot"}


async def test_a_batch_is_answered_in_order_without_its_notifications(http):
    silent = {"jsonrpc": "2.0", "method": "getSlot"}
    batch = [_slot(1), silent, {"jsonrpc": "2.0", "id": 2, "method": "nothing"}, _slot("c"), 5]
    replies = (await http.post("/", json=batch)).json()
    assert [reply["id"] for reply in replies] == [1, 2, "c", None]
    assert replies[1]["error"] == {"code": -32601, "message": "Method not found"}
    assert replies[3]["error"]["code"] == -32600
    assert (await http.post("/", json=[silent])).content == b""


async def test_bad_requests_get_an_answer_and_the_server_goes_on(http):
    as_json = {"content-type": "application/json"}
    bad = await http.post("/", content=b"{", headers=as_json)
    assert bad.json()["error"] == {"code": -32700, "message": "Parse error"}
    assert (await http.post("/", content=b"[]", headers=as_json)).json()["error"]["code"] == -32600
    assert (
        await http.post("/", content=b"{}", headers={"content-type": "text/plain"})
    ).status_code == 415
    assert (await http.post("/", content=b" " * 1_000_001, headers=as_json)).status_code == 413
    assert (await http.get("/")).status_code == 405
    assert (await http.get("/nothing")).status_code == 404
    assert (await http.get("/health")).text == "ok"
    assert "result" in (await http.post("/", json=_slot(1))).json()


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\r\n\r\n",
        b"GET \xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"A" * 100_000,
    ],
)
async def test_bytes_that_are_no_request_do_not_stop_the_server(network, http, raw):
    async with await trio.open_tcp_stream("127.0.0.1", network.port) as stream:
        try:
            await stream.send_all(raw)
            await stream.send_eof()
            with trio.move_on_after(2):
                while await stream.receive_some():
                    pass
        except trio.BrokenResourceError:
            pass  # the server may hang up at once
    assert "result" in (await http.post("/", json=_slot(1))).json()


async def test_many_requests_share_one_connection(http):
    for number in range(30):
        assert (await http.post("/", json=_slot(number))).json()["id"] == number


async def test_a_taken_port_is_one_sentence_that_names_it(network):
    for config in (
        LocalnetConfig(port=network.port),
        LocalnetConfig(port=0, ws_port=network.port),
    ):
        with pytest.raises(ListenError, match=f"port {network.port} on 127.0.0.1 is in use"):
            await serve(config)


async def test_a_foreign_address_is_one_sentence():
    with pytest.raises(ListenError, match="choose an address of this machine"):
        await serve(LocalnetConfig(host="203.0.113.1", port=0))


async def test_a_cancelled_network_frees_its_ports_and_connections():
    async with trio.open_nursery() as nursery:
        network = await nursery.start(serve, LocalnetConfig(port=0))
        async with AsyncClient(network.url) as client:
            await client.get_slot()
            nursery.cancel_scope.cancel()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", network.port))


async def test_the_websocket_port_answers_http_as_well(network):
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{network.ws_port}"
        assert "result" in (await client.post(url, json=_slot(1))).json()
    assert network.ws_port == network.port + 1


async def test_large_replies_arrive_whole(network):
    program = Pubkey.new_unique()
    for _ in range(40):
        network.bank.set_account(Pubkey.new_unique(), Account(SOL, bytes(100_000), program))
    async with httpx.AsyncClient(timeout=30) as client:
        body = {
            "id": 1,
            "method": "getProgramAccounts",
            "params": [str(program), {"encoding": "base64", "commitment": "processed"}],
        }
        reply = await client.post(network.url, json=body)
        assert len(json.loads(reply.content)["result"]) == 40
