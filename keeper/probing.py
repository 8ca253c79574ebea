"""Ask the loader, by simulation, whether anybody could still change a program."""

from collections.abc import Mapping
from typing import Final

import trio
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.errors import in_words
from programs.findings import ProbeAnswer
from programs.probes import PROBE_BUFFER_BYTES, PROBE_NAMES, attempts_to_change
from programs.rent import RentRate
from programs.rpc import Rpc, RpcError
from programs.units import SIGNATURE_FEE_LAMPORTS, Lamports, Slot

_POLL_S: Final = 0.05
_SIGNATURES: Final = 2


def probe_lamports(rate: RentRate) -> Lamports:
    """Return what an account must have for the probes to be simulated in its name; none of it is spent."""
    rent = rate.exempt_lamports(PROBE_BUFFER_BYTES) + rate.exempt_lamports(0)
    return Lamports(rent + _SIGNATURES * SIGNATURE_FEE_LAMPORTS)


def skip_probes(reason: str) -> dict[str, ProbeAnswer]:
    """Answer every probe with the reason why it was not made."""
    return dict.fromkeys(PROBE_NAMES, ProbeAnswer(skipped=reason))


async def probe_program(
    rpc: Rpc, program: Pubkey, deployed_slot: Slot, payer: Pubkey, rate: RentRate
) -> Mapping[str, ProbeAnswer]:
    """Simulate Upgrade, SetAuthority and Close in the name of `payer`, whose signature is not needed.

    Raises:
        RpcUnavailable: the cluster does not answer.
    """
    # In the slot of a deployment the loader answers that it is too early, not that the program is immutable.
    while await rpc.get_slot("processed") <= deployed_slot:  # noqa: ASYNC110 - the cluster's slot has no event
        await trio.sleep(_POLL_S)
    spare = Keypair().pubkey()
    rent = rate.exempt_lamports(PROBE_BUFFER_BYTES)
    attempts = attempts_to_change(program, payer, spare, rent)
    latest = await rpc.get_latest_blockhash("confirmed")
    answers: dict[str, ProbeAnswer] = {}
    for attempt in attempts:
        wire = bytes(attempt.unsigned(payer, latest.blockhash))
        answers[attempt.name] = await _simulate(rpc, wire)
    return answers


async def _simulate(rpc: Rpc, wire: bytes) -> ProbeAnswer:
    try:
        simulation = await rpc.simulate_transaction(wire, replace_blockhash=True)
    except RpcError as error:
        return ProbeAnswer(skipped=f"the RPC endpoint does not simulate ({error})")
    if isinstance(simulation.err, str):
        # Turned away before the loader saw it: that says nothing about the program.
        return ProbeAnswer(
            skipped=f"the simulation did not reach the loader ({in_words(simulation.err)})"
        )
    return ProbeAnswer(error=simulation.err)
