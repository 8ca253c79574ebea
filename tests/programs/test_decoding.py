"""Any bytes of the program by name; live ones: tests/pipeline/test_decode.py and tests/chain/test_idl.py."""

import base64
import struct

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs import event_layout, instructions, layout
from programs.betting_platform.headers import load_interface
from programs.decoding import (
    MalformedBytesError,
    decode_account,
    decode_event,
    decode_instruction,
    rows,
)
from programs.landed import take_apart
from programs.meanings import in_words
from programs.rpc import TransactionFacts

INTERFACE = load_interface()
PROGRAM, OTHER = (Pubkey.from_bytes(bytes([n] * 32)) for n in (1, 2))
PAYER = Keypair.from_seed(bytes(32))
HALTED = struct.pack("<BBHIQQ", 1, 25, 0, event_layout.VAULT_SERIES, 3, 9) + bytes([5] * 32)


def facts(*ixs: Instruction, logs: tuple[str, ...] = (), **changed) -> TransactionFacts:
    message = MessageV0.try_compile(PAYER.pubkey(), list(ixs), [], Hash.default())
    wire = bytes(VersionedTransaction(message, [PAYER]))
    values = {"slot": 9, "err": None, "fee_lamports": 5_000, "cu_used": 7, "logs": logs}
    return TransactionFacts(**values | {"wire": wire} | changed)


def logged(data: bytes) -> tuple[str, ...]:
    line = "Program data: " + base64.b64encode(data).decode()
    return (f"Program {PROGRAM} invoke [1]", line, f"Program {PROGRAM} success")


def halt(data: bytes = bytes([22])) -> Instruction:
    metas = [AccountMeta(PAYER.pubkey(), is_signer=True, is_writable=True)] * 3
    return Instruction(PROGRAM, data, metas)


def test_an_account_has_every_field_by_name_and_no_padding():
    data = bytearray(layout.STAKE_DTYPE.itemsize)
    data[0:3] = bytes([6, 1, 254])
    data[8:40] = bytes(OTHER)
    data[40:48] = (2_500_000_000).to_bytes(8, "little")
    found = decode_account(INTERFACE, bytes(data))
    assert found.name == "stake"
    assert list(found.fields) == [
        "kind", "version", "bump", "owner", "shares", "requested_shares", "request_slot", "request_value",
    ]  # fmt: skip
    assert found.fields["owner"] == OTHER
    (row,) = [row for row in rows(INTERFACE, found) if row.field == "shares"]
    assert in_words(INTERFACE, row.struct, row.field, row.value) == "2.500000000 vault shares"


def test_records_are_counted_by_the_account_itself():
    data = bytearray(layout.market_bytes(2))
    data[0:2], data[5] = bytes([3, 1]), 2
    data[256 + 160 : 256 + 168] = (7).to_bytes(8, "little")
    found = decode_account(INTERFACE, bytes(data))
    told = {row.path: row.value for row in rows(INTERFACE, found)}
    assert told["records[1].liquidity"] == 7
    assert told["records[0].outstanding[1]"] == 0
    with pytest.raises(MalformedBytesError, match="found 575 bytes, expected 576 for market"):
        decode_account(INTERFACE, bytes(data[:-1]))


def test_a_bitmap_is_as_long_as_its_leaves_need():
    data = bytearray(layout.EPOCH_DTYPE.itemsize + 16)
    data[0:2] = bytes([8, 1])
    data[20:24] = (65).to_bytes(4, "little")
    data[-16] = 3
    assert decode_account(INTERFACE, bytes(data)).fields["records"] == "03" + "00" * 15


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "found 0 bytes beginning nowhere, expected an account's kind"),
        (bytes([99, 1]), "found 2 bytes beginning 6301, expected an account's kind"),
        (bytes([6, 2]) + bytes(102), "beginning 0602"),
        (bytes([6, 1]), "found 2 bytes, expected 104 for stake"),
        (bytes([6, 1]) + bytes(103), "found 105 bytes, expected 104 for stake"),
    ],
)
def test_what_is_no_account_is_said_in_one_sentence(data, expected):
    with pytest.raises(MalformedBytesError, match=expected):
        decode_account(INTERFACE, data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "found an event of 0 bytes, expected 24"),
        (HALTED[:1] + bytes([200]) + HALTED[2:], "found an event of kind 200"),
        (HALTED + b"x", "found 57 bytes, expected 56 for event_halted"),
    ],
)
def test_what_is_no_event_is_said_in_one_sentence(data, expected):
    with pytest.raises(MalformedBytesError, match=expected):
        decode_event(INTERFACE, data)


def test_an_instruction_has_its_accounts_and_arguments_by_name():
    built = instructions.liquidate(PROGRAM, OTHER, OTHER, OTHER, [PROGRAM, OTHER])
    found = decode_instruction(INTERFACE, built)
    assert found.name == "liquidate"
    assert list(found.accounts)[:3] == ["keeper", "global", "market"]
    assert found.more == (PROGRAM, OTHER)
    assert found.arguments == {}
    posted = instructions.update_prices(
        PROGRAM, OTHER, OTHER, price_class=1, publish_slot=9, readings=[(500_000, 7), (1, 2)]
    )
    arguments = decode_instruction(INTERFACE, posted).arguments
    assert arguments["readings"][1] == {"price_e6": 1, "band_e6": 2}
    told = {
        row.path: in_words(INTERFACE, row.struct, row.field, row.value)
        for row in rows(INTERFACE, decode_instruction(INTERFACE, posted))
    }
    assert told["price_class"] == "degraded"
    assert told["readings[0].price_e6"] == "0.500000"


def test_data_of_another_length_is_said_in_one_sentence():
    with pytest.raises(MalformedBytesError, match="found 2 bytes of data for halt, expected 1"):
        decode_instruction(INTERFACE, halt(bytes([22, 0])))
    with pytest.raises(
        MalformedBytesError, match="found instruction data ff, expected a tag from 0 to"
    ):
        decode_instruction(INTERFACE, halt(b"\xff"))
    with pytest.raises(MalformedBytesError, match="data for pay_rewards, expected 8 or more"):
        decode_instruction(INTERFACE, halt(bytes([19, 0])))
    rest = decode_instruction(INTERFACE, halt(bytes([19]) + bytes(7) + b"\x01\x02"))
    assert rest.arguments["rest"] == "0102"


def test_a_transaction_is_taken_apart_in_order():
    foreign = Instruction(OTHER, b"\0", [])
    landed = take_apart(INTERFACE, PROGRAM, facts(foreign, halt(), logs=logged(HALTED)))
    assert [(step.program, step.decoded and step.decoded.name) for step in landed.steps] == [
        (OTHER, None),
        (PROGRAM, "halt"),
    ]
    assert [event.name for event in landed.events] == ["halted"]
    assert landed.is_of(PROGRAM)
    assert landed.problem == ""


def test_events_before_the_cut_of_truncated_logs_are_kept():
    landed = take_apart(INTERFACE, PROGRAM, facts(halt(), logs=(*logged(HALTED), "Log truncated")))
    assert [event.name for event in landed.events] == ["halted"]
    assert "truncated" in landed.problem


def test_an_instruction_that_is_not_understood_does_not_hide_the_others():
    landed = take_apart(INTERFACE, PROGRAM, facts(halt(b"\xff"), halt()))
    assert [step.decoded and step.decoded.name for step in landed.steps] == [None, "halt"]
    assert landed.steps[0].problem.startswith("found instruction data ff")


def test_a_transaction_of_others_is_not_ours():
    landed = take_apart(INTERFACE, PROGRAM, facts(Instruction(OTHER, b"\0", [])))
    assert not landed.is_of(PROGRAM)


def test_addresses_out_of_lookup_tables_count_on_after_the_messages_own():
    whole = facts(halt())
    message = VersionedTransaction.from_bytes(whole.wire).message
    # The same instruction, its last account moved behind the keys of the message.
    (compiled,) = message.instructions
    wire = whole.wire.replace(bytes(compiled.accounts), bytes([0, 0, len(message.account_keys)]))
    found = take_apart(INTERFACE, PROGRAM, facts(wire=wire, loaded=(OTHER,)))
    assert found.steps[0].decoded.accounts["vault"] == OTHER
    with pytest.raises(MalformedBytesError, match="the node left out the addresses"):
        take_apart(INTERFACE, PROGRAM, facts(wire=wire))


@pytest.mark.parametrize("version", [Message, MessageV1])
def test_transactions_of_other_versions_are_read_too(version):
    """Version 1 has its signatures at the end, no lookup tables, and its compute budget in the message."""
    message = (
        Message.new_with_blockhash([halt()], PAYER.pubkey(), Hash.default())
        if version is Message
        else MessageV1.try_compile(
            PAYER.pubkey(),
            [halt()],
            Hash.default(),
            TransactionConfig(compute_unit_limit=5_000, priority_fee=7),
        )
    )
    found = take_apart(
        INTERFACE, PROGRAM, facts(wire=bytes(VersionedTransaction(message, [PAYER])))
    )
    assert [step.decoded.name for step in found.steps] == ["halt"]


def test_bytes_that_are_no_transaction_are_refused():
    with pytest.raises(MalformedBytesError, match="found 3 bytes, no transaction"):
        take_apart(INTERFACE, PROGRAM, facts(wire=b"abc"))


@pytest.mark.parametrize(
    ("struct_name", "field", "value", "expected"),
    [
        ("vault", "cash", 1_234_567_890_123, "$1_234_567.890123"),
        ("vault", "weighted_debt_e6", 500_000 * 10**6, "$0.500000000000"),
        ("position", "shares", 5, "0.000005 shares"),
        ("position", "side", 1, "no"),
        ("position", "side", 9, "unknown"),
        ("market", "status", 1, "resolved"),
        ("chain", "status", 2, "cancelled"),
        ("chain_step", "kind", 3, "arbitrage"),
        ("pool", "liquidity", 10**12, "L = 1_000_000.000000"),
        ("epoch", "total", 10**9, "1.000000000 MMT"),
        ("event_bad_debt", "total", 10**6, "$1.000000"),
        ("global", "posted_mmt", 1, "0.000000001 MMT"),
        ("position", "margin_bps", 500, "5.00 %"),
        ("event_position_opened", "fee_rate_ubp", 28_000_000, "28.000000 bp"),
        ("close_position_data", "shares", 2**64 - 1, "all"),
        ("event_chain_stepped", "shares", 7, ""),
        ("global", "market_count", 7, ""),
    ],
)
def test_an_integer_is_told_in_the_unit_it_is_counted_in(struct_name, field, value, expected):
    assert in_words(INTERFACE, struct_name, field, value) == expected
