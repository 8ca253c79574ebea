"""Deeds are read from transactions, whatever the keeper says of them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.drills.chain_log import ChainLog, LandedTransaction
from keeper.drills.evidence import Liquidated, Posted
from keeper.drills.recording import notice_of, read_recording
from programs.accounts import Side
from programs.instructions import update_prices

PROGRAM, MARKET, KEEPER = Pubkey.new_unique(), Pubkey.new_unique(), Keypair()


@pytest.fixture
def log():
    pool = SimpleNamespace(price_e6=500_000, band_e6=5_000)
    market = SimpleNamespace(market_id=7, pools=[pool], price_class=0)
    return ChainLog(program=PROGRAM, markets={MARKET: market})


def landed(*instructions, is_ok=True):
    message = Message.new_with_blockhash(list(instructions), KEEPER.pubkey(), Hash.default())
    return LandedTransaction(
        at_s=3.5,
        slot=90,
        signature="s",
        transaction=VersionedTransaction(message, [KEEPER]),
        addresses=message.account_keys,
        logs=(),
        is_ok=is_ok,
    )


def post():
    return update_prices(
        PROGRAM,
        KEEPER.pubkey(),
        MARKET,
        price_class=1,
        publish_slot=88,
        readings=[(430_000, 9_000)],
    )


def test_a_post_is_read_as_it_was_submitted(log):
    log.take(landed(post()))
    expected = Posted(
        at_s=3.5,
        slot=90,
        signature="s",
        market=str(MARKET),
        price_e6=430_000,
        band_e6=9_000,
        price_class="degraded",
        publish_slot=88,
    )
    assert [expected] == log.deeds
    assert {"s": True} == log.landed


def test_what_failed_on_chain_did_nothing_and_is_known(log):
    log.take(landed(post(), is_ok=False))
    assert [] == log.deeds
    assert {"s": False} == log.landed


def test_liquidations_are_counted_by_market(log):
    deed = Liquidated(
        at_s=1,
        slot=1,
        signature="s",
        market=str(MARKET),
        side=Side.YES,
        price_e6=1,
        band_e6=0,
        price_class="valid",
        positions=3,
    )
    log.deeds += [deed, replace(deed, market="another")]
    assert 3 == log.liquidated(str(MARKET))


def test_a_recording_cut_short_by_a_kill_is_read_as_far_as_it_goes():
    lines = (
        '{"at_ms":1500,"kind":"heard","token_id":"t","source":"clob","price_e6":null,"half_spread_e6":0,"reason":"crossed"}',
        '{"at_ms":2500,"kind":"judged","token_id":"t","source":"stream","price_e6":5,"band_e6":1,"price_class":"valid","reason":"ok"}',
        '{"at_ms":2600,"kind":"judged","token_id":"another","price_e6":5}',
        '{"at_ms":2700,"kind":"jud',
    )
    heard, beliefs = read_recording(lines, market_of={"t": "m"}, started_ms=500)
    assert [(1.0, "m", None, "crossed")] == [
        (one.at_s, one.market, one.price_e6, one.reason) for one in heard
    ]
    assert [(2.0, "valid", "stream")] == [
        (one.at_s, one.price_class, one.source) for one in beliefs
    ]


def test_a_log_line_is_worded_and_a_traceback_is_an_error():
    notice = notice_of('{"level":"warning","event":"a.b","timestamp":"t","x":1}', 2.0)
    assert ("warning", "a.b", "x=1") == (notice.level, notice.event, notice.text)
    assert "error" == notice_of("Traceback (most recent call last):", 2.0).level
    assert notice_of("  ", 2.0) is None
