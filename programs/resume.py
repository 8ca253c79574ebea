"""What is left of a deployment, judged from the chain alone.

A deployment keeps no state of its own: the buffer's address follows from the program's keypair and the code, and what has
been written stands in it. So a first run, a second one after `kill -9`, and one whose transactions were lost are the same:
read the accounts, do what is left, read again.
"""

from dataclasses import dataclass
from hashlib import sha256

from solders.pubkey import Pubkey

from programs import loader
from programs.addresses import SYSTEM_PROGRAM
from programs.deploy import DeploymentFailed, DeploymentPlan, Held, ProgramImage, Rent
from programs.rpc import Account
from programs.step import Step
from programs.units import Lamports


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The accounts of a deployment, as one slot saw them."""

    program: Account | None
    program_data: Account | None
    buffer: Account | None

    @property
    def held(self) -> Held:
        """What was sent to the addresses before there was anything there."""
        return Held(buffer=_prefunded(self.buffer), program=_prefunded(self.program))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbegun:
    """There is neither buffer nor program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """There is a buffer."""

    left: tuple[Step, ...]
    """The writes of the chunks that differ; none: it holds the code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The program is deployed with these bytes, and its authority is burned."""


Stage = Unbegun | Begun | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the rest of a deployment takes from its payer, lamports."""

    rent_lamports: Lamports
    """Moved into accounts; stays there for ever once deployed, returns if the buffer is closed before."""
    fees_lamports: Lamports
    transactions: int

    @property
    def total_lamports(self) -> Lamports:
        """Rent and fees."""
        return Lamports(self.rent_lamports + self.fees_lamports)


def judge_stage(image: ProgramImage, plan: DeploymentPlan, payer: Pubkey, found: Found) -> Stage:
    """Say how far the deployment of `image` has come.

    Raises:
        DeploymentFailed: the program id or the buffer is taken by something else; the message says by what.
    """
    if found.program is not None and not _is_bare(found.program):
        _check_deployed(image, found.program, found.program_data)
        return Done()
    if found.program_data is not None:
        raise DeploymentFailed(
            f"somebody sent lamports to {loader.program_data_address(image.program.pubkey())}, where the loader would "
            "put the code, and it refuses such an address: deploy with another --program keypair"
        )
    if found.buffer is None or _is_bare(found.buffer):
        return Unbegun()
    return Begun(left=_writes_left(image, plan, _written(image, plan, payer, found.buffer)))


def cost_of(stage: Stage, plan: DeploymentPlan, rent: Rent, held: Held) -> Cost:
    """Add up what `stage` leaves to pay."""
    if isinstance(stage, Done):
        return Cost(rent_lamports=Lamports(0), fees_lamports=Lamports(0), transactions=0)
    writes = plan.writes if isinstance(stage, Unbegun) else stage.left
    steps = [*([plan.first] if isinstance(stage, Unbegun) else []), *writes, plan.last]
    lamports = max(0, rent.program - held.program) + rent.program_data - rent.buffer
    if isinstance(stage, Unbegun):
        lamports += max(0, rent.buffer - held.buffer)
    return Cost(
        rent_lamports=Lamports(lamports),
        fees_lamports=Lamports(sum(step.fee_lamports for step in steps)),
        transactions=len(steps),
    )


def _writes_left(image: ProgramImage, plan: DeploymentPlan, written: bytes) -> tuple[Step, ...]:
    size = plan.chunk_bytes
    starts = range(0, len(image.code), size)
    return tuple(
        step
        for at, step in zip(starts, plan.writes, strict=True)
        if written[at : at + size] != image.code[at : at + size]
    )


def _written(image: ProgramImage, plan: DeploymentPlan, payer: Pubkey, account: Account) -> bytes:
    """Read the buffer, if it is the one that this payer can finish."""
    if account.owner != loader.LOADER:
        raise DeploymentFailed(
            f"{plan.buffer}, where the buffer should be, is an account of {account.owner}: name another one with --buffer"
        )
    try:
        buffer = loader.decode_buffer(account.data)
    except loader.NotProgramData as error:
        raise DeploymentFailed(
            f"{plan.buffer}, where the buffer should be: {error}; name another one with --buffer"
        ) from error
    if buffer.authority != payer:
        raise DeploymentFailed(
            f"buffer {plan.buffer} was begun by {buffer.authority}, not by {payer}: run again with that key as --payer"
        )
    if len(buffer.code) != len(image.code):
        raise DeploymentFailed(
            f"buffer {plan.buffer} has room for {len(buffer.code)} bytes, the program has {len(image.code)}: "
            "close it with --abandon, or name another one with --buffer"
        )
    return buffer.code


def _check_deployed(image: ProgramImage, program: Account, program_data: Account | None) -> None:
    address = image.program.pubkey()
    if program.owner != loader.LOADER:
        raise DeploymentFailed(
            f"{address} is an account of {program.owner}, not a program of the upgradeable loader: "
            "deploy with another --program keypair"
        )
    if program_data is None:
        raise DeploymentFailed(
            f"program {address} was deployed and closed, and its id cannot be used again: "
            "deploy with another --program keypair"
        )
    try:
        loader.decode_program(program.data)
        deployed = loader.decode_program_data(program_data.data)
    except loader.NotProgramData as error:
        raise DeploymentFailed(
            f"{address} is taken ({error}): deploy with another --program keypair"
        ) from error
    is_same = deployed.code == image.code
    if deployed.authority is not None:
        bytes_found = "these bytes" if is_same else "other bytes"
        raise DeploymentFailed(
            f"program {address} is deployed with {bytes_found}, but {deployed.authority} still holds its upgrade "
            "authority and can change it at any time: this command deploys new program ids only, so "
            + (
                "burn the authority with `solana program set-upgrade-authority --final`, then run `keeper verify`"
                if is_same
                else "deploy with another --program keypair"
            )
        )
    if not is_same:
        raise DeploymentFailed(
            f"program {address} is deployed for good with other bytes: {len(deployed.code)} bytes with sha256 "
            f"{sha256(deployed.code).hexdigest()}, not {len(image.code)} bytes with {image.sha256_hex}; "
            "deploy with another --program keypair"
        )


def _is_bare(account: Account) -> bool:
    """Whether it holds nothing but lamports that somebody sent there."""
    return account.owner == SYSTEM_PROGRAM and not account.data


def _prefunded(account: Account | None) -> Lamports:
    return account.lamports if account is not None and _is_bare(account) else Lamports(0)
