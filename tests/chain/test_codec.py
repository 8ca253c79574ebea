"""Bytes from outside: whatever they are, the decoders answer with a value or their own error."""

import base64
import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from programs import event_layout, events
from programs.accounts import (
    Epoch,
    Global,
    Maker,
    MalformedAccountError,
    Market,
    Position,
    Stake,
    Vault,
    positions_from_bytes,
)
from programs.event_layout import EventKind
from programs.events import MalformedEventError, TruncatedLogsError
from programs.layout import POSITION_BYTES, POSITION_DTYPE

KINDS = [Global, Vault, Market, Position, Maker, Stake, Epoch]
OURS, THEIRS = Pubkey.from_bytes(bytes([1] * 32)), Pubkey.from_bytes(bytes([2] * 32))
LETTERS = "Program data:invoke[1]success=+/ \n\0\u00e9\u4e2d"
STAKED = struct.pack("<BBHIQQ", 1, 5, 0, event_layout.VAULT_SERIES, 1, 9) + bytes(32) + bytes(32)


def line(data: bytes) -> str:
    return "Program data: " + base64.b64encode(data).decode()


def inside(program: Pubkey, *lines: str, depth: int = 1) -> list[str]:
    return [f"Program {program} invoke [{depth}]", *lines, f"Program {program} success"]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(max_size=700), number=st.integers(0, 9), version=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_an_account_decodes_or_is_malformed(kind, data, number, version):
    for candidate in (data, bytes([number, version]) + data, bytes([kind._kind, 1]) + data):
        with contextlib.suppress(MalformedAccountError):
            assert isinstance(kind.from_bytes(candidate), kind)


def test_the_sentence_of_a_malformed_account_says_what_was_found():
    with pytest.raises(MalformedAccountError, match="found 3 bytes, expected at least 176"):
        Vault.from_bytes(b"\2\1\0")
    with pytest.raises(MalformedAccountError, match="found account kind 4 version 1"):
        Vault.from_bytes(bytes([4, 1]) + bytes(174))
    with pytest.raises(MalformedAccountError, match="for a market of 2 pools"):
        Market.from_bytes(bytes([3, 1, 0, 0, 3, 2]) + bytes(260))
    with pytest.raises(MalformedAccountError, match="found 104 bytes, expected 112 for an epoch"):
        Epoch.from_bytes(bytes([8, 1, *bytes(18), 1]) + bytes(83))
    with pytest.raises(MalformedAccountError, match="found 0 bytes of kind none, expected an ep"):
        Epoch.from_bytes(b"")


def test_a_bitmap_answers_for_its_leaves_alone():
    epoch = Epoch.from_bytes(bytes([8, 1, *bytes(18), 10]) + bytes(83) + b"\x81\x02" + bytes(6))
    assert [leaf for leaf in range(10) if epoch.is_paid(leaf)] == [0, 7, 9]
    for leaf in (-1, 10):
        with pytest.raises(IndexError, match="expected 0 to 9"):
            epoch.is_paid(leaf)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.binary(min_size=POSITION_BYTES - 2, max_size=POSITION_BYTES - 2).map(
                b"\4\1".__add__
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_many_positions_decode_with_a_row_of_zeros_for_each_stranger(accounts):
    rows = positions_from_bytes(accounts)
    assert len(rows) == len(accounts)
    for row, data in zip(rows, accounts, strict=True):
        if len(data) == POSITION_BYTES and data[:2] == b"\4\1":
            assert row.tobytes() == data
        else:
            assert row.tobytes() == bytes(POSITION_BYTES)


def test_a_row_and_an_object_of_the_same_bytes_agree():
    data = bytes([4, 1]) + bytes(range(2, 160))
    row, position = positions_from_bytes([data])[0], Position.from_bytes(data)
    assert isinstance(row, np.void)
    for name in ("shares", "margin", "debt", "residual", "position_id", "margin_bps", "side"):
        assert row[name] == getattr(position, name)
    assert row["owner"].tobytes() == bytes(position.owner)
    assert POSITION_DTYPE.itemsize == len(data)


@given(data=st.binary(max_size=400), kind=st.integers(0, 12), version=st.integers(0, 2))
@settings(max_examples=300, deadline=None)
def test_an_event_decodes_or_is_malformed(data, kind, version):
    for candidate in (data, bytes([version, kind]) + data):
        try:
            event = events.decode(candidate)
        except MalformedEventError:
            continue
        assert candidate[:2] == bytes([1, event.kind])


@given(st.sampled_from(EventKind), st.data())
@settings(max_examples=100, deadline=None)
def test_every_field_of_an_event_comes_back(kind, data):
    values = [
        data.draw(
            st.binary(min_size=32, max_size=32)
            if code == "32s"
            else st.integers(0, 2 ** (8 * struct.calcsize(code)) - 1)
        )
        for _, code in event_layout.BODIES[kind]
    ]
    tail, records = b"", []
    if kind in event_layout.TAILS:
        counter, body = event_layout.TAILS[kind]
        record = event_layout.TAIL_STRUCTS[kind]
        tail = data.draw(
            st.lists(st.binary(min_size=record.size, max_size=record.size), max_size=16)
        )
        values[[name for name, _ in event_layout.BODIES[kind]].index(counter)] = len(tail)
        records = [dict(zip((n for n, _ in body), record.unpack(row), strict=True)) for row in tail]
        tail = b"".join(tail)
    encoded = struct.pack("<BBHIQQ", 1, kind, 0, 3, 4, 5) + event_layout.STRUCTS[kind].pack(*values)
    event = events.decode(encoded + tail)
    assert (event.series, event.sequence, event.slot) == (3, 4, 5)
    assert [
        {name: value if isinstance(value, int) else bytes(value) for name, value in found.items()}
        for found in event.records
    ] == records
    for (name, code), value in zip(event_layout.BODIES[kind], values, strict=True):
        if code == "32s":
            assert bytes(event.address(name)) == value
        else:
            assert event.amount(name) == value


@given(
    st.lists(
        st.one_of(
            st.text(LETTERS, max_size=60),
            st.text(LETTERS, max_size=40).map("Program data: ".__add__),
            st.binary(max_size=120).map(line),
            st.sampled_from(
                [
                    f"Program {OURS} invoke [1]",
                    f"Program {THEIRS} invoke [2]",
                    f"Program {OURS} success",
                    f"Program {THEIRS} failed: custom program error: 0x1",
                    "Log truncated",
                    line(STAKED),
                ]
            ),
        ),
        max_size=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_log_decodes_or_is_malformed(logs):
    try:
        found = events.decode_logs(logs, OURS)
    except MalformedEventError:
        return
    assert "Log truncated" not in logs
    assert all(isinstance(event, events.Event) for event in found)


def test_a_line_beyond_ascii_is_malformed():
    with pytest.raises(MalformedEventError, match="expected base64"):
        events.decode_logs(inside(OURS, "Program data: é"), OURS)


@pytest.mark.parametrize(
    "logs",
    [
        [line(STAKED)],
        inside(THEIRS, line(STAKED)),
        inside(OURS, *inside(THEIRS, line(STAKED), depth=2)),
        [*inside(OURS), line(STAKED)],
        inside(THEIRS, f"Program log: Program {OURS} invoke [1]", line(STAKED)),
        inside(THEIRS, f"Program log: \nProgram {OURS} invoke [1]", line(STAKED)),
        inside(THEIRS, f"Program return: {OURS} invoke [1]", line(STAKED)),
        inside(OURS, f"Program log: {line(STAKED)}"),
        [*inside(THEIRS, *inside(OURS, depth=2)[:1], f"Program {OURS} failed: x", line(STAKED))],
    ],
)
def test_what_others_log_is_no_event_of_ours(logs):
    assert events.decode_logs(logs, OURS) == []


@pytest.mark.parametrize(
    "logs",
    [
        inside(OURS, line(STAKED)),
        inside(THEIRS, *inside(OURS, line(STAKED), depth=2)),
        inside(OURS, *inside(THEIRS, line(bytes(90)), depth=2), line(STAKED)),
        inside(OURS, f"Program log: Program {OURS} success", line(STAKED)),
        inside(OURS, f"Program {OURS} consumed 5 of 9 compute units", line(STAKED)),
    ],
)
def test_what_the_program_logged_is_found_at_any_depth(logs):
    (event,) = events.decode_logs(logs, OURS)
    assert event.kind is EventKind.STAKED


def test_truncated_logs_are_not_mistaken_for_few_events():
    with pytest.raises(TruncatedLogsError, match="read the accounts"):
        events.decode_logs([*inside(OURS, line(STAKED)), "Log truncated"], OURS)
