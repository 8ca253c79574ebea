"""The proof of an immutable deployment, read from the chain.

The code in ProgramData is the code that was meant, its authority is None, and Upgrade, SetAuthority and Close are refused
as `Immutable` when their transactions are simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from solders.account import Account
from solders.pubkey import Pubkey

from programs import loader
from programs.deploy import DeploymentFailed, ProgramImage
from programs.probes import is_immutable
from programs.units import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentProof:
    """What the chain said after a deployment."""

    program: Pubkey
    program_data: Pubkey
    code_sha256: str
    """Of the code in ProgramData; equal to the hash of the bytes that were meant."""
    code_bytes: int
    deployed_slot: Slot
    upgrade_authority: Pubkey | None
    """Always None; a field so that a report can show it."""
    refused: tuple[str, ...]
    """Names of the attempts that the loader refused as Immutable."""


def prove_deployment(
    image: ProgramImage,
    program_account: Account | None,
    program_data_account: Account | None,
    probe_errors: Sequence[tuple[str, object]],
) -> DeploymentProof:
    """Judge what was read from the chain after a deployment.

    Args:
        image: What was meant.
        program_account: The account at the program id.
        program_data_account: The account at its ProgramData address.
        probe_errors: For each probe its name and how the chain refused it, as agave's JSON; None if it did not.

    Returns:
        The proof; there is none with a hole in it.

    Raises:
        DeploymentFailed: Something is not as it was meant to be; the message says what.
    """
    program = image.program.pubkey()
    address = loader.program_data_address(program)
    if program_account is None or program_data_account is None:
        raise DeploymentFailed(f"program {program} has no account or no ProgramData on this chain")
    if {program_account.owner, program_data_account.owner} != {loader.LOADER}:
        raise DeploymentFailed(f"program {program} is not owned by the upgradeable loader")
    try:
        pointed = loader.decode_program(program_account.data)
        program_data = loader.decode_program_data(program_data_account.data)
    except loader.NotProgramData as error:
        raise DeploymentFailed(f"program {program}: {error}") from error
    if pointed != address or not program_account.executable:
        raise DeploymentFailed(f"program {program} is not executable or points to {pointed}")
    found = sha256(program_data.code).hexdigest()
    if found != image.sha256_hex:
        raise DeploymentFailed(
            f"program {program} has {len(program_data.code)} bytes with sha256 {found};"
            f" expected {len(image.code)} bytes with {image.sha256_hex}"
        )
    if program_data.authority is not None:
        raise DeploymentFailed(
            f"program {program} still has upgrade authority {program_data.authority}"
        )
    for name, refusal in probe_errors:
        if not is_immutable(refusal):
            raise DeploymentFailed(
                f"{name} of {program} should be refused as Immutable; the chain said {refusal}"
            )
    return DeploymentProof(
        program=program,
        program_data=address,
        code_sha256=found,
        code_bytes=len(program_data.code),
        deployed_slot=program_data.deployed_slot,
        upgrade_authority=program_data.authority,
        refused=tuple(name for name, _refusal in probe_errors),
    )
