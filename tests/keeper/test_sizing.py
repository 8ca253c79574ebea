"""keeper/sizing.py, on a virtual clock over a scripted cluster."""

import pytest
import trio
from scripted import PROGRAM, lane_of, open_world
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.execute import Shipment, job_refs
from keeper.fees import NoBid
from keeper.sizing import Sized, Unsized, is_about_tables, is_exhausted, note_end, size
from programs.cu_model import SAMPLES_LEAST
from programs.lookup_tables import LookupTable, TableShelf
from programs.outcomes import Expired, Failed, Landed
from programs.rpc import RpcTimeout

KIND, BOUND = "do", 50_000
SIMULATED_CU = 10_000
"""What the scripted cluster says of every simulation."""
TARGETS = tuple(Pubkey(bytes([number] * 32)) for number in (1, 2, 3))
OTHERS = tuple(Pubkey(bytes([number] * 32)) for number in (4, 5))
TABLES = tuple(LookupTable(Pubkey(bytes([number] * 32)), OTHERS) for number in (50, 51))
"""Of accounts that no transaction here names: the script's cluster cannot look any up."""
EXHAUSTED = {"InstructionError": [3, "ComputationalBudgetExceeded"]}
NO_TABLE = "AddressLookupTableNotFound"


def shipment(tables=()):
    metas = [AccountMeta(each, is_signer=False, is_writable=True) for each in TARGETS]
    return Shipment(
        jobs=job_refs(KIND, [(TARGETS[0], "once")]),
        due_at_s=(trio.current_time(),),
        instructions=(Instruction(PROGRAM, b"\x07", metas),),
        cu_limit=BOUND,
        loaded_bytes=32 << 10,
        tables=tables,
    )


def learn(kit):
    for _ in range(SAMPLES_LEAST):
        kit.cu_model.note_landed(KIND, BOUND, 20_000)


def landed(cu_used):
    return Landed(
        signature=Signature.default(),
        slot=1,
        cu_used=cu_used,
        fee_lamports=5_000,
        logs=(),
        is_finalized=False,
    )


def failed(err):
    return Failed(
        signature=Signature.default(),
        slot=1,
        err=err,
        cu_used=1,
        fee_lamports=5_000,
        logs=(),
        is_finalized=False,
    )


async def test_what_is_well_known_is_asked_for_without_a_simulation(autojump_clock):
    async with open_world() as world:
        lane = lane_of(world.kit, "prices")
        learn(lane.kit)
        sized = await size(lane, KIND, BOUND, shipment())
        assert isinstance(sized, Sized)
        assert (None, 0) == (sized.simulated, world.rpc.calls["simulate_transaction"])
        assert 20_000 < sized.shipment.cu_limit < 21_000


async def test_what_is_not_is_simulated_and_asked_for_with_a_margin(autojump_clock):
    async with open_world() as world:
        sized = await size(lane_of(world.kit, "prices"), KIND, BOUND, shipment())
        assert isinstance(sized, Sized)
        assert sized.simulated is not None
        assert SIMULATED_CU * 11 // 10 == sized.shipment.cu_limit


async def test_the_margin_may_follow_from_what_happened_in_the_simulation(autojump_clock):
    async with open_world() as world:
        seen = []

        def margin_bps(simulated):
            seen.append(simulated.cu_used)
            return 400

        lane = lane_of(world.kit, "prices")
        sized = await size(lane, KIND, BOUND, shipment(), margin_bps=margin_bps)
        assert isinstance(sized, Sized)
        assert ([SIMULATED_CU], 10_400) == (seen, sized.shipment.cu_limit)


async def test_the_fees_are_asked_for_while_the_node_simulates(autojump_clock):
    async with open_world() as world:
        lane = lane_of(world.kit, "prices")
        world.rpc.faults["simulate_transaction"] = [0.3]
        world.rpc.faults["get_recent_prioritization_fees"] = [0.2]
        begun_s = trio.current_time()
        sized = await size(lane, KIND, BOUND, shipment())
        assert isinstance(sized, Sized)
        assert 0.3 == pytest.approx(trio.current_time() - begun_s)
        await lane.purse.read_floor(world.rpc, "prices", TARGETS)
        assert 0.3 == pytest.approx(trio.current_time() - begun_s)
        assert 1 == world.rpc.calls["get_recent_prioritization_fees"]


async def test_a_silent_node_is_no_refusal_and_a_refusal_is_told_in_words(autojump_clock):
    async with open_world() as world:
        lane = lane_of(world.kit, "prices")
        world.rpc.faults["simulate_transaction"] = [RpcTimeout("no answer")]
        unanswered = await size(lane, KIND, BOUND, shipment())
        assert Unsized(err=None, reason="no answer") == unanswered
        world.cluster.judge = lambda _data, _accounts: "InsufficientFundsForFee"
        refused = await size(lane, KIND, BOUND, shipment())
        assert isinstance(refused, Unsized)
        assert refused.err == "InsufficientFundsForFee"
        assert "the payer cannot pay the fee" in refused.reason


@pytest.mark.parametrize(
    ("err", "left"), [(NO_TABLE, TABLES[1:]), (EXHAUSTED, TABLES), ("AccountInUse", TABLES)]
)
async def test_a_table_that_a_node_misses_leaves_the_shelf_and_the_others_stay(
    autojump_clock, err, left
):
    async with open_world() as world:
        lane = lane_of(world.kit, "prices")
        world.cluster.judge = lambda _data, _accounts: err
        lane.kit.shelf.publish(TableShelf(TABLES))
        unsized = await size(lane, KIND, BOUND, shipment(tables=TABLES[:1]))
        assert isinstance(unsized, Unsized)
        assert left == lane.kit.shelf.get().tables

        lane.kit.shelf.publish(TableShelf(TABLES))
        note_end(lane.kit, KIND, BOUND, shipment(tables=TABLES[:1]), failed(err))
        assert left == lane.kit.shelf.get().tables


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (landed(9_000), TABLES),
        (NoBid(reason="the hour is spent"), TABLES),
        # A node drops what names a table that it has not, and says nothing.
        (Expired(signature=Signature.default(), reason="no node took it"), TABLES[1:]),
    ],
)
async def test_of_what_was_not_refused_only_what_expired_casts_doubt_on_its_tables(
    autojump_clock, outcome, left
):
    async with open_world() as world:
        world.kit.shelf.publish(TableShelf(TABLES))
        note_end(world.kit, KIND, BOUND, shipment(tables=TABLES[:1]), outcome)
        assert left == world.kit.shelf.get().tables


async def test_what_landed_teaches_and_what_ran_out_makes_forget(autojump_clock):
    async with open_world() as world:
        model = world.kit.cu_model
        for _ in range(SAMPLES_LEAST):
            note_end(world.kit, KIND, BOUND, shipment(), landed(20_000))
        assert model.is_sure(KIND, BOUND)
        note_end(world.kit, KIND, BOUND, shipment(), failed({"InstructionError": [3, "Immutable"]}))
        assert model.is_sure(KIND, BOUND)
        note_end(world.kit, KIND, BOUND, shipment(), failed(EXHAUSTED))
        assert not model.is_sure(KIND, BOUND)


@pytest.mark.parametrize(
    ("err", "exhausted", "tables"),
    [
        (EXHAUSTED, True, False),
        ({"InstructionError": [4, "ProgramFailedToComplete"]}, True, False),
        ({"InstructionError": [4, {"Custom": 160}]}, False, False),
        (NO_TABLE, False, True),
        ("InvalidAddressLookupTableIndex", False, True),
        ("BlockhashNotFound", False, False),
        (None, False, False),
    ],
)
def test_whose_fault_an_error_is_follows_from_its_name(err, exhausted, tables):
    assert (exhausted, tables) == (is_exhausted(err), is_about_tables(err))
