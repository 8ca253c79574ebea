"""programs/rpc_replies.py: results of another shape than documented. Whole calls: test_rpc.py."""

import pytest
from solders.pubkey import Pubkey

from programs.rpc import RpcBadReply
from programs.rpc_replies import parse_reply, read_program_accounts

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
