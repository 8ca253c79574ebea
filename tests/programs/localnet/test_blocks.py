"""`Rpc.get_block` and pages of signatures: against the local network in memory, and replies that no network gives."""

from base64 import b64encode

import pytest
import trio
from solders.pubkey import Pubkey

from keeper.drills.memory_net import MemoryNet
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc import RpcBadReply, RpcError, RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_replies import parse_reply, read_block
from programs.rpc_settings import RpcSettings

SLOT_S = 0.1
SOL = 10**9


@pytest.fixture
async def chain(nursery, autojump_clock, payer):
    bank = BankConfig(slot_ms=100, confirmed_slots=1, finality_slots=4, records_max=6)
    with MemoryNet().plugged_in():
        chain = await nursery.start(serve, LocalnetConfig(port=0, bank=bank, endpoints=2))
        chain.bank.airdrop(payer.pubkey(), 1_000 * SOL)
        await trio.sleep(3 * SLOT_S)
        yield chain


def asking(chain):
    urls = [address.url for address in chain.addresses]
    settings = RpcSettings(try_timeout_s=2, read_deadline_s=6, backoff_first_s=0.01)
    return open_rpc(urls, settings, draw=lambda: 0.5)


async def land(chain, rpc, pay, count):
    sent = [pay(chain.bank, Pubkey.new_unique()) for _ in range(count)]
    for one in sent:
        await rpc.send_transaction(bytes(one))
    await trio.sleep(8 * SLOT_S)
    return [one.signatures[0] for one in sent]


async def test_a_block_has_its_transactions_in_order_with_what_they_did(chain, pay):
    async with asking(chain) as rpc:
        sent = await land(chain, rpc, pay, 3)
        whole = {one: await rpc.get_transaction(one) for one in sent}
        facts = whole[sent[0]]
        block = await rpc.get_block(facts.slot, "finalized")
    landed_with_it = [one for one in sent if whole[one].slot == facts.slot]
    assert [each.signature for each in block.transactions] == landed_with_it
    assert block.transactions[0].facts == facts
    assert (facts.err, facts.fee_lamports) == (None, 5_000)
    assert facts.logs[0].endswith("invoke [1]")
    assert facts.cu_used > 0
    assert block.parent == block.slot - 1


async def test_a_slot_is_skipped_when_every_endpoint_says_so(chain):
    async with asking(chain) as rpc:
        chain.bank.fork(2)
        await trio.sleep(8 * SLOT_S)
        newest = chain.bank.slot
        gone = [slot for slot in range(newest) if chain.bank.is_skipped(slot)]
        assert len(gone) == 2
        assert await rpc.get_block(gone[0], "finalized") is None
        asked = [sum(each.failures.values()) for each in rpc.statistics()]
        assert asked == [1, 1]
        # One alone may merely not have it: while the other may still answer, that is no certainty.
        chain.trouble.asked.spoil_next("cut", 2, endpoint=1, method="getBlock")
        with pytest.raises(RpcFailure):
            await rpc.get_block(gone[0], "finalized")


async def test_a_block_that_is_no_longer_kept_or_not_there_yet_is_a_failure(chain, pay):
    async with asking(chain) as rpc:
        (first, *_) = await land(chain, rpc, pay, 3)
        slot = (await rpc.get_transaction(first)).slot
        await land(chain, rpc, pay, 6)
        with pytest.raises(RpcError, match="cleaned up") as gone:
            await rpc.get_block(slot, "finalized")
        assert gone.value.code == -32001
        with pytest.raises(RpcFailure, match="not available"):
            await rpc.get_block(chain.bank.slot + 1_000, "finalized")


async def test_signatures_are_read_page_by_page_between_two_of_them(chain, pay, payer):
    async with asking(chain) as rpc:
        sent = await land(chain, rpc, pay, 5)
        pages, before = [], None
        while page := await rpc.get_signatures_for_address(
            payer.pubkey(), limit=2, before=before, until=sent[0], commitment="finalized"
        ):
            pages.append([each.signature for each in page])
            before = page[-1].signature
    assert pages == [[sent[4], sent[3]], [sent[2], sent[1]]]


GOOD = {"parentSlot": 4, "blockhash": str(Pubkey.default()), "transactions": []}


@pytest.mark.parametrize(
    "lie",
    [
        {"parentSlot": 5},
        {"parentSlot": None},
        {"transactions": None},
        {"transactions": [{"transaction": ["AA==", "base64"], "meta": {"err": None, "fee": 1}}]},
        {"transactions": [{"transaction": ["AA==", "base64"], "meta": None}]},
        {"blockhash": "short"},
    ],
)
def test_a_block_that_no_chain_can_have_is_refused(lie):
    assert parse_reply(lambda found: read_block(found, 5), "getBlock", GOOD).transactions == ()
    with pytest.raises(RpcBadReply, match="getBlock: unexpected result"):
        parse_reply(lambda found: read_block(found, 5), "getBlock", GOOD | lie)


def test_a_block_with_a_transaction_twice_is_refused(bank, pay):
    wire = b64encode(bytes(pay(bank, Pubkey.default()))).decode()
    entry = {"transaction": [wire, "base64"], "meta": {"err": None, "fee": 5_000}}
    with pytest.raises(RpcBadReply, match="stands twice"):
        parse_reply(
            lambda found: read_block(found, 5), "getBlock", GOOD | {"transactions": [entry, entry]}
        )
