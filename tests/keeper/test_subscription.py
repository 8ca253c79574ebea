"""keeper/subscription.py and watch.py over the sockets of a local network: told, cut off, misled, and mended by scans."""

import json
from functools import partial

import numpy as np
import pytest
import trio
from scripted import PROGRAM, USD, market_row, position_row
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.account_book import AccountBook
from keeper.account_notices import (
    Acknowledged,
    SlotBegan,
    UnreadableMessageError,
    read_message,
    requests,
)
from keeper.continuity import Continuity, Gap
from keeper.newest import Newest
from keeper.platform_state import Notice
from keeper.scan import scan
from keeper.subscription import Listening
from keeper.tally import Tally
from keeper.watch import ScanPace, watch_chain
from programs.addresses import global_address, vault_address
from programs.layout import GLOBAL_DTYPE, VAULT_DTYPE, AccountKind
from programs.localnet.bank import BankConfig
from programs.localnet.faults import FaultProfile, StreamFaults
from programs.localnet.server import LocalnetConfig, serve
from programs.rpc_http import RpcSettings, open_rpc

PATIENCE_S = 25.0
SLOT_S = 0.05
NEVER_S = 3_600.0


def singleton(dtype, kind):
    row = np.zeros(1, dtype)
    row["kind"], row["version"] = kind, 1
    return row.tobytes()


class Watched:
    """A local network with a platform on it, and a watch over it."""

    def __init__(self, localnet, rpc):
        self.localnet, self.rpc, self.bank = localnet, rpc, localnet.bank
        self.chain, self.tally = Newest(), Tally()
        self.put(bytes(global_address(PROGRAM)[0]), singleton(GLOBAL_DTYPE, AccountKind.GLOBAL))
        self.put(bytes(vault_address(PROGRAM)[0]), singleton(VAULT_DTYPE, AccountKind.VAULT))
        self.put(*market_row(0, slot=self.bank.slot, price_e6=900_000))

    def put(self, address, data):
        account = Account(10**9, data, PROGRAM, executable=False)
        self.bank.set_account(Pubkey.from_bytes(address), account)

    async def watch(self, *, interval_s=NEVER_S, calm_interval_s=NEVER_S):
        pace = ScanPace(interval_s=interval_s, calm_interval_s=calm_interval_s)
        listening = Listening(urls=[self.localnet.ws_url], silent_after_s=1.0)
        await watch_chain(self.rpc, PROGRAM, self.tally, pace, self.chain, listening)

    async def until(self, is_so):
        sequence = 0
        with trio.fail_after(PATIENCE_S):
            while True:
                sequence, snapshot = await self.chain.wait_newer(sequence)
                if is_so(snapshot):
                    return snapshot

    async def until_calm(self):
        """Wait until scans have stopped, for everything is told."""
        with trio.fail_after(PATIENCE_S):
            before = -1
            while before != self.tally.scans or not before:
                before = self.tally.scans
                await trio.sleep(10 * SLOT_S)
        return before


@pytest.fixture(params=[StreamFaults()])
async def watched(nursery, request):
    config = LocalnetConfig(
        port=0,
        bank=BankConfig(slot_ms=int(SLOT_S * 1_000), finality_slots=4),
        faults=FaultProfile(streams=request.param),
        is_armed=False,
    )
    localnet = await nursery.start(serve, config)
    async with open_rpc([localnet.url], RpcSettings()) as rpc:
        yield Watched(localnet, rpc)
    nursery.cancel_scope.cancel()


async def test_what_is_told_is_judged_without_another_scan(watched, nursery):
    nursery.start_soon(partial(watched.watch, interval_s=0.1))
    scans = await watched.until_calm()
    put_at, told = watched.bank.slot, watched.tally.accounts_told
    watched.put(*position_row(1, debt=95 * USD))
    seen = await watched.until(lambda snapshot: len(snapshot.positions))
    assert seen.assessed.index.tolist() == [0]
    assert bytes(seen.position_address(0)) == position_row(1)[0]

    watched.put(*market_row(0, slot=watched.bank.slot, price_e6=990_000))
    await watched.until(lambda snapshot: not len(snapshot.assessed.index))
    await watched.until(lambda snapshot: snapshot.slot > put_at)  # slots are told, too
    assert (watched.tally.scans, watched.tally.accounts_told) == (scans, told + 2)


@pytest.mark.parametrize("watched", [StreamFaults(cut_bps=10_000)], indirect=True)
async def test_scans_take_over_while_every_connection_is_cut(watched, nursery):
    nursery.start_soon(partial(watched.watch, interval_s=0.1))
    scans = await watched.until_calm()

    watched.localnet.trouble.arm()
    watched.put(*position_row(1))
    await watched.until(lambda snapshot: len(snapshot.positions) == 1)
    await watched.until(lambda _: watched.tally.scans >= scans + 3)

    assert watched.tally.refusals["stream.stream_closed"]


@pytest.mark.parametrize("watched", [StreamFaults(silent_bps=10_000)], indirect=True)
async def test_a_silent_subscription_is_given_up_and_was_never_relied_on(watched, nursery):
    watched.localnet.trouble.arm()
    nursery.start_soon(partial(watched.watch, interval_s=0.1))
    await watched.until(lambda _: watched.tally.refusals["stream.stream_silent"])

    assert watched.tally.scans > 3


@pytest.mark.parametrize("watched", [StreamFaults(lost_bps=2_000)], indirect=True)
async def test_forks_and_lost_notifications_end_in_what_a_fresh_scan_reads(watched, nursery):
    watched.localnet.trouble.arm()
    nursery.start_soon(partial(watched.watch, interval_s=0.1, calm_interval_s=1.0))
    await watched.until(lambda _: True)
    for number in range(30):
        watched.put(*position_row(number % 12, debt=(number % 9 + 1) * 10 * USD))
        if number % 10 == 9:
            watched.localnet.trouble.asked.fork(2, returning=False)
        await trio.sleep(SLOT_S)

    def held(snapshot):
        rows = np.flatnonzero(snapshot.positions["kind"])
        return {
            snapshot.addresses[row].tobytes(): snapshot.positions[row].tobytes() for row in rows
        }

    with trio.fail_after(PATIENCE_S):
        while True:
            fresh = held(await scan(watched.rpc, PROGRAM))
            if held(watched.chain.get()) == fresh:
                break
            await trio.sleep(2 * SLOT_S)
    assert fresh


# -- messages --


def notification(*, kind=4, data="BAE=", lamports=1, encoding="base64", subscription=7):
    account = {"data": [data, encoding], "lamports": lamports, "owner": str(PROGRAM)}
    value = {"pubkey": str(Pubkey.from_bytes(bytes([kind] * 32))), "account": account}
    result = {"context": {"slot": 9}, "value": value}
    params = {"result": result, "subscription": subscription}
    return json.dumps({"jsonrpc": "2.0", "method": "programNotification", "params": params})


def test_messages_are_read_for_what_they_say():
    kinds = {7: AccountKind.POSITION}
    address = bytes([4] * 32)
    slot = '{"method":"slotNotification","params":{"result":{"slot":5,"parent":3,"root":1},"subscription":1}}'

    assert read_message('{"jsonrpc":"2.0","result":23,"id":4}', {}) == Acknowledged(4, 23)
    assert read_message(slot, {}) == SlotBegan(5, 3)
    assert read_message(notification(), kinds) == Notice(kinds[7], address, b"\x04\x01", 9)
    for closed in (notification(lamports=0), notification(data="")):
        assert read_message(closed, kinds) == Notice(kinds[7], address, None, 9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "<html>",
        '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":4}',
        '{"method":"rootNotification","params":{}}',
        '{"method":"slotNotification","params":{"result":{"slot":-5,"parent":3}}}',
        '{"method":"slotNotification","params":{"result":{"slot":true,"parent":3}}}',
        '{"method":"slotNotification","params":{"result":{"slot":5,"parent":5}}}',
        '{"method":"slotNotification","params":{"result":{"slot":5,"parent":999999999999}}}',
        '{"method":"slotNotification","params":{"result":{"slot":18446744073709551616,"parent":3}}}',
        notification(subscription=8),
        notification(encoding="base58"),
        notification(data="B*E="),
    ],
)
def test_what_is_no_such_message_is_refused_in_words(text):
    with pytest.raises(UnreadableMessageError, match="found"):
        read_message(text, {7: AccountKind.POSITION})


def test_slots_are_subscribed_to_last():
    methods = [json.loads(request)["method"] for request in requests(PROGRAM)]
    assert methods == ["programSubscribe"] * 5 + ["slotSubscribe"]


# -- gaps --


def test_everything_is_known_from_a_scan_on_until_the_chain_of_slots_breaks():
    known = Continuity()
    known.note_scan(10)
    assert (known.known_slot, known.is_unbroken) == (10, False)
    assert known.note_slot(12, 11) is None
    assert (known.known_slot, known.is_unbroken) == (10, False)  # what happened in 11 is not known
    known.note_scan(12)
    assert (known.known_slot, known.is_unbroken) == (12, True)
    assert known.note_slot(13, 12) is None
    assert known.note_slot(14, 13) is None
    assert known.note_slot(13, 12) is None  # late
    assert (known.known_slot, known.is_unbroken) == (13, True)

    assert known.note_slot(16, 12) is Gap.FORK
    assert (known.known_slot, known.is_unbroken) == (12, False)
    known.note_scan(16)
    assert known.is_unbroken
    assert known.note_slot(19, 18) is Gap.LOST
    known.note_scan(18)
    assert not known.is_unbroken
    known.note_scan(19)
    assert known.note_flood() is Gap.FLOOD
    assert not known.is_unbroken
    known.note_scan(20)
    assert known.is_unbroken
    known.note_loss()
    assert not known.is_unbroken
    assert known.note_flood() is Gap.FLOOD


U64_MAX = 2**64 - 1


@pytest.mark.parametrize("lies", [[(U64_MAX, 13)], [(U64_MAX - 1, 13), (U64_MAX, U64_MAX - 1)]])
def test_a_slot_of_the_far_future_is_never_taken_for_known(lies):
    known = Continuity()
    known.note_slot(12, 11)
    known.note_scan(12)
    known.note_slot(13, 12)
    for slot, parent in lies:
        known.note_slot(slot, parent)
        assert known.known_slot <= 13
    known.note_loss()
    known.note_slot(21, 20)
    known.note_scan(21)
    assert (known.known_slot, known.is_unbroken) == (21, True)


def test_what_is_told_of_the_far_future_falls_with_the_next_scan():
    book = AccountBook()
    book.take_scan({b"market": b"true"}, 10)
    book.tell([(b"market", b"lie", U64_MAX), (b"made up", b"lie", U64_MAX)])
    book.take_scan({b"market": b"true"}, 11)
    assert book.accounts == {b"market": b"true"}
    book.tell([(b"market", b"newer", 12)])
    assert book.accounts == {b"market": b"newer"}
