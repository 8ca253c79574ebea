"""Logs that are cut: from any node the same is read, nothing is forged, and a gap is explained where it can be."""

import hashlib
import struct

import pytest
from solders.pubkey import Pubkey

from incentives.reading.errors import (
    CutLogsError,
    GapError,
    HistoryDisagreesError,
    UnreadableEventError,
)
from incentives.reading.evidence import _MARKET_AT, _SUBJECT_AT
from incentives.reading.known import Known
from incentives.reading.reader import Reader
from incentives.sourced import Place
from incentives.unread import UNREAD_SERIES, Unread, is_unread
from programs.addresses import TOKEN_PROGRAM, maker_address
from programs.betting_platform.headers import load_interface
from programs.event_layout import REWARDS_SERIES, VAULT_SERIES, EventKind
from programs.instructions.tags import Tag
from programs.log_limit import until_cut
from tests.incentives.cut_chain import LIMIT, Step, as_kept, land, noise
from tests.incentives.test_chain_read import priced, read_all, said
from tests.incentives.told_chain import OTHER, PROGRAM, ToldChain, logs_of
from tests.incentives.told_events import address, payload

MARKET, OWNER, POSITION, CHAIN, ROOT = map(
    address, ("market", "owner", "position", "chain", "root account")
)
FILLER = tuple(address(f"filler {number}") for number in range(12))
SERIES = 3
CLOSE = struct.pack("<BB2xIQ", Tag.CLOSE_POSITION, 0, 0, 400)


def created(slot=10):
    return payload(EventKind.MARKET_CREATED, SERIES, 1, slot, {"market": MARKET})


def accounts(*named, length=9):
    """Accounts of an instruction: those named at their places, others in between."""
    places = dict(named)
    return tuple(places.get(place, FILLER[place]) for place in range(length))


def closing(told=(), data=CLOSE):
    return Step(data, accounts((0, OWNER), (2, MARKET), (5, POSITION)), told)


def begun(finalized=90):
    chain = ToldChain(finalized=finalized)
    chain.land(10, logs_of([created()]))
    return chain


async def read(chain, **options):
    return await read_all(Reader(rpc=chain, program=PROGRAM, **options))


def unread_in(events):
    return [Unread.from_payload(each.payload) for each in events if is_unread(each.payload)]


@pytest.mark.parametrize("limit", [LIMIT, LIMIT + 1, 25_000, None])
async def test_every_node_that_keeps_the_default_or_more_gives_the_same(autojump_clock, limit):
    chain = begun()
    close = said(SERIES, 2, 20)
    land(chain, 20, [closing([close]), noise(12_000), closing(), noise(9_000)], limit=limit)
    land(chain, 21, [noise(12_000), closing([said(SERIES, 4, 21)])], limit=limit)
    chain.land(22, logs_of([said(SERIES, 5, 22)]))
    events, series = await read(chain)
    assert [event.place for event in events] == [
        Place(10, 0, 0, 0),
        Place(20, 0, 0, 0),
        Place(20, 0, 2, 0),
        Place(21, 0, 1, 0),
        Place(22, 0, 0, 0),
    ]
    assert series == {SERIES: 5}
    assert unread_in(events)[-1] == Unread(
        tag=Tag.CLOSE_POSITION, series=SERIES, signer=OWNER, account=POSITION, amount=400
    )


async def test_what_is_left_out_stands_at_its_place_and_is_found_by_its_own_number(
    autojump_clock,
):
    chain = begun()
    land(chain, 20, [noise(12_000), closing(), closing()])
    events, _ = await read(chain)
    assert [each.place for each in events[1:]] == [Place(20, 0, 1, 0), Place(20, 0, 2, 0)]
    heads = [struct.unpack_from("<BBHIQQ", each.payload) for each in events[1:]]
    assert heads[0][3] == heads[1][3] == UNREAD_SERIES
    assert heads[0][4] < heads[1][4] < 2**63


async def test_a_series_may_go_on_higher_once_where_something_of_it_was_cut_and_no_other_may(
    autojump_clock,
):
    chain = begun()
    land(chain, 20, [noise(12_000), closing()])
    chain.land(21, logs_of([said(SERIES, 9, 21)]))
    assert (await read(chain))[1] == {SERIES: 9}
    chain.land(22, logs_of([said(SERIES, 11, 22)]))
    with pytest.raises(GapError, match="running number 11, expected 10"):
        await read(chain)
    other = begun()
    land(other, 20, [noise(12_000), closing()])
    other.land(21, logs_of([said(SERIES + 1, 2, 21)]))
    with pytest.raises(GapError, match="market 4"):
        await read(other)


async def test_an_instruction_that_told_nothing_leaves_no_gap(autojump_clock):
    chain = begun()
    land(chain, 20, [noise(12_000), closing()])
    chain.land(21, logs_of([priced(SERIES, 2, 21)]))
    assert (await read(chain))[1] == {SERIES: 2}


async def test_the_next_number_may_come_in_another_run(autojump_clock):
    chain = begun(finalized=20)
    land(chain, 20, [noise(12_000), closing()])
    reader = Reader(rpc=chain, program=PROGRAM)
    await read_all(reader)
    assert reader.unsettled == {SERIES}
    chain.land(21, logs_of([said(SERIES, 7, 21)]))
    chain.finalized = 30
    again = {"through_slot": 20, "known": reader.known}
    settled, _ = await read(chain, **again, series={SERIES: 1}, unsettled=reader.unsettled)
    assert len(settled) == 1
    with pytest.raises(GapError):
        await read(chain, **again, series={SERIES: 1})


async def test_a_node_that_keeps_less_than_the_default_is_refused(autojump_clock):
    chain = begun()
    land(chain, 20, [noise(7_000), closing([said(SERIES, 2, 20)])], limit=5_000)
    with pytest.raises(CutLogsError, match=r"less than 10000 bytes.*incentives\.rpc_urls"):
        await read(chain)


async def test_a_node_that_records_no_inner_calls_is_refused_only_where_logs_are_cut(
    autojump_clock,
):
    chain = begun()
    chain.land(20, logs_of([said(SERIES, 2, 20)]))
    assert len((await read(chain))[0]) == 2
    chain.land(21, [*logs_of([]), "Log truncated"])
    with pytest.raises(HistoryDisagreesError, match="does not record what programs called"):
        await read(chain)


async def test_what_a_cut_lets_through_later_is_no_event_of_ours(autojump_clock):
    # So much is logged that "Program ... success" of ours no longer fits, and a shorter line of a stranger's does: to a
    # reader of all that is kept it would stand inside of ours.
    forged = said(SERIES, 2, 20)
    ours, line = f"Program {PROGRAM} success", len(logs_of([forged])[1])
    assert line < len(ours), "short enough to slip in"
    for left in range(line + 1, len(ours) + 1):
        chain = begun()
        stranger = Step(program=OTHER, told=(forged,))
        around = sum(map(len, [*logs_of([], OTHER), *logs_of([])[:1]]))
        filler = Step(program=OTHER, told=("z" * (LIMIT - left - around),))
        land(chain, 20, [filler, closing(), stranger])
        kept = chain.blocks[20][0].facts.logs
        assert kept.index("Log truncated") < kept.index(logs_of([forged])[1])
        assert ours not in kept
        events, series = await read(chain)
        assert [is_unread(each.payload) for each in events] == [False, True]
        assert series == {SERIES: 1}


async def test_a_cut_genesis_is_no_season(autojump_clock):
    chain = ToldChain(finalized=30)
    land(chain, 20, [noise(12_000), Step(bytes([Tag.INITIALIZE]), accounts())])
    with pytest.raises(UnreadableEventError, match="genesis"):
        await read(chain)


async def test_a_market_that_no_event_has_told_of_is_not_guessed(autojump_clock):
    chain = ToldChain(finalized=30)
    land(chain, 20, [noise(12_000), closing()])
    with pytest.raises(HistoryDisagreesError, match="of which no event has told"):
        await read(chain)


async def test_prices_that_nobody_could_read_are_not_kept(autojump_clock):
    chain = begun()
    posting = Step(bytes([Tag.UPDATE_PRICES]), accounts((2, MARKET), length=3))
    land(chain, 20, [noise(12_000), posting])
    chain.land(21, logs_of([said(SERIES, 3, 21)]))
    events, series = await read(chain)
    assert (len(events), series) == (2, {SERIES: 3})


def transfer(to, amount):
    data = struct.pack("<BQ", 3, amount)
    return Step(data, (FILLER[0], to, FILLER[1]), program=TOKEN_PROGRAM)


def paying(first, amounts, mask, *, transfers):
    """pay_rewards of four leaves; those of the mask are paid from the accounts that follow."""
    leaves = b"".join(
        struct.pack("<Q", amounts[number]) if mask >> number & 1 else bytes(32)
        for number in range(4)
    )
    tokens = tuple(address(f"tokens {number}") for number in range(4) if mask >> number & 1)
    data = struct.pack("<BBBxI", Tag.PAY_REWARDS, 2, mask, first) + leaves + bytes(64)
    named = accounts((1, ROOT), length=4)
    return Step(data, (*named, *tokens), inner=tuple(transfers))


def posted(chain):
    fields = {"epoch": 5, "index": 65_536, "account": ROOT}
    told = payload(EventKind.EPOCH_POSTED, REWARDS_SERIES, 1, 11, fields)
    chain.land(11, logs_of([told]))


async def test_what_was_paid_is_what_was_transferred_leaf_by_leaf(autojump_clock):
    chain = begun()
    posted(chain)
    # Of the three leaves that are listed, the middle one was paid before: the program passes it over.
    sent = [transfer(address("tokens 0"), 70), transfer(address("tokens 3"), 50)]
    step = paying(8, [70, 60, 0, 50], 0b1011, transfers=sent)
    land(chain, 20, [noise(12_000), step])
    events, _ = await read(chain)
    (unread,) = unread_in(events)
    assert unread.root_place == (5, 65_536)
    assert unread.series == REWARDS_SERIES
    assert list(unread.leaves) == [(8, address("tokens 0"), 70), (11, address("tokens 3"), 50)]


@pytest.mark.parametrize("sent", [[("tokens 0", 71)], [("tokens 9", 70)], [("tokens 3", 50)] * 2])
async def test_transfers_that_the_instruction_does_not_explain_stop_reading(autojump_clock, sent):
    chain = begun()
    posted(chain)
    step = paying(
        8, [70, 60, 0, 50], 0b1011, transfers=[transfer(address(to), n) for to, n in sent]
    )
    land(chain, 20, [noise(12_000), step])
    with pytest.raises(HistoryDisagreesError, match="explains"):
        await read(chain)


async def test_a_root_whose_post_was_cut_is_known_all_the_same(autojump_clock):
    chain = begun()
    root = address("the root")
    data = struct.pack("<BB6xQIIQ32s", Tag.POST_EPOCH, 255, 5, 0, 4, 180, root)
    land(chain, 20, [noise(12_000), Step(data, accounts((2, ROOT), length=4))])
    step = paying(0, [70, 0, 0, 0], 1, transfers=[transfer(address("tokens 0"), 70)])
    land(chain, 21, [noise(12_000), step])
    chain.land(22, logs_of([said(REWARDS_SERIES, 3, 22, EventKind.REWARDS_PAID)]))
    events, series = await read(chain)
    first, second = unread_in(events)
    assert (first.root_place, first.posted) == ((5, 0), (4, 180, root))
    assert list(second.leaves) == [(0, address("tokens 0"), 70)]
    assert series[REWARDS_SERIES] == 3


def _second(*seeds):
    """The next address of the same seeds after the usual one; it may be on the curve, which nobody asks here."""
    bump = Pubkey.find_program_address(list(seeds), PROGRAM)[1] - 1
    preimage = b"".join(seeds) + bytes([bump]) + bytes(PROGRAM) + b"ProgramDerivedAddress"
    return hashlib.sha256(preimage).digest()


async def test_a_removal_is_of_the_pool_whose_makers_account_it_names(autojump_clock):
    chain = begun()
    market, owner = Pubkey.from_bytes(MARKET), Pubkey.from_bytes(OWNER)
    maker = bytes(maker_address(PROGRAM, market, 2, owner)[0])
    data = struct.pack("<BB2xIQ", Tag.REMOVE_LIQUIDITY, 0, 7, 123)
    # The owner may have chosen another bump than clients do.
    seeds = (b"maker", MARKET, bytes([2]), OWNER)
    for slot, subject in ((20, maker), (21, _second(*seeds)), (22, FILLER[5])):
        step = Step(data, accounts((0, OWNER), (2, MARKET), (5, subject)))
        land(chain, slot, [noise(12_000), step])
    chain.finalized = 21
    for unread in unread_in((await read(chain))[0]):
        assert (unread.part, unread.amount, unread.signer) == (2, 123, OWNER)
    chain.finalized = 30
    with pytest.raises(HistoryDisagreesError, match="none of its market and owner"):
        await read(chain)


def test_accounts_are_looked_for_where_the_program_expects_them():
    interface = load_interface()
    names = {
        Tag.POST_EPOCH: "epoch",
        Tag.PAY_REWARDS: "epoch",
        Tag.CREATE_MARKET: "market",
        Tag.CANCEL_CHAIN: "chain",
        Tag.EXECUTE_CHAIN: "chain",
        Tag.OPEN_CHAIN: "chain",
    }
    for shape in interface.instructions:
        tag, roles = Tag(shape.tag), [role.name for role in shape.roles]
        if tag in _SUBJECT_AT:
            assert roles[_SUBJECT_AT[tag]] == names.get(tag, "position")
        if tag is not Tag.CREATE_MARKET:
            assert _MARKET_AT.get(tag) == (roles.index("market") if "market" in roles else None)


def test_an_unread_instruction_is_the_bytes_of_an_event_and_back():
    unread = Unread(tag=Tag.LIQUIDATE, series=7, tail=OWNER + POSITION)
    told = unread.payload(Place(1_000, 65_535, 3, 2), 255)
    assert Unread.from_payload(told) == unread
    assert is_unread(told)
    assert unread.targets == [OWNER, POSITION]
    assert unread.touched == {7, VAULT_SERIES}


def test_learning_again_changes_nothing():
    known = Known()
    for _ in range(2):
        known.learn(created())
        assert known.series_of_new_market(MARKET) == SERIES
    assert known.series_of_new_market(OWNER) == 1


@pytest.mark.parametrize("size", [9_999, 10_000, 10_001])
def test_the_message_that_reaches_the_limit_is_the_first_one_left_out(size):
    logs = ["é" * 10, "x" * (size - 20), "y"]
    kept, is_cut = until_cut(logs)
    assert list(kept) == logs[: 2 if size < LIMIT else 1][: len(kept)]
    assert is_cut
    assert list(kept) == [each for each in as_kept(logs, LIMIT) if each != "y"][:-1]
