"""The live view fits its terminal and shows first what needs a person."""

from types import SimpleNamespace

import pytest
import trio
from rich.console import Console
from solders.pubkey import Pubkey

from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source, TokenId
from keeper.tally import MARKET_RESOLVED, StuckChain, Tally, Withheld
from keeper.view import Notice, render
from programs.units import PriceE6

FACTS = SimpleNamespace(program=Pubkey.default(), genesis_hash="EocLxwE992YiSkw7ugameAhV6vDKztv4")


def price(token, price_class):
    return Price(
        token_id=TokenId(token),
        price_e6=PriceE6(500_000),
        band_e6=1_000,
        price_class=price_class,
        source=Source.STREAM,
        reason=next(iter(Reason)),
        received_at_s=0.0,
        content_time_ms=None,
    )


def frame(
    columns, rows, *, markets=40, notices=(), scan_age_s=0.0, withheld=None, marks=(), **counts
):
    board, tally = PriceBoard(), Tally(withheld=withheld or {}, **counts)
    for number in range(markets):
        board.publish(price(str(number), PriceClass.HALTED if number == 33 else PriceClass.VALID))
    for lane in ("prices", "liquidations"):
        tally.landed[lane] = 123_456
        tally.fees_lamports[lane] = 123_456_789
        tally.note_latency(lane, 1_234.0)
    tally.refusals.update({f"prices.uncertain:reason_{n}": 1_000 for n in range(9)})
    console = Console(width=columns, height=rows, force_terminal=False)
    with console.capture() as captured:
        console.print(
            render(
                FACTS,
                {TokenId(str(number)): f"market {number}" for number in range(markets)},
                board,
                tally,
                notices,
                marks,
                run_s=3.0,
                scan_age_s=scan_age_s,
                rows_max=rows,
            )
        )
    return captured.get().splitlines()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 50)])
async def test_a_frame_fits_the_terminal_with_nothing_cut_from_the_lanes(columns, rows):
    notices = [Notice(at="03:00:00", level="warning", text="scan.unread " + "why " * 90)] * 4
    lines = frame(columns, rows, notices=notices, scan_age_s=60.0)

    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    (lane,) = [line for line in lines if line.startswith("liquidations ")]
    assert "1234 ms" in lane
    assert "0.12346" in lane


async def test_what_is_wrong_stands_above_what_is_well():
    notices = [Notice(at="03:00:00", level="warning", text="posting.disabled reason=…")]
    lines = frame(80, 24, notices=notices, scan_age_s=60.0)

    assert "no scan of the chain for 60 s" in lines[1]
    assert "posting.disabled" in lines[2]
    (first_market, *_) = [
        line for line in lines if line.startswith("market ") and "price" not in line
    ]
    assert "market 33" in first_market
    assert "halted" in first_market
    assert "more, none worse" in lines[-1]


async def test_markets_keep_their_places_while_all_is_well():
    lines = frame(80, 24, markets=5)

    assert [f"market {n}" for n in range(5)] == [
        line[:8] for line in lines if line.startswith("market ") and "price" not in line
    ]


def withheld(reason, *, for_s, outcome=None):
    return Withheld(
        reason=reason,
        outcome=outcome,
        since_slot=4_321,
        since_s=trio.current_time() - for_s,
    )


async def test_prices_that_are_not_posted_are_told_with_since_when_and_why(autojump_clock):
    outage = {
        3: withheld("uncertain:wide_spread", for_s=5),
        11: withheld("stale:too_old", for_s=65, outcome=2),
        12: withheld(MARKET_RESOLVED, for_s=900),
    }
    lines = frame(80, 24, withheld=outage)
    assert len(lines) <= 24
    (told,) = [line for line in lines if line.startswith("not posted: 2, ")]
    assert "market 11 outcome 2 for 65 s: stale:too_old" in told

    over = {12: withheld(MARKET_RESOLVED, for_s=900)}
    assert not any(line.startswith("not posted") for line in frame(80, 24, withheld=over))


def stuck(since_slot, **changes):
    said = {
        "step": 2,
        "kind": "open",
        "refusal": "SIDE_CAP",
        "reason": "leveraged shares on this side would exceed an eighth of the pool's liquidity",
        "is_forecast": True,
    }
    return StuckChain(since_slot=since_slot, **said | changes)


async def test_chains_are_told_once_there_are_any_and_the_one_stuck_for_longest():
    address = str(Pubkey.default())
    chains = {"A" * 44: stuck(9), address: stuck(7, step=4), "B" * 44: stuck(8)}
    lines = frame(80, 24, chains_due=3, chain_steps_landed=12, stuck_chains=chains)

    assert len(lines) <= 24
    assert "chains due 3, steps 12, completed 0, cancelled 0, bounty $0.00" in lines
    told = "stuck: 3, longest 1111…1111 at step 4 (open): SIDE_CAP (since slot 7)"
    assert told in lines
    assert not [line for line in frame(80, 24) if line.startswith("chains ")]


async def test_what_others_say_does_not_steer_the_terminal():
    notices = [Notice(at="03:00:00", level="warning", text="a\x1b[2Jb\x07\nc")]
    assert "a [2Jb  c" in frame(80, 24, notices=notices)[1]


async def test_a_run_that_sends_nothing_and_a_halted_platform_are_marked_above_all_warnings():
    notices = [Notice(at=f"03:00:0{n}", level="warning", text="scan.unread why") for n in range(9)]
    marks = ["dry run: nothing is sent", "draining: 3 jobs in flight, for 30 s at most"]
    lines = frame(80, 24, notices=notices, marks=marks, scan_age_s=60.0, is_halted=True)

    assert marks == lines[1:3]
    assert lines[3].startswith("platform halted: nothing is opened")
    assert lines[4].startswith("no scan of the chain")
    assert lines[5].startswith("03:00:08")
    assert not lines[6].startswith("03:00")
    assert len(lines) <= 24
    assert "platform halted" not in "".join(frame(80, 24))
