"""Reads in the past against a model that keeps every state."""

from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from programs.localnet.undo import UndoLog

ADDRESSES = [Pubkey.new_unique() for _ in range(3)]
DEPTH = 3


def _account(lamports):
    return None if lamports == 0 else Account(lamports, b"", Pubkey.default())


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.sampled_from(ADDRESSES), st.integers(0, 5))), max_size=40
    )
)
def test_every_slot_within_the_depth_reads_as_it_ended(events):
    """None closes a slot; (address, lamports) writes in it."""
    present = {}
    log = UndoLog(0)
    slot = 0
    ended = {}
    for event in events:
        if event is None:
            ended[slot] = dict(present)
            slot += 1
            log.open_block(slot, max(0, slot - DEPTH))
        else:
            address, lamports = event
            log.keep(log.unkept([address], present.get))
            present[address] = _account(lamports)
    ended[slot] = dict(present)
    for past in range(max(0, slot - DEPTH), slot + 1):
        overlay = log.overwritten_after(past)
        for address in ADDRESSES:
            wanted = ended[past].get(address)
            assert log.account_at(address, past, present.get) == wanted
            assert overlay.get(address, present.get(address)) == wanted


def test_a_slot_names_what_it_wrote_until_it_is_forgotten():
    log = UndoLog(0)
    log.keep({ADDRESSES[0]: None})
    log.open_block(1, 0)
    log.keep({ADDRESSES[1]: None})
    assert set(log.touched(0)) == {ADDRESSES[0]}
    assert set(log.touched(1)) == {ADDRESSES[1]}
    log.open_block(2, 1)
    assert not log.touched(0)
    assert not log.touched(3)
