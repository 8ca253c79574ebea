"""keeper/view.py: frames as an operator sees them."""

import io
from types import SimpleNamespace

import pytest
import trio
from rich.console import Console
from scripted import PROGRAM, token_of

from keeper.newest import Newest
from keeper.prices.board import PriceBoard
from keeper.prices.price import Price, PriceClass, Reason, Source
from keeper.tally import Tally
from keeper.view import render, show

FACTS = SimpleNamespace(genesis_hash="GENESISHASH", program=PROGRAM)


def price(number, price_class=PriceClass.VALID):
    return Price(
        token_id=token_of(number),
        price_e6=65_500,
        band_e6=1_000,
        price_class=price_class,
        source=Source.CLOB,
        received_at_s=trio.current_time(),
        content_time_ms=None,
        reason=Reason.OK,
    )


def drawn(tokens=(), board=None, tally=None, notices=(), *, scan_age_s=0.0, height=40):
    console = Console(file=io.StringIO(), width=110, height=height, record=True)
    frame = render(
        FACTS,
        {token_of(number): f"market {number}" for number in tokens},
        board or PriceBoard(),
        tally or Tally(),
        notices,
        run_s=12.0,
        scan_age_s=scan_age_s,
        rows_max=height,
    )
    console.print(frame)
    return console.export_text()


async def test_a_frame_names_every_price_with_its_class_the_worst_first():
    board = PriceBoard()
    board.publish(price(0))
    board.publish(price(1, PriceClass.HALTED))
    board.note_unpriced(token_of(2), Reason.NO_SOURCE)
    text = drawn(range(3), board)

    assert "0.0655" in text
    at = {name: text.index(f"market {name}") for name in range(3)}
    assert at[2] < at[1] < at[0]
    assert "halted" in text
    assert "no_source" in text


async def test_lanes_show_what_became_of_their_work():
    tally = Tally()
    tally.landed["prices"], tally.jobs_landed["prices"] = 4, 18
    tally.note_latency("prices", 812.0)
    tally.jobs_queued["liquidations"] = 17
    tally.failed["liquidations"] = 3
    tally.fees_lamports["prices"] = 20_000
    text = drawn(tally=tally)

    assert "4.5" in text
    assert "812 ms" in text
    assert "0.00002" in text
    assert "17" in next(line for line in text.splitlines() if line.lstrip().startswith("liquid"))


async def test_what_was_not_done_is_said_the_most_frequent_first():
    tally = Tally()
    tally.refusals.update({"prices.no_price": 2, "scan.unanswered": 30})
    text = drawn(tally=tally)
    assert text.index("scan.unanswered") < text.index("prices.no_price")


async def test_a_chain_that_is_not_read_any_more_is_an_alarm():
    assert "no scan of the chain for 60 s" in drawn(scan_age_s=60.0)


@pytest.mark.parametrize("columns", [40, 200])
async def test_the_view_is_redrawn_until_it_is_cancelled(autojump_clock, columns):
    console = Console(file=io.StringIO(), force_terminal=True, width=columns, height=24)
    with trio.move_on_after(3.0):
        await show(console, FACTS, Newest(), Newest(), PriceBoard(), Tally(), [])
    text = console.file.getvalue()
    assert text.count("slot 0") >= 5
