import pytest
from solders.address_lookup_table_account import AddressLookupTable
from solders.pubkey import Pubkey

from programs.lookup_tables import (
    TABLE_ADDRESSES_MAX,
    LookupTable,
    MalformedTableError,
    TableShelf,
    TableState,
    decode_table,
)
from programs.units import Slot
from tests.programs.table_chain import KEYS, MARKER, OWNER, SHARED, TableChain, group, wanted

TABLE = KEYS[899]


def state(**fields):
    known = {
        "address": TABLE,
        "authority": OWNER.pubkey(),
        "deactivated_slot": None,
        "extended_slot": Slot(7),
        "extended_from": 2,
        "addresses": tuple(KEYS[:5]),
    }
    return TableState(**known | fields)


def test_what_the_chain_stores_is_read_as_solders_reads_it():
    chain = TableChain()
    chain.settle(wanted(group(0)))
    (found,) = chain.found()
    peer = AddressLookupTable.deserialize(chain.bank.account(found.address).data)
    assert list(found.addresses) == peer.addresses == [MARKER, *SHARED, *group(0)]
    assert found.authority == peer.meta.authority == OWNER.pubkey()
    assert found.extended_slot == peer.meta.last_extended_slot
    assert found.deactivated_slot is None


def test_added_addresses_are_usable_from_the_slot_after():
    assert state().usable_at(Slot(7)) == LookupTable(TABLE, tuple(KEYS[:2]))
    assert state().usable_at(Slot(8)) == LookupTable(TABLE, tuple(KEYS[:5]))


def test_a_table_of_this_slot_and_a_deactivated_one_are_of_no_use():
    assert state(extended_from=0).usable_at(Slot(7)) is None
    assert state(deactivated_slot=Slot(9)).usable_at(Slot(10)) is None


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (bytes(55), "55 bytes"),
        (bytes(56), "kind 0"),
        (b"\x01" + bytes(55 + 33), "1 addresses and 1 odd"),
        (b"\x01" + bytes(55 + 32 * (TABLE_ADDRESSES_MAX + 1)), "257 addresses"),
    ],
)
def test_bytes_that_are_no_table_are_refused_in_words(data, found):
    with pytest.raises(MalformedTableError, match=found):
        decode_table(Pubkey.default(), data)


def test_a_frozen_table_has_no_authority():
    data = b"\x01" + bytes(3) + b"\xff" * 8 + bytes(8 + 1 + 1 + 32 + 2)
    assert decode_table(TABLE, data).authority is None


def table(number, *addresses):
    return LookupTable(KEYS[800 + number], tuple(addresses))


def test_the_table_that_covers_most_is_chosen_and_others_only_for_what_it_lacks():
    shelf = TableShelf((table(0, *KEYS[:3]), table(1, *KEYS[:9]), table(2, *KEYS[8:12])))
    assert shelf.choose(KEYS[:9]) == (shelf.tables[1],)
    assert shelf.choose(KEYS[:12]) == (shelf.tables[1], shelf.tables[2])


def test_a_table_that_would_save_nothing_is_not_chosen():
    shelf = TableShelf((table(0, KEYS[0]), table(1, KEYS[1], KEYS[2])))
    assert shelf.choose(KEYS[:2]) == ()
    assert shelf.choose(KEYS[:3]) == (shelf.tables[1],)
    assert TableShelf().choose(KEYS) == ()


def test_an_address_listed_twice_in_a_table_counts_once():
    assert TableShelf((table(0, KEYS[0], KEYS[0]),)).choose(KEYS[:5]) == ()
