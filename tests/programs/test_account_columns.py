"""programs/account_columns.py and base58_columns.py: the columns are what a JSON parser reads."""

import json
from base64 import b64encode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from programs.account_columns import OtherShape, rows_of_body
from programs.base58_columns import POWERS, decode_addresses
from programs.rpc import ProgramRows
from programs.rpc_replies import read_program_accounts

ID = 7
OWNER = str(Pubkey.default())


def account(content, **changes):
    return {
        "data": [b64encode(content).decode(), "base64"],
        "executable": False,
        "lamports": 2_039_280,
        "owner": str(Pubkey.default()),
        "rentEpoch": 18446744073709551615,
        "space": len(content),
    } | changes


def agave_row(address, data, **changes):
    return {"account": account(data, **changes), "pubkey": str(Pubkey.from_bytes(address))}


def localnet_row(address, data, **changes):
    row = agave_row(address, data, **changes)
    order = ("lamports", "data", "owner", "executable", "rentEpoch", "space")
    return {"pubkey": row["pubkey"], "account": {key: row["account"][key] for key in order}}


def body_of(rows, *, slot=5, request_id=ID):
    reply = {
        "jsonrpc": "2.0",
        "result": {"context": {"apiVersion": "2.2.0", "slot": slot}, "value": rows},
        "id": request_id,
    }
    return json.dumps(reply, separators=(",", ":")).encode()


def by_parser(body, row_bytes):
    found = read_program_accounts(json.loads(body)["result"], Pubkey.default())
    return ProgramRows.of(found, row_bytes)


def same(some, other):
    return (
        some.slot == other.slot
        and some.addresses.tobytes() == other.addresses.tobytes()
        and some.data.tobytes() == other.data.tobytes()
        and some.data.shape == other.data.shape
        and (some.other_lengths, some.skipped) == (other.other_lengths, other.skipped)
    )


addresses = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 32)
    .flatmap(lambda n: st.binary(min_size=32 - n, max_size=32 - n))
    .map(lambda tail: tail.rjust(32, b"\0")),
)


@given(
    rows=st.lists(
        st.tuples(addresses, st.binary(max_size=40), st.integers(0, 2**64 - 1)),
        max_size=12,
        unique_by=lambda row: row[0],
    ),
    row_bytes=st.integers(1, 40),
    row_of=st.sampled_from([agave_row, localnet_row]),
    same_length=st.booleans(),
)
def test_columns_are_what_a_parser_reads(rows, row_bytes, row_of, same_length):
    made = [
        row_of(
            address,
            data.ljust(row_bytes, b".")[:row_bytes] if same_length else data,
            lamports=lamports,
        )
        for address, data, lamports in rows
    ]
    body = body_of(made)
    try:
        found = rows_of_body(body, ID, row_bytes)
    except OtherShape:  # only where base64 of another length looks as long
        pieces = {(len(data), -(-len(data) // 3)) for _, data, _ in rows}
        assert not same_length
        assert any(size != row_bytes and all_ == -(-row_bytes // 3) for size, all_ in pieces)
        return
    assert same(found, by_parser(body, row_bytes))


@given(
    row_of=st.sampled_from([agave_row, localnet_row]),
    at=st.integers(0, 10_000),
    junk=st.binary(min_size=1, max_size=3),
    is_inserted=st.booleans(),
)
@settings(max_examples=300)
def test_a_damaged_body_is_read_as_a_parser_does_or_left_to_it(row_of, at, junk, is_inserted):
    rows = [row_of(bytes([n] * 32), bytes([n] * 20)) for n in range(1, 5)]
    good = body_of(rows)
    at %= len(good)
    body = good[:at] + junk + good[at if is_inserted else at + len(junk) :]
    try:
        found = rows_of_body(body, ID, 20, owner=OWNER)
    except OtherShape:
        return
    try:
        expected = by_parser(body, 20)
    except (ValueError, LookupError, TypeError):
        return  # what nobody reads, between data and address, was damaged
    assert same(found, expected)


def test_many_chunks_are_one_reading():
    rows = [agave_row(n.to_bytes(32, "big"), n.to_bytes(160, "big")) for n in range(12_000)]
    body = body_of(rows)
    assert len(body) > 4 << 20

    assert same(rows_of_body(body, ID, 160), by_parser(body, 160))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"jsonrpc":"2.0","error":{"code":-32005,"message":"behind"},"id":7}',
        body_of([], request_id=8),
        body_of([agave_row(bytes(32), b"abc")])[:-60],
        body_of([{"pubkey": "x"}]),
        body_of([agave_row(bytes(32), b"abc"), {"pubkey": "x"}]),
        body_of([agave_row(bytes(32), b"abc"), localnet_row(bytes(32), b"abc")]),
        body_of([agave_row(bytes(32), b"abc") | {"account": account(b"abc", data="YWJj")}]),
        body_of([1, 2]),
        body_of([agave_row(bytes(32), b"abc")]).replace(b"YWJj", b"Y*Jj"),
        body_of([agave_row(bytes(32), b"abcd")]).replace(b"==", b"AA"),
        body_of([], slot="5"),
        json.dumps(json.loads(body_of([agave_row(bytes(32), b"abc")]))).encode(),  # with spaces
    ],
)
def test_what_is_written_otherwise_is_left_to_a_parser(body):
    with pytest.raises(OtherShape):
        rows_of_body(body, ID, len(b"abcd") if b"==" in body or b"AA" in body else 3)


def test_a_page_and_an_account_of_another_program_are_left_to_a_parser():
    rows = [agave_row(bytes([n] * 32), b"abc") for n in (1, 2)]
    assert len(rows_of_body(body_of(rows), ID, 3, owner=OWNER).data) == 2
    stranger = agave_row(bytes([3] * 32), b"abc", owner=str(Pubkey(bytes([9] * 32))))
    page = body_of(rows).replace(b'},"id"', b',"paginationKey":"next"},"id"')
    for body in (body_of([*rows, stranger]), page):
        with pytest.raises(OtherShape):
            rows_of_body(body, ID, 3, owner=OWNER)


def test_an_account_whose_address_is_none_is_counted():
    body = body_of([agave_row(bytes([n] * 32), b"abc") for n in (1, 2)])
    first = str(Pubkey.from_bytes(bytes([1] * 32))).encode()
    for wrong in (b"0" * len(first), b"z" * 44, b"", b"1" * 31, b"2" * 50):
        found = rows_of_body(body.replace(first, wrong), ID, 3)
        assert (found.skipped, found.data.tobytes()) == (1, b"abc")


# -- base58 --


def test_no_sum_of_products_exceeds_64_bits():
    carried = 0
    for limb in reversed(range(8)):
        total = (carried >> 32) + sum((58**5 - 1) * int(POWERS[k, limb]) for k in range(9))
        assert total < 1 << 64
        carried = total


@given(st.lists(addresses, min_size=1, max_size=8))
def test_addresses_decode_as_solders_decodes_them(keys):
    texts = [str(Pubkey.from_bytes(key)).encode() for key in keys]
    padded = np.frombuffer(b"".join(text.ljust(45, b'"') for text in texts), np.uint8)

    found, is_good = decode_addresses(padded.reshape(-1, 45), np.array([len(t) for t in texts]))

    assert is_good.all()
    assert found.tobytes() == b"".join(keys)
