"""A program onto a cluster, for good: read what is there, do what is left, read again, and prove it.

Shell. Every decision is `programs.resume`'s. The buffer is read back at `finalized` before the last transaction: a fork
may take a confirmed write back, and burned code cannot be mended. The proof is read at `finalized` for the same reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import trio
from solders.account import Account as SoldersAccount

from keeper.errors import ClusterError
from keeper.land_steps import land_steps, why_not
from keeper.probing import probe_lamports, probe_program, skip_probes
from keeper.survey import Order, Survey, check_purse, sol, survey
from programs import loader
from programs.deploy import DeploymentFailed, DeploymentPlan
from programs.findings import ProbeAnswer
from programs.outcomes import Landed
from programs.proof import DeploymentProof, prove_deployment
from programs.resume import Begun, Done, Unbegun
from programs.rpc import Account, Rpc
from programs.step import Step
from programs.units import Lamports

FINALITY_TIMEOUT_S: Final = 180.0
"""31 slots take 13 s; a cluster that needs longer than this is in trouble, and the deployment goes on another day."""
_FINALITY_POLL_S: Final = 0.1
_ROUNDS_WITHOUT_PROGRESS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The end of a deployment."""

    proof: DeploymentProof
    probes: Mapping[str, ProbeAnswer]


async def deploy(rpc: Rpc, order: Order, tell: Callable[[str], None]) -> Proven:
    """Do what is left of a deployment, however far it has come, and prove it; `tell` hears how it goes.

    Raises:
        RpcFailure: the cluster cannot be read; running again goes on from here.
        DeploymentFailed: a transaction was refused again and again, the payer is too poor, or the proof fails.
        ClusterError: the cluster finalizes nothing.
    """
    rounds = 0
    reason = ""
    before = None
    while True:
        now = await survey(rpc, order)
        rounds = rounds + 1 if now.stage == before else 0
        before = now.stage
        if isinstance(now.stage, Done):
            now = await _survey_finalized(rpc, order, now)
        if isinstance(now.stage, Done):
            return await prove(rpc, order, now)
        if rounds > _ROUNDS_WITHOUT_PROGRESS_MAX:
            raise DeploymentFailed(
                f"the deployment makes no progress: {reason}; run it again to go on"
            )
        check_purse(order, now)
        if isinstance(now.stage, Begun) and not now.stage.left:
            tell("the buffer holds the code; waiting until that is finalized")
            now = await _survey_finalized(rpc, order, now)
        match now.stage:
            case Unbegun():
                tell(f"creating buffer {now.plan.buffer}")
                reason = await _land(rpc, order, (now.plan.first,))
            case Begun(left=()):
                tell("deploying and burning the authority, in one transaction")
                reason = await _land(rpc, order, (now.plan.last,))
            case Begun(left=left):
                reason = await _write(rpc, order, now.plan, left, tell)
            case Done():
                pass


async def prove(rpc: Rpc, order: Order, now: Survey) -> Proven:
    """Prove a deployment from what was read, and from what the loader says to attempts at changing it.

    Raises:
        RpcFailure: the cluster cannot be read.
        DeploymentFailed: the proof does not hold.
    """
    assert now.program is not None, "judged to be deployed"
    assert now.program_data is not None, "judged to be deployed"
    code = loader.decode_program_data(now.program_data.data)
    needed = probe_lamports(now.rate)
    if now.balance_lamports < needed:
        probes: Mapping[str, ProbeAnswer] = skip_probes(
            f"payer {order.payer.pubkey()} has less than {sol(needed)} SOL"
        )
    else:
        probes = await probe_program(
            rpc, order.image.program.pubkey(), code.deployed_slot, order.payer.pubkey(), now.rate
        )
    made = [(name, answer.error) for name, answer in probes.items() if answer.skipped is None]
    program, program_data = _as_solders(now.program), _as_solders(now.program_data)
    proof = prove_deployment(order.image, program, program_data, made)
    return Proven(proof=proof, probes=probes)


async def abandon(rpc: Rpc, order: Order) -> Lamports:
    """Close the buffer of an unfinished deployment; returns the rent that went back to the payer.

    Raises:
        RpcFailure: the cluster cannot be read.
        DeploymentFailed: there is no buffer of this program and these bytes, or it cannot be closed.
    """
    reason = ""
    recovered: Lamports | None = None
    for _ in range(_ROUNDS_WITHOUT_PROGRESS_MAX):
        now = await survey(rpc, order)
        if not isinstance(now.stage, Begun) or now.buffer is None:
            if recovered is not None:
                return recovered
            if isinstance(now.stage, Done):
                raise DeploymentFailed(
                    f"program {order.image.program.pubkey()} is deployed already: its buffer became the program, there "
                    "is nothing to close"
                )
            raise DeploymentFailed(
                f"there is no buffer {now.plan.buffer} to close: it belongs to this program keypair and these bytes; for "
                "other bytes give them with --so, and for buffers of any program use "
                "`solana program close --buffers`"
            )
        if now.balance_lamports < now.plan.abandon.fee_lamports:
            raise DeploymentFailed(
                f"payer {order.payer.pubkey()} has {sol(now.balance_lamports)} SOL, expected at least "
                f"{sol(now.plan.abandon.fee_lamports)} for the fee of closing the buffer: fund it and run again"
            )
        recovered = now.buffer.lamports
        reason = await _land(rpc, order, (now.plan.abandon,))
    raise DeploymentFailed(f"buffer {order.buffer_key.pubkey()} is still open: {reason}")


async def _write(
    rpc: Rpc,
    order: Order,
    plan: DeploymentPlan,
    left: tuple[Step, ...],
    tell: Callable[[str], None],
) -> str:
    total = len(plan.writes)
    written = total - len(left)
    reason = ""
    tell(f"{written} of {total} chunks written")
    for start in range(0, len(left), order.at_once):
        batch = left[start : start + order.at_once]
        outcomes = await land_steps(rpc, batch, order.pace)
        written += sum(isinstance(outcome, Landed) for outcome in outcomes)
        reason = why_not(outcomes) or reason
        tell(f"{written} of {total} chunks written")
    return reason


async def _land(rpc: Rpc, order: Order, steps: tuple[Step, ...]) -> str:
    return why_not(await land_steps(rpc, steps, order.pace))


async def _survey_finalized(rpc: Rpc, order: Order, confirmed: Survey) -> Survey:
    """Survey again once what was found is finalized, and so cannot be taken back, or has been taken back."""
    with trio.move_on_after(FINALITY_TIMEOUT_S):
        while True:
            now = await survey(rpc, order, "finalized")
            if now.stage == confirmed.stage or now.slot >= confirmed.slot:
                return now
            await trio.sleep(_FINALITY_POLL_S)
    raise ClusterError(
        f"slot {confirmed.slot} was not finalized within {FINALITY_TIMEOUT_S:g} s, and what is not final is neither burned "
        "nor believed: run again when the cluster finalizes"
    )


def _as_solders(account: Account) -> SoldersAccount:
    return SoldersAccount(account.lamports, account.data, account.owner, account.is_executable)
