"""programs/rpc_replies.py: results of another shape than documented. Whole calls: test_rpc.py."""

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from programs.rpc import RpcBadReply
from programs.rpc_replies import (
    parse_reply,
    read_address_signatures,
    read_blockhash,
    read_facts,
    read_program_accounts,
)

PROGRAM = Pubkey(bytes([7]) * 32)


@pytest.mark.parametrize(
    "found",
    [{"context": {"slot": 1}, "value": {}}, {"context": {"slot": -1}, "value": []}, [], None],
)
def test_program_accounts_in_another_frame_are_no_data(found):
    with pytest.raises(RpcBadReply, match="getProgramAccounts: unexpected result"):
        parse_reply(
            lambda reply: read_program_accounts(reply, PROGRAM), "getProgramAccounts", found
        )


def row(number, owner=PROGRAM):
    return {
        "pubkey": str(Pubkey(number.to_bytes(32))),
        "account": {"owner": str(owner), "data": ["AA==", "base64"]},
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"value": [row(1), row(2), row(1)]}, "an address stands twice among 3 accounts"),
        ({"value": [row(1)], "paginationKey": "abc"}, "one page of 1 accounts: paginationKey says"),
        ({"value": [row(1), row(2, Pubkey.default())]}, "belongs to 1{32}, not"),
    ],
)
def test_a_list_that_cannot_be_all_accounts_of_the_program_is_refused_as_a_whole(found, words):
    with pytest.raises(RpcBadReply, match=words):
        parse_reply(
            lambda reply: read_program_accounts(reply, PROGRAM),
            "getProgramAccounts",
            {"context": {"slot": 1}} | found,
        )


def test_the_signatures_of_an_address_are_read_with_their_errors():
    signature = Signature(bytes([7] * 64))
    entries = [
        {"signature": str(signature), "slot": 9, "err": None, "memo": None},
        {"signature": str(signature), "slot": 8, "err": {"InstructionError": [0, "Odd"]}},
    ]
    first, second = parse_reply(read_address_signatures, "getSignaturesForAddress", entries)
    assert (signature, 9, None) == (first.signature, first.slot, first.err)
    assert {"InstructionError": [0, "Odd"]} == second.err


@pytest.mark.parametrize(
    "found", [[{"signature": "short", "slot": 1, "err": None}], [{"slot": 1}], None, {"value": []}]
)
def test_signatures_of_another_shape_are_no_data(found):
    with pytest.raises(RpcBadReply, match="getSignaturesForAddress: unexpected result"):
        parse_reply(read_address_signatures, "getSignaturesForAddress", found)


@pytest.mark.parametrize("lie", [{"fee": 2**63}, {"fee": -1}, {"computeUnitsConsumed": 1_400_001}])
def test_facts_that_no_transaction_can_have_are_refused(lie):
    found = {"slot": 5, "meta": {"err": None, "fee": 5_000, "computeUnitsConsumed": 7} | lie}
    with pytest.raises(RpcBadReply):
        parse_reply(read_facts, "getTransaction", found)


def test_a_blockhash_that_outlives_its_chain_is_refused():
    value = {"blockhash": str(PROGRAM), "lastValidBlockHeight": 1_150}
    found = {"context": {"slot": 1_000}, "value": value}
    assert parse_reply(read_blockhash, "getLatestBlockhash", found).last_valid_block_height == 1_150
    value["lastValidBlockHeight"] = 2_000
    with pytest.raises(RpcBadReply, match="valid for longer"):
        parse_reply(read_blockhash, "getLatestBlockhash", found)
