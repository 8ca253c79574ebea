"""Immutable deployment: write, deploy, burn the authority, and prove that it is gone.

This is the pure part: which transactions, by whom, in what order, and what proves that they worked. A driver
signs each with a blockhash and lands it; `programs.localnet.genesis` is the one for a chain in process.

The last transaction creates the program, deploys it and burns its authority, all or nothing: at no slot does
anyone hold the right to change the code.

The proof is read from the chain: the code in ProgramData is the code that was meant, its authority is None, and
Upgrade, SetAuthority and Close are refused as `Immutable` when their transactions are simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from programs import loader
from programs.units import Lamports, Slot

IMMUTABLE: Final = "Immutable"
"""InstructionError of the loader for code without an authority. Source: solana-instruction-error."""
_PROBE_CODE: Final = b"\0"


class DeploymentFailed(Exception):  # noqa: N818 - reads as the sentence it says
    """The program is not on the chain as it was meant to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramImage:
    """A program to deploy."""

    program: Keypair
    """Its public half is the program id."""
    code: bytes
    """The ELF, byte for byte."""

    @property
    def sha256_hex(self) -> str:
        """What the deployed bytes must hash to."""
        return sha256(self.code).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rent:
    """Rent-exempt balances of the accounts that a deployment creates."""

    buffer: Lamports
    program: Lamports
    probe: Lamports
    """A buffer with the one byte that the Upgrade probe offers."""

    @staticmethod
    def sizes(code_bytes: int) -> tuple[int, int, int]:
        """The account sizes to ask rent for, in the order of the fields.

        The deploy instruction moves the buffer's lamports to ProgramData, which is eight bytes larger; the
        loader takes the difference from the payer.
        """
        return (
            loader.BUFFER_HEADER_BYTES + code_bytes,
            loader.PROGRAM_BYTES,
            loader.BUFFER_HEADER_BYTES + len(_PROBE_CODE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction: unsigned, without a blockhash."""

    instructions: tuple[Instruction, ...]
    signers: tuple[Keypair, ...]
    """The first one pays."""

    def sign(self, blockhash: Hash) -> VersionedTransaction:
        """Make the transaction."""
        payer = self.signers[0].pubkey()
        # Legacy: two bytes shorter than v0, which a full Write needs.
        message = Message.new_with_blockhash(list(self.instructions), payer, blockhash)
        return VersionedTransaction(message, list(self.signers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An attempt to change the deployed program; its last instruction must be refused."""

    name: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPlan:
    """Every transaction of a deployment."""

    first: Step
    """Creates the buffer."""
    writes: tuple[Step, ...]
    """Fill the buffer, in any order, once `first` has landed."""
    last: Step
    """Creates the program, deploys and burns, once every write has landed."""
    probes: tuple[Probe, ...]
    """To simulate in a slot after `last`."""


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


def plan_deployment(image: ProgramImage, payer: Keypair, rent: Rent) -> DeploymentPlan:
    """Plan to deploy `image`, paid by `payer`, who holds the authority inside the transactions only."""
    buffer = _derived_keypair(image, b"buffer")
    authority = payer.pubkey()
    program = image.program.pubkey()
    buffer_bytes, program_bytes, _probe_bytes = Rent.sizes(len(image.code))
    first = Step(
        instructions=(
            _create(payer, buffer, rent.buffer, buffer_bytes),
            loader.initialize_buffer(buffer.pubkey(), authority),
        ),
        signers=(payer, buffer),
    )
    chunk = loader.WRITE_CHUNK_BYTES_MAX
    writes = tuple(
        Step(
            instructions=(
                loader.write(buffer.pubkey(), authority, at, image.code[at : at + chunk]),
            ),
            signers=(payer,),
        )
        for at in range(0, len(image.code), chunk)
    )
    last = Step(
        instructions=(
            _create(payer, image.program, rent.program, program_bytes),
            loader.deploy_with_max_data_len(
                authority, program, buffer.pubkey(), authority, len(image.code)
            ),
            loader.set_authority(loader.program_data_address(program), authority, None),
        ),
        signers=(payer, image.program),
    )
    return DeploymentPlan(first=first, writes=writes, last=last, probes=_probes(image, payer, rent))


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
        if not _is_immutable(refusal):
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


def _probes(image: ProgramImage, payer: Keypair, rent: Rent) -> tuple[Probe, ...]:
    """Upgrade, SetAuthority and Close, each as the former authority would try it."""
    program = image.program.pubkey()
    authority = payer.pubkey()
    address = loader.program_data_address(program)
    spare = _derived_keypair(image, b"probe")
    size = Rent.sizes(len(image.code))[2]
    upgrade = (
        _create(payer, spare, rent.probe, size),
        loader.initialize_buffer(spare.pubkey(), authority),
        loader.write(spare.pubkey(), authority, 0, _PROBE_CODE),
        loader.upgrade(program, spare.pubkey(), authority, authority),
    )
    retake = (loader.set_authority(address, authority, authority),)
    close = (loader.close(program, authority, authority),)
    return (
        Probe(name="Upgrade", step=Step(instructions=upgrade, signers=(payer, spare))),
        Probe(name="SetAuthority", step=Step(instructions=retake, signers=(payer,))),
        Probe(name="Close", step=Step(instructions=close, signers=(payer,))),
    )


def _create(payer: Keypair, account: Keypair, lamports: Lamports, size: int) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=account.pubkey(),
            lamports=lamports,
            space=size,
            owner=loader.LOADER,
        )
    )


def _derived_keypair(image: ProgramImage, purpose: bytes) -> Keypair:
    """A keypair only the program's holder can derive, so that a broken deployment finds its buffer again."""
    secret = image.program.secret()
    return Keypair.from_seed(sha256(purpose + secret + sha256(image.code).digest()).digest())


def _is_immutable(error: object) -> bool:
    match error:
        case {"InstructionError": [int(), reason]}:
            return bool(reason == IMMUTABLE)
        case _:
            return False
