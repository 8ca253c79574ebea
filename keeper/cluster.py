"""Is this the cluster the keeper was built for? Asked once at the start, before anything is signed.

The program is immutable, so its bytes are compared with the committed ones: another program at the same address would
understand our instructions in its own way.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.errors import ClusterError
from programs.accounts import Global, MalformedAccountError
from programs.addresses import global_address
from programs.agreement import Landmark
from programs.endpoint_urls import shown_url
from programs.loader import (
    LOADER,
    PROGRAM_DATA_HEADER_BYTES,
    NotProgramData,
    decode_program,
    decode_program_data,
    program_data_address,
)
from programs.rpc import Rpc, RpcFailure
from programs.rpc_http import open_rpc
from programs.rpc_settings import RpcSettings
from programs.units import Slot

_LANDMARK_BYTES: Final = 1_024
"""The ELF's headers and its first code: small enough to be asked for every few seconds."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What the cluster said of itself and of the program."""

    genesis_hash: str
    slot: Slot
    """Confirmed, when it was asked."""
    program: Pubkey
    program_sha256: str
    upgrade_authority: Pubkey | None
    """None: burned, nobody can change the program."""
    parameters: Global


async def check_cluster(rpc: Rpc, program: Pubkey, expected_so: Path) -> ClusterFacts:
    """Read the program and its genesis, and compare with what this keeper expects.

    Raises:
        ClusterError: unreachable, another program, no genesis, or an upgrade authority that is not burned.
    """
    try:
        genesis_hash = str(await rpc.get_genesis_hash())
        account = await rpc.get_account(program, "confirmed")
        if account is None:
            raise ClusterError(
                f"the cluster (genesis {genesis_hash}) has no program {program}: check "
                "cluster.rpc_urls and cluster.program_id in keeper.toml, or run `keeper deploy` first"
            )
        if account.owner != LOADER:
            raise ClusterError(
                f"program {program} belongs to {account.owner}, expected the upgradeable loader {LOADER}: "
                "check cluster.program_id in keeper.toml"
            )
        code_address = decode_program(account.data)
        holder = await rpc.get_account(code_address, "confirmed")
        if holder is None:
            raise ClusterError(f"program {program} is closed: its code {code_address} is gone")
        code = decode_program_data(holder.data)
        parameters = await rpc.get_account(global_address(program)[0], "confirmed")
        slot = await rpc.get_slot("confirmed")
    except RpcFailure as failure:
        raise ClusterError(
            f"the cluster cannot be read ({failure}): check that it runs and that cluster.rpc_urls in "
            "keeper.toml is right"
        ) from failure
    except NotProgramData as error:
        raise ClusterError(f"{program} is not a deployed program: {error}") from error
    expected = await trio.Path(expected_so).read_bytes()
    found_sha256 = hashlib.sha256(code.code).hexdigest()
    expected_sha256 = hashlib.sha256(expected).hexdigest()
    if code.code != expected:
        raise ClusterError(
            f"program {program} has sha256 {found_sha256[:16]}… ({len(code.code)} bytes), this keeper expects "
            f"{expected_sha256[:16]}… ({len(expected)} bytes): use the keeper release built for the deployed "
            "program, or correct cluster.program_id"
        )
    if code.authority is not None:
        raise ClusterError(
            f"program {program} can still be upgraded by {code.authority}: expected no upgrade authority; "
            "do not run money on it"
        )
    if parameters is None:
        raise ClusterError(f"program {program} has had no genesis yet: run `keeper genesis` first")
    try:
        genesis = Global.from_bytes(parameters.data)
    except MalformedAccountError as error:
        raise ClusterError(f"the genesis account of {program} cannot be read: {error}") from error
    return ClusterFacts(
        genesis_hash=genesis_hash,
        slot=slot,
        program=program,
        program_sha256=found_sha256,
        upgrade_authority=code.authority,
        parameters=genesis,
    )


async def program_landmark(program: Pubkey, expected_so: Path) -> Landmark:
    """Choose the bytes by which endpoints that serve another program at our address are found out."""
    code = await trio.Path(expected_so).read_bytes()
    return Landmark(
        address=program_data_address(program),
        owner=LOADER,
        offset=PROGRAM_DATA_HEADER_BYTES,
        data=code[:_LANDMARK_BYTES],
    )


async def check_endpoints(urls: Sequence[str], settings: RpcSettings, genesis_hash: str) -> None:
    """Ask each endpoint which cluster it serves: reads fail over between them, so all must be the same one.

    An endpoint that does not answer is logged; it is there for when another one fails.

    Raises:
        ClusterError: one serves another cluster; in a group.
    """
    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(_check_endpoint, url, settings, genesis_hash)


async def _check_endpoint(url: str, settings: RpcSettings, genesis_hash: str) -> None:
    async with open_rpc((url,), settings) as rpc:
        try:
            found = str(await rpc.get_genesis_hash())
        except RpcFailure as failure:
            log.warning("endpoint.unread", endpoint=shown_url(url), reason=str(failure))
            return
    if found != genesis_hash:
        raise ClusterError(
            f"{shown_url(url)} serves another cluster (genesis {found}) than the first of cluster.rpc_urls that answered "
            f"({genesis_hash}): list endpoints of one cluster only"
        )
