"""Tables tended over sockets on the local network, and on a virtual clock where nodes and landings fail."""

import struct
from fractions import Fraction

import pytest
import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from structlog.testing import capture_logs

from keeper.fees import NoBid
from keeper.land_steps import NothingKept
from keeper.newest import Newest
from keeper.tables import carry_out, read_tables, tend_tables
from programs.in_flight import InFlight, Pace
from programs.localnet.bank import BankConfig
from programs.localnet.server import LocalnetConfig, serve
from programs.lookup_tables import TableShelf
from programs.outcomes import Expired, Failed, Landed, SignedBatch
from programs.rent import RentRate
from programs.rpc import ProgramAccounts, RpcBadReply, RpcUnreachable
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.submit import land, submit
from programs.table_plan import plan_tables
from programs.transaction import compile_message, sign
from tests.programs.table_chain import MARKER, SHARED, group, wanted

HANG_S = 30
OWNER = Keypair.from_seed(bytes([8] * 32))
RENT = RentRate(lamports_per_byte=Fraction(6_960))
SIGNATURE = Signature.default()
LANDED = Landed(
    signature=SIGNATURE, slot=1, cu_used=1, fee_lamports=5_000, logs=(), is_finalized=False
)


@pytest.fixture
async def rpc(nursery):
    bank = BankConfig(slot_ms=20, confirmed_slots=1, finality_slots=3)
    airdrops = ((OWNER.pubkey(), 10**10),)
    network = await nursery.start(serve, LocalnetConfig(port=0, bank=bank, airdrops=airdrops))
    async with open_rpc([network.url], RpcSettings()) as rpc:
        with trio.fail_after(HANG_S):
            # Before the first finalized slot there is none to create a table from.
            while await rpc.get_slot("finalized") < 3:  # noqa: ASYNC110 - the network says it to those who ask
                await trio.sleep(0.02)
        yield rpc


@pytest.fixture
async def send(rpc, nursery):
    """Lands a step as a lane does: persisted nowhere, sent until the chain answers."""
    in_flight = InFlight()
    pace = Pace(poll_interval_s=0.02)
    await nursery.start(land, rpc, NothingKept(), in_flight, lambda: pace)

    async def send(step):
        latest = await rpc.get_latest_blockhash("confirmed")
        budget = step.budget(1)
        message = compile_message(OWNER.pubkey(), step.instructions, budget, latest.blockhash)
        batch = SignedBatch(
            lane="tables",
            jobs=(),
            transaction=sign(message, [OWNER]),
            latest=latest,
            budget=budget,
        )
        return await submit(NothingKept(), in_flight, batch)

    return send


async def wait_shelf(shelf, is_right):
    sequence = 0
    while True:
        sequence, found = await shelf.wait_newer(sequence)
        if is_right(found):
            return found


async def test_tables_are_made_extended_put_to_use_and_retired_on_a_network(rpc, send):
    wants, shelf = Newest(), Newest()
    groups = [group(n) for n in range(20)]
    with trio.fail_after(HANG_S):
        async with trio.open_nursery() as tending:
            tending.start_soon(tend_tables, rpc, send, OWNER.pubkey(), RENT, wants, shelf, 0.02)
            wants.publish(wanted(*groups))
            held = {MARKER, *SHARED, *(one for each in groups for one in each)}
            ready = await wait_shelf(
                shelf, lambda found: found.tables and found.tables[0].members == held
            )
            assert len(ready.tables) == 1
            wants.publish(wanted())
            await wait_shelf(shelf, lambda found: not found.tables)
            tending.cancel_scope.cancel(reason="retired")
    (retired,) = (await read_tables(rpc, OWNER.pubkey())).found
    assert retired.deactivated_slot is not None


async def test_a_restart_finds_the_tables_that_are_there_and_makes_none_anew(rpc, send):
    want = wanted(group(0))
    with trio.fail_after(HANG_S):
        for _ in range(2):
            wants, shelf = Newest(), Newest()
            wants.publish(want)
            async with trio.open_nursery() as tending:
                tending.start_soon(tend_tables, rpc, send, OWNER.pubkey(), RENT, wants, shelf, 0.02)
                await wait_shelf(shelf, lambda found: found.tables)
                tending.cancel_scope.cancel(reason="killed")
    assert len((await read_tables(rpc, OWNER.pubkey())).found) == 1


class ScriptedTables:
    """A node that has no tables, or fails as told."""

    def __init__(self, *, failures=0, skipped=0, hashes=True, accounts=()):
        self.failures, self.skipped, self.hashes = failures, skipped, hashes
        self.accounts = list(accounts)
        self.reads = []

    async def get_account(self, _address, _commitment):
        await trio.lowlevel.checkpoint()
        self.reads.append(trio.current_time())
        if len(self.reads) <= self.failures:
            raise RpcUnreachable("down")
        slots = b"".join(slot.to_bytes(8, "little") + bytes(32) for slot in range(99, 90, -1))
        return Readable((9).to_bytes(8, "little") + slots) if self.hashes else None

    async def get_program_accounts(self, _program, _commitment, *, filters):
        await trio.lowlevel.checkpoint()
        assert filters == [{"memcmp": {"offset": 22, "bytes": str(OWNER.pubkey())}}]
        return ProgramAccounts(slot=100, accounts=self.accounts, skipped=self.skipped)


class Readable:
    def __init__(self, data):
        self.data = data


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (ScriptedTables(skipped=1), "1 of our lookup tables could not be read"),
        (ScriptedTables(hashes=False), "SlotHashes sysvar names 0 slots"),
    ],
)
async def test_a_reading_with_gaps_is_no_reading(node, words):
    with pytest.raises(RpcBadReply, match=words):
        await read_tables(node, OWNER.pubkey())


async def test_a_node_that_fails_is_asked_again_soon_and_nothing_is_sent_meanwhile(autojump_clock):
    node, wants, sent = ScriptedTables(failures=3), Newest(), []

    async def send(step):
        await trio.lowlevel.checkpoint()
        sent.append((trio.current_time(), step.kind))
        return LANDED

    begun = trio.current_time()
    wants.publish(wanted(group(0)))
    with trio.move_on_after(15.1):
        await tend_tables(node, send, OWNER.pubkey(), RENT, wants, Newest(), 0.4)
    assert [round(at - begun) for at in node.reads[:4]] == [0, 5, 10, 15]
    assert [(round(at - begun), kind) for at, kind in sent[:1]] == [(15, "create")]


async def test_nothing_is_read_or_retired_before_something_is_wanted(autojump_clock):
    node = ScriptedTables()
    with trio.move_on_after(1_000):
        await tend_tables(node, None, OWNER.pubkey(), RENT, Newest(), Newest(), 0.4)
    assert node.reads == []


@pytest.mark.parametrize(
    ("outcome", "event", "landed"),
    [
        (LANDED, "table.changed", 1),
        (
            Failed(
                signature=SIGNATURE,
                slot=1,
                err={"InstructionError": [3, "InvalidArgument"]},
                cu_used=1,
                fee_lamports=5_000,
                logs=(),
                is_finalized=False,
            ),
            "table.refused",
            0,
        ),
        (Expired(signature=SIGNATURE, reason="no node took it"), "table.unsent", 0),
        (NoBid(reason="it costs more than it is worth"), "table.unsent", 0),
        (NoBid(reason="the hour is spent", kind="hourly_spend_cap"), "table.unsent", 0),
    ],
)
async def test_every_end_of_a_step_is_told_a_cap_only_to_who_wants_all(outcome, event, landed):
    steps = plan_tables(wanted(group(0)), [], [9], OWNER.pubkey(), RENT).steps

    async def send(_step):
        await trio.lowlevel.checkpoint()
        return outcome

    with capture_logs() as logs:
        assert await carry_out(send, steps) == landed
    assert [entry["event"] for entry in logs] == [event]
    is_capped = isinstance(outcome, NoBid) and outcome.kind == "hourly_spend_cap"
    assert is_capped == (logs[0]["log_level"] == "debug")


async def test_a_step_that_never_lands_is_planned_anew_at_leisure(autojump_clock):
    node, wants, sent = ScriptedTables(), Newest(), []

    async def send(step):
        await trio.lowlevel.checkpoint()
        sent.append(step.kind)
        return Expired(signature=SIGNATURE, reason="lost")

    wants.publish(wanted(group(0)))
    with trio.move_on_after(21):
        await tend_tables(node, send, OWNER.pubkey(), RENT, wants, Newest(), 0.4)
    assert sent == ["create"] * 5


async def test_what_gets_no_place_is_told(autojump_clock):
    wants = Newest()
    wants.publish(wanted(group(0), cap=1))
    with capture_logs() as logs, trio.move_on_after(1):
        await tend_tables(ScriptedTables(), None, OWNER.pubkey(), RENT, wants, Newest(), 0.4)
    (told,) = [entry for entry in logs if entry["event"] == "table.unplaced"]
    assert "would pass the cap" in told["reason"]


async def test_addresses_added_in_the_slot_that_was_read_are_looked_for_in_the_next_one(
    autojump_clock,
):
    meta = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 100, 0, 1, bytes(OWNER.pubkey()), 0)
    held = b"".join(map(bytes, (MARKER, *SHARED, *group(0))))
    node = ScriptedTables(accounts=[(bytes(Pubkey.default()), meta + held)])
    wants, shelf = Newest(), Newest()
    wants.publish(wanted(group(0)))
    with trio.move_on_after(1):
        await tend_tables(node, None, OWNER.pubkey(), RENT, wants, shelf, 0.4)
    assert len(node.reads) == 3
    assert shelf.get() == TableShelf()


@pytest.mark.parametrize("data", [b"short", bytes(56)], ids=["short", "of another kind"])
async def test_an_account_that_is_no_table_spoils_the_reading(data):
    node = ScriptedTables(accounts=[(bytes(Pubkey.default()), data)])
    with pytest.raises(RpcBadReply, match="11111111"):
        await read_tables(node, OWNER.pubkey())
