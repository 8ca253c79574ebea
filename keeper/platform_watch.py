"""Is it still the platform that the keeper was started for? Asked again and again while it runs.

The program is immutable and its genesis fixed, so nothing of the sort is expected: another program at the address, an
authority that can upgrade it, other genesis parameters mean that somebody did what cannot be done, or that an endpoint
shows another world. Nothing is signed for either: the run ends in order. A halt is not that; it is the platform's own word
that nothing new may be opened.

One answer is believed by nobody: a difference counts only when the finalized chain has shown it twice in a row.
"""

import hashlib
from typing import Final

import structlog
import trio
from solders.pubkey import Pubkey

from keeper.cluster import ClusterFacts
from keeper.interrupt import Orders
from keeper.newest import Newest
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from programs.accounts import Global, MalformedAccountError
from programs.addresses import global_address
from programs.loader import LOADER, NotProgramData, decode_program_data, program_data_address
from programs.outage import Outage
from programs.rpc import Account, Rpc, RpcFailure
from state.progress import beat

_FIXED: Final = (
    "season_start_slot",
    "season_slots",
    "market_authority",
    "oracle_authority",
    "incentives_authority",
    "fee_treasury_owner",
    "halt_authority",
    "quote_mint",
    "mmt_mint",
    "vault",
)
"""Of the genesis account; the rest are counters, and the halt."""
_LOOK_AGAIN_SLOTS: Final = 5
log = structlog.get_logger()


async def watch_platform(
    rpc: Rpc,
    facts: ClusterFacts,
    chain: Newest[Snapshot],
    orders: Orders,
    interval_s: float,
    slot_s: float,
) -> None:
    """Compare the platform with what it was at the start, until cancelled; end the run once it is another.

    A scan that shows other parameters brings the next look forward.
    """
    outage = Outage(subject="platform")
    suspicion = ""
    while not orders.stop.is_set():
        beat()
        with trio.move_on_after(slot_s * _LOOK_AGAIN_SLOTS if suspicion else interval_s):
            await _wait_suspect(facts, chain)
            await trio.sleep(slot_s * _LOOK_AGAIN_SLOTS)  # to be finalized, if it ever is
        try:
            found = await _difference(rpc, facts)
        except RpcFailure as failure:
            outage.note_failure(str(failure))
            continue
        outage.note_success()
        if found and found == suspicion:
            log.error("platform.changed", reason=found)
            orders.end_because(found)
        elif found:
            log.warning("platform.differs", reason=found, effect="looking again")
        suspicion = found


async def tell_halts(chain: Newest[Snapshot], tally: Tally) -> None:
    """Say when the platform is halted and when it goes on again, until cancelled: no error, nothing is opened meanwhile."""
    sequence, is_halted = 0, False
    while True:
        sequence, snapshot = await chain.wait_newer(sequence)
        if bool(snapshot.global_.halted) != is_halted:
            tally.is_halted = is_halted = not is_halted
            if is_halted:
                effect = "nothing is opened and no chain goes on; prices and liquidations do"
                log.warning("platform.halted", slot=snapshot.slot, effect=effect)
            else:
                log.info("platform.resumed", slot=snapshot.slot)


async def _wait_suspect(facts: ClusterFacts, chain: Newest[Snapshot]) -> None:
    sequence = 0
    while True:
        sequence, snapshot = await chain.wait_newer(sequence)
        if changed_parameters(facts.parameters, snapshot.global_):
            return


async def _difference(rpc: Rpc, facts: ClusterFacts) -> str:
    """Say in one sentence what is not as it was; empty: all is.

    Raises:
        RpcFailure: no node could say.
    """
    holder = program_data_address(facts.program)
    addresses = [facts.program, holder, global_address(facts.program)[0]]
    program, code, genesis = (await rpc.get_multiple_accounts(addresses, "finalized")).accounts
    if program is None or program.owner != LOADER:
        return f"program {facts.program} is gone from the cluster, or no program any more"
    return _code_difference(facts, holder, code) or _genesis_difference(facts, genesis)


def _code_difference(facts: ClusterFacts, holder: Pubkey, code: Account | None) -> str:
    if code is None:
        return f"program {facts.program} was closed: its code {holder} is gone"
    try:
        data = decode_program_data(code.data)
    except NotProgramData as error:
        return f"program {facts.program} was closed: {error}"
    found = hashlib.sha256(data.code).hexdigest()
    if found != facts.program_sha256:
        return (
            f"program {facts.program} was replaced in slot {data.deployed_slot}: its code has sha256 {found[:16]}…, "
            f"at the start it had {facts.program_sha256[:16]}…"
        )
    if data.authority != facts.upgrade_authority:
        return f"program {facts.program} can now be upgraded by {data.authority}"
    return ""


def _genesis_difference(facts: ClusterFacts, genesis: Account | None) -> str:
    if genesis is None or genesis.owner != facts.program:
        return f"the genesis account of {facts.program} is gone"
    try:
        now = Global.from_bytes(genesis.data)
    except MalformedAccountError as error:
        return f"the genesis account of {facts.program} cannot be read any more: {error}"
    changed = changed_parameters(facts.parameters, now)
    return f"genesis parameters of {facts.program} changed: {', '.join(changed)}" if changed else ""


def changed_parameters(before: Global, now: Global) -> list[str]:
    """Name what genesis fixed and is another value now, with both; a halt that was used up changes nothing."""
    return [
        f"{name} was {getattr(before, name)}, is {getattr(now, name)}"
        for name in _FIXED
        if getattr(now, name) != getattr(before, name)
        and not (name == "halt_authority" and _is_used_up(now))
    ]


def _is_used_up(now: Global) -> bool:
    """Whether the one halt has happened: its authority is gone with it. Source: programs/betting_platform/halt.c."""
    return bool(now.halted) and now.halt_authority == Pubkey.default()
