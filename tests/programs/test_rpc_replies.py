"""programs/rpc_replies.py: results of another shape than documented. Whole calls: test_rpc.py."""

import pytest

from programs.rpc import RpcBadReply
from programs.rpc_replies import parse_reply, read_context


@pytest.mark.parametrize(
    "found",
    [{"context": {"slot": 1}, "value": {}}, {"context": {"slot": -1}, "value": []}, [], None],
)
def test_program_accounts_in_another_frame_are_no_data(found):
    with pytest.raises(RpcBadReply, match="getProgramAccounts: unexpected result"):
        parse_reply(read_context, "getProgramAccounts", found)
