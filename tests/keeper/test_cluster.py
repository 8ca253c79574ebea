"""keeper/cluster.py: against the deployed program in a real SVM, and against clusters that are wrong in one way."""

from dataclasses import replace

import pytest
import trio
from scripted import PROGRAM, account_of, put_platform
from solders.pubkey import Pubkey

from keeper.cluster import check_cluster
from keeper.errors import ClusterError
from programs.addresses import global_address
from programs.loader import LOADER, PROGRAM_DATA_HEADER_BYTES
from programs.rpc import RpcTimeout
from tests.fakes import FakeRpc, ScriptedCluster

CODE = b"the program's own bytes"
HOLDER = Pubkey(bytes([5] * 32))


def program_data(code=CODE, authority=None):
    head = (3).to_bytes(4, "little") + (9).to_bytes(8, "little")
    head += b"\1" + bytes(authority) if authority else bytes(33)
    assert len(head) == PROGRAM_DATA_HEADER_BYTES
    return head + code


@pytest.fixture
def expected_so(tmp_path):
    path = tmp_path / "program.so"
    path.write_bytes(CODE)
    return path


class Cluster:
    """A cluster with everything right, until a test takes something away."""

    def __init__(self):
        self.rpc = FakeRpc(ScriptedCluster(trio.current_time))
        put_platform(self.rpc)
        accounts = self.rpc.accounts
        accounts[PROGRAM] = account_of((2).to_bytes(4, "little") + bytes(HOLDER), owner=LOADER)
        accounts[HOLDER] = account_of(program_data(), owner=LOADER)

    async def check(self, expected_so):
        return await check_cluster(self.rpc, PROGRAM, expected_so)


async def test_the_right_program_without_an_authority_is_described(expected_so):
    facts = await Cluster().check(expected_so)
    assert (PROGRAM, None, 64) == (
        facts.program,
        facts.upgrade_authority,
        len(facts.program_sha256),
    )


@pytest.mark.parametrize(
    ("address", "data", "expected"),
    [
        (PROGRAM, None, "has no program .* check cluster.rpc_urls"),
        (PROGRAM, b"short", "is not a deployed program"),
        (HOLDER, None, "is closed"),
        (HOLDER, b"short", "is not a deployed program"),
        (HOLDER, program_data(CODE + b"!"), r"\(24 bytes\), this keeper expects .*\(23 bytes\)"),
        (HOLDER, program_data(authority=PROGRAM), "can still be upgraded by"),
        (global_address(PROGRAM)[0], None, "has had no genesis yet"),
        (global_address(PROGRAM)[0], b"short", "genesis account .* cannot be read"),
    ],
)
async def test_every_wrong_cluster_is_refused_in_one_sentence(expected_so, address, data, expected):
    cluster = Cluster()
    found = cluster.rpc.accounts.pop(address)
    if data is not None:
        cluster.rpc.accounts[address] = replace(found, data=data)
    with pytest.raises(ClusterError, match=expected) as caught:
        await cluster.check(expected_so)
    assert "\n" not in str(caught.value)


async def test_a_program_of_another_owner_is_no_program(expected_so):
    cluster = Cluster()
    cluster.rpc.accounts[PROGRAM] = account_of(b"")
    with pytest.raises(ClusterError, match="expected the upgradeable loader"):
        await cluster.check(expected_so)


async def test_a_silent_cluster_is_not_guessed_at(expected_so):
    cluster = Cluster()
    cluster.rpc.faults["get_account"] = [RpcTimeout("no answer")]
    with pytest.raises(ClusterError, match="cannot be read \\(no answer\\)"):
        await cluster.check(expected_so)
