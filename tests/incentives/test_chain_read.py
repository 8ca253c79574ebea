"""incentives/reading: a chain's history in, its events in order out; on a chain that a test tells."""

import random
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.instruction import AccountMeta, Instruction
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from incentives.reading.errors import (
    GapError,
    HistoryDisagreesError,
    RepeatedEventError,
    UnreadableEventError,
)
from incentives.reading.extraction import events_of
from incentives.reading.known import Known
from incentives.reading.reader import Reader
from incentives.sourced import Place
from programs.event_layout import EventKind
from programs.rpc import Block, RpcTimeout
from tests.incentives.told_chain import (
    OTHER,
    PROGRAM,
    SENDER,
    ToldChain,
    logs_of,
    signature_of,
    wire_of,
)
from tests.incentives.told_events import payload


def said(series, sequence, slot, kind=EventKind.FEES_WITHDRAWN, records=()):
    return payload(kind, series, sequence, slot, {}, records)


def priced(series, sequence, slot):
    return said(series, sequence, slot, EventKind.PRICES_UPDATED, [{}])


async def read_all(reader):
    events, series = [], {}
    async with aclosing(reader.read_round()) as round_:
        async for delivery in round_:
            assert all(event.place.slot <= delivery.through_slot for event in delivery.events)
            events += delivery.events
            series |= delivery.series
    return events, series


def long_chain(blocks=40, per_block=3):
    chain, sequence = ToldChain(), 0
    for slot in range(10, 10 + blocks):
        for _ in range(per_block):
            sequence += 1
            chain.land(slot, logs_of([said(1, sequence, slot)]))
    chain.finalized = 10 + blocks + 5
    return chain


async def test_events_come_in_the_order_of_the_chain_each_at_its_place(autojump_clock):
    chain = ToldChain(finalized=30)
    chain.land(20, logs_of([said(1, 1, 20), said(2, 1, 20)]))
    two = chain.land(
        20, [*logs_of([said(1, 2, 20)]), *logs_of([], OTHER), *logs_of([said(2, 2, 20)])]
    )
    chain.land(21, logs_of([said(7, 1, 21)]), err={"InstructionError": [0, {"Custom": 1}]})
    chain.land(22, logs_of([priced(1, 3, 22), said(1, 4, 22)]))
    reader = Reader(rpc=chain, program=PROGRAM)
    events, series = await read_all(reader)
    assert [event.place for event in events] == [
        Place(20, 0, 0, 0),
        Place(20, 0, 0, 1),
        Place(20, 1, 0, 0),
        Place(20, 1, 2, 0),
        Place(22, 0, 0, 1),
    ]
    assert events[3].source_id == f"{two}:2:0"
    assert series == reader.series == {1: 4, 2: 2}
    assert reader.through_slot == 30
    # Blocks are read side by side, in any order.
    assert sorted(asked for asked in chain.asked if asked[0] == "get_block") == [
        ("get_block", 20),
        ("get_block", 22),
    ]


async def test_what_another_program_logs_is_nobodys_word(autojump_clock):
    chain = ToldChain(finalized=30)
    forged = said(1, 1, 20)
    chain.land(20, logs_of([forged], OTHER))
    nested = logs_of([said(1, 1, 20)])
    inner = [line.replace("[1]", "[2]") for line in logs_of([forged], OTHER)]
    chain.land(20, [*nested[:-1], *inner, nested[-1]])
    events, _ = await read_all(Reader(rpc=chain, program=PROGRAM))
    assert [event.place for event in events] == [Place(20, 1, 0, 0)]


async def test_every_round_begins_where_the_last_one_ended(autojump_clock):
    chain = long_chain()
    reader = Reader(rpc=chain, program=PROGRAM)
    chain.finalized = 25
    first, _ = await read_all(reader)
    assert reader.through_slot == 25
    assert await read_all(reader) == ([], {})
    chain.finalized = 60
    second, _ = await read_all(reader)
    assert len(first + second) == 120
    assert first[-1].place.slot == 25
    assert second[0].place.slot == 26


async def test_a_long_history_is_read_with_few_pages_in_memory(autojump_clock):
    chain = long_chain()
    events, _ = await read_all(Reader(rpc=chain, program=PROGRAM, page_max=7))
    assert [event.place.slot for event in events] == [s for s in range(10, 50) for _ in range(3)]
    blocks = [asked[1] for asked in chain.asked if asked[0] == "get_block"]
    assert sorted(blocks) == list(range(10, 50))
    # 18 pages are found, the newest is kept, the other 17 are read once more.
    assert sum(asked[0] == "get_signatures_for_address" for asked in chain.asked) == 19 + 17


@pytest.mark.parametrize("missing", [0, 1, 57, 118])
async def test_an_event_that_is_missing_is_a_gap_and_nothing_after_it_is_delivered(
    autojump_clock, missing
):
    chain = ToldChain(finalized=90)
    for number in range(1, 121):
        if number != missing + 1:
            chain.land(10 + number // 3, logs_of([said(1, number, 10 + number // 3)]))
    reader = Reader(rpc=chain, program=PROGRAM)
    with pytest.raises(GapError, match=r"market 1.*1 events before it are missing"):
        await read_all(reader)
    assert reader.series.get(1, 0) <= missing


async def test_an_event_that_the_index_left_out_is_found_in_its_block(autojump_clock):
    chain = long_chain()
    chain.unlisted = {signature_of((17, 1)), signature_of((30, 0))}
    events, _ = await read_all(Reader(rpc=chain, program=PROGRAM))
    assert len(events) == 120


async def test_the_same_number_again_is_refused(autojump_clock):
    chain = ToldChain(finalized=30)
    chain.land(20, logs_of([said(1, 1, 20)]))
    chain.land(21, logs_of([said(1, 1, 21)]))
    with pytest.raises(RepeatedEventError, match="running number 1, which was read before"):
        await read_all(Reader(rpc=chain, program=PROGRAM))


async def test_endpoints_with_different_histories_are_not_mixed(autojump_clock):
    chain = long_chain()
    gone = chain.blocks.pop(20)
    chain.blocks[20] = gone[:2]
    chain.land(21, [], name="elsewhere")
    listed = chain.get_signatures_for_address

    async def stale(*args, **options):
        page = await listed(*args, **options)
        chain.blocks[20] = []
        return page

    chain.get_signatures_for_address = stale
    with pytest.raises(HistoryDisagreesError, match="whose block does not have it"):
        await read_all(Reader(rpc=chain, program=PROGRAM))


async def test_a_block_that_vanished_after_it_was_listed_is_no_skipped_slot(autojump_clock):
    chain = long_chain()
    whole = dict(chain.blocks)

    async def without(slot, commitment):
        return None if slot == 20 else await ToldChain.get_block(chain, slot, commitment)

    chain.get_block = without
    with pytest.raises(HistoryDisagreesError, match="slot 20 was skipped by one answer"):
        await read_all(Reader(rpc=chain, program=PROGRAM))
    assert whole == chain.blocks


@pytest.mark.parametrize(
    ("logs", "error", "words"),
    [
        (["Log truncated"], HistoryDisagreesError, "does not record what programs called"),
        ([], HistoryDisagreesError, "does not record"),
        (logs_of([said(1, 1, 19)]), HistoryDisagreesError, "slot 19, its block is that of slot 20"),
        (logs_of([b"\x02" + said(1, 1, 20)[1:]]), UnreadableEventError, "another version"),
        (logs_of([said(1, 1, 20) + b"\0"]), UnreadableEventError, "another version"),
        (logs_of([priced(1, 1, 20)[:-1]]), UnreadableEventError, "bytes of records"),
    ],
)
async def test_events_that_cannot_be_known_stop_reading(autojump_clock, logs, error, words):
    chain = ToldChain(finalized=30)
    chain.land(20, logs)
    reader = Reader(rpc=chain, program=PROGRAM)
    with pytest.raises(error, match=words):
        await read_all(reader)
    assert (reader.through_slot, reader.series) == (-1, {})


async def test_cut_logs_of_others_are_no_matter(autojump_clock):
    chain = ToldChain(finalized=30)
    chain.land(20, [*logs_of([], OTHER), "Log truncated"], wire=bytes(OTHER))
    chain.land(20, logs_of([said(1, 1, 20)]))
    assert len((await read_all(Reader(rpc=chain, program=PROGRAM)))[0]) == 1


async def test_a_failure_in_the_middle_loses_nothing_and_repeats_nothing(autojump_clock):
    chain = long_chain()
    reader = Reader(rpc=chain, program=PROGRAM)
    chain.faults["get_block"] = [RpcTimeout("late"), RpcTimeout("late")]
    for _ in range(2):
        with pytest.raises(RpcTimeout):
            await read_all(reader)
    events, _ = await read_all(reader)
    assert len(events) == len({event.source_id for event in events}) == 120


@given(data=st.data())
@settings(max_examples=40, deadline=None)
async def test_any_cut_into_rounds_pages_and_deliveries_gives_the_same_events(data):
    rng = random.Random(data.draw(st.integers(0, 10**6)))
    chain, sequences, slot = ToldChain(), {}, 5
    for _ in range(rng.randrange(1, 60)):
        slot += rng.choice([0, 0, 1, 2, 9])
        payloads = []
        for _ in range(rng.choice([0, 1, 1, 3])):
            series = rng.randrange(3)
            sequences[series] = sequences.get(series, 0) + 1
            payloads.append(rng.choice([said, priced])(series, sequences[series], slot))
        chain.land(slot, logs_of(payloads))
    chain.finalized = slot
    whole = await read_all(Reader(rpc=chain, program=PROGRAM))
    reader, events, series = Reader(rpc=chain, program=PROGRAM), [], {}
    for end in sorted({*rng.sample(range(slot + 1), 3), slot}):
        chain.finalized = end
        # A reader that starts anew from what was committed: its memory is the ledger's.
        reader = Reader(
            rpc=chain, program=PROGRAM, through_slot=reader.through_slot, series=dict(series)
        )
        more, moved = await read_all(reader)
        events += more
        series |= moved
    assert (events, series) == whole == (events, sequences)


ED25519 = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
SECP256K1 = Pubkey.from_string("KeccakSecp256k11111111111111111111111111111")
NO_SIGNATURES = {ED25519: b"\0\0", SECP256K1: b"\0"}


def test_precompiles_log_nothing_and_still_count_as_instructions():
    wire = wire_of(ED25519, PROGRAM, ED25519, PROGRAM)
    chain = ToldChain()
    logs = [*logs_of([said(1, 1, 20)]), *logs_of([said(1, 2, 20), said(1, 3, 20)])]
    chain.land(20, logs, wire=wire)

    block = Block(slot=20, parent=19, blockhash=None, transactions=tuple(chain.blocks[20]))
    assert [each.event.place for each in events_of(block, PROGRAM, Known())] == [
        Place(20, 0, 1, 0),
        Place(20, 0, 3, 0),
        Place(20, 0, 3, 1),
    ]


@pytest.mark.parametrize("programs", [[], [ED25519], [SECP256K1, ED25519, ED25519]])
async def test_whoever_names_the_program_and_calls_nothing_that_logs_stops_nobody(
    autojump_clock, programs
):
    """The bytes and the logs are those of the runtime: a stranger lands such a transaction for a fee."""
    svm = LiteSVM()
    svm.airdrop(SENDER.pubkey(), 10**9)
    named = [AccountMeta(PROGRAM, is_signer=False, is_writable=False)]
    steps = [Instruction(program, NO_SIGNATURES[program], named) for program in programs]
    # Without an instruction the program is named all the same.
    message = Message.new_with_blockhash(steps, SENDER.pubkey(), svm.latest_blockhash())
    if not steps:
        keys = [SENDER.pubkey(), PROGRAM]
        message = Message.new_with_compiled_instructions(1, 0, 1, keys, svm.latest_blockhash(), [])
    transaction = VersionedTransaction(message, [SENDER])
    landed = svm.send_transaction(transaction)
    assert isinstance(landed, TransactionMetadata)
    assert landed.logs() == []

    chain = ToldChain(finalized=30)
    chain.land(20, landed.logs(), wire=bytes(transaction))
    chain.land(20, logs_of([said(1, 1, 20)]))
    events, _ = await read_all(Reader(rpc=chain, program=PROGRAM))
    assert [event.place for event in events] == [Place(20, 1, 0, 0)]


@pytest.mark.parametrize("logs", [[], [*logs_of([]), *logs_of([said(1, 1, 20)])]])
async def test_logs_that_do_not_fit_the_instructions_stop_reading(autojump_clock, logs):
    """Beside a precompile: a line is missing of the one instruction that logs, or one is too many."""
    chain = ToldChain(finalized=30)
    chain.land(20, logs, wire=wire_of(ED25519, PROGRAM))
    with pytest.raises(HistoryDisagreesError, match="endpoint"):
        await read_all(Reader(rpc=chain, program=PROGRAM))
