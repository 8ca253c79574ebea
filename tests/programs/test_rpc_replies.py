"""programs/rpc_replies.py: results of another shape than documented. Whole calls: test_rpc.py."""

import pytest
from solders.signature import Signature

from programs.rpc import RpcBadReply
from programs.rpc_replies import parse_reply, read_address_signatures, read_context


@pytest.mark.parametrize(
    "found",
    [{"context": {"slot": 1}, "value": {}}, {"context": {"slot": -1}, "value": []}, [], None],
)
def test_program_accounts_in_another_frame_are_no_data(found):
    with pytest.raises(RpcBadReply, match="getProgramAccounts: unexpected result"):
        parse_reply(read_context, "getProgramAccounts", found)


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
