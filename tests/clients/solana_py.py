"""What a program written for solana-py and asyncio does with a cluster. Prints one JSON object: what it saw.

Usage: python solana_py.py HTTP_URL WS_URL
"""

import asyncio
import json
import struct
import sys

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.models import DataSliceOpts, MemcmpOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.address_lookup_table_account import AddressLookupTable, AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

SOL = 10**9
TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


def table_steps(payer, recent_slot, addresses):
    seeds = [bytes(payer), struct.pack("<Q", recent_slot)]
    table, bump = Pubkey.find_program_address(seeds, TABLES)
    accounts = [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(payer, is_signer=True, is_writable=False),
        AccountMeta(payer, is_signer=True, is_writable=True),
        AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
    ]
    create = struct.pack("<IQB", 0, recent_slot, bump)
    extend = struct.pack("<IQ", 2, len(addresses)) + b"".join(map(bytes, addresses))
    return table, [Instruction(TABLES, data, accounts) for data in (create, extend)]


async def told(socket, kind):
    """The first notification of a kind; others are passed over."""
    async for message in socket:
        if type(message).__name__ == kind:
            return message.result
    raise AssertionError(f"the connection ended before a {kind}")


async def land(client, payer, steps, tables=()):
    latest = (await client.get_latest_blockhash()).value
    message = MessageV0.try_compile(payer.pubkey(), steps, list(tables), latest.blockhash)
    signature = (await client.send_transaction(VersionedTransaction(message, [payer]))).value
    await client.confirm_transaction(
        signature,
        Confirmed,
        sleep_seconds=0.02,
        last_valid_block_height=latest.last_valid_block_height,
    )
    return signature, message


async def hear(client, socket, payer, to):
    """Airdrop, transfer, and what the websocket says of both."""
    airdrop = (await client.request_airdrop(payer.pubkey(), 10 * SOL)).value
    await socket.signature_subscribe(signature=airdrop, commitment=Confirmed)
    assert (await told(socket, "SignatureNotification")).value.err is None
    assert (await client.get_balance(payer.pubkey())).value == 10 * SOL
    await socket.slot_subscribe()
    assert (await told(socket, "SlotNotification")).slot > 0
    await socket.root_subscribe()
    assert await told(socket, "RootNotification") > 0
    mentions = RpcTransactionLogsFilterMentions(to)
    await socket.logs_subscribe(filter_=mentions, commitment=Confirmed)
    budget = [set_compute_unit_limit(1_000), set_compute_unit_price(1_000_000)]
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=SOL))
    paid, message = await land(client, payer, [*budget, pay])
    logs = (await told(socket, "LogsNotification")).value
    assert logs.signature == paid
    assert (await client.get_fee_for_message(message)).value == 6_000
    assert any(
        fee.prioritization_fee == 1_000_000
        for fee in (await client.get_recent_prioritization_fees([to])).value
    )
    return {"logs": len(logs.logs)}


async def use_table(client, payer, to):
    """A lookup table made, found and used, and what landed read back."""
    others = [Keypair().pubkey() for _ in range(2)]
    recent = (await client.get_slot(Confirmed)).value - 1
    table, steps = table_steps(payer.pubkey(), recent, others)
    await land(client, payer, steps)
    found = (await client.get_account_info(table)).value
    assert AddressLookupTable.deserialize(found.data).addresses == others
    payments = [
        transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=each, lamports=2_000_000))
        for each in others
    ]
    tables = [AddressLookupTableAccount(table, others)]
    landed, message = await land(client, payer, payments, tables)
    assert message.address_table_lookups
    latest = (await client.get_latest_blockhash()).value
    again = MessageV0.try_compile(payer.pubkey(), payments, [], latest.blockhash)
    simulated = (await client.simulate_transaction(VersionedTransaction(again, [payer]))).value
    assert simulated.err is None
    assert (await client.get_signature_statuses([landed])).value[0].err is None
    read = (await client.get_transaction(landed, max_supported_transaction_version=0)).value
    assert set(read.transaction.meta.loaded_addresses.writable) == set(others)
    block = (await client.get_block(read.slot, max_supported_transaction_version=0)).value
    assert block.parent_slot == read.slot - 1
    listed = (await client.get_signatures_for_address(others[0])).value
    assert [each.signature for each in listed] == [landed]
    owned = await client.get_program_accounts(
        TABLES,
        encoding="base64",
        filters=[MemcmpOpts(offset=22, bytes=str(payer.pubkey()))],
        data_slice=DataSliceOpts(offset=56, length=32),
    )
    assert [(each.pubkey, each.account.data) for each in owned.value] == [(table, bytes(others[0]))]
    many = (await client.get_multiple_accounts([to, Keypair().pubkey()])).value
    assert [each and each.lamports for each in many] == [SOL, None]
    return {"simulated_cu": simulated.units_consumed}


async def talk(client, socket):
    payer, to = Keypair(), Keypair().pubkey()
    seen = await hear(client, socket, payer, to) | await use_table(client, payer, to)
    assert (await client.get_epoch_info()).value.slots_in_epoch == 432_000
    return seen | {"version": (await client.get_version()).value.solana_core}


async def main(url, ws_url):
    async with AsyncClient(url, Confirmed) as client, SolanaWsClient(ws_url) as socket:
        print(json.dumps(await talk(client, socket)))  # noqa: T201 - its output is what the test reads


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
