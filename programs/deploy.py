"""Immutable deployment: write, deploy and burn the authority.

This is the pure part: which transactions, by whom and in what order. A driver signs each with a blockhash and lands
it: `keeper.deployment` on a cluster, `programs.localnet.genesis` on a chain in process. What is left of a deployment
that was interrupted is `programs.resume`'s to say, and what proves that it worked `programs.proof`'s.

The last transaction creates the program, deploys it and burns its authority, all or nothing: at no slot does
anyone hold the right to change the code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateParams,
    AssignParams,
    CreateAccountParams,
    TransferParams,
    allocate,
    assign,
    create_account,
    transfer,
)

from programs import loader
from programs.probes import PROBE_BUFFER_BYTES, attempts_to_change
from programs.step import NO_BID, Step
from programs.units import ComputeUnits, Lamports, MicroLamports

DEPLOYMENT_CU: Final = ComputeUnits(10_000)
"""What a transaction of a deployment asks for when it bids: the heaviest, which creates, deploys and burns, uses 5_490."""
_NOTHING: Final = Lamports(0)
_BID_BYTES: Final = 52
"""What two compute-budget instructions add to a Write: the program's key, 8 and 12 bytes."""


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
    program_data: Lamports
    """Locked for ever: nobody can close ProgramData without an authority. The buffer's lamports become part of it."""
    probe: Lamports
    """A buffer with the one byte that the Upgrade probe offers."""

    @classmethod
    def of(cls, code_bytes: int, exempt_lamports: Callable[[int], Lamports]) -> "Rent":
        """Ask for the balance of each account of a program of `code_bytes`."""
        return cls(
            buffer=exempt_lamports(loader.BUFFER_HEADER_BYTES + code_bytes),
            program=exempt_lamports(loader.PROGRAM_BYTES),
            program_data=exempt_lamports(loader.PROGRAM_DATA_HEADER_BYTES + code_bytes),
            probe=exempt_lamports(PROBE_BUFFER_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Lamports that somebody sent to an address before there was an account: CreateAccount would refuse it for ever."""

    buffer: Lamports = _NOTHING
    program: Lamports = _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An attempt to change the deployed program; its last instruction must be refused."""

    name: str
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPlan:
    """Every transaction of a deployment."""

    buffer: Pubkey
    chunk_bytes: int
    """Of code in one write."""
    first: Step
    """Creates the buffer."""
    writes: tuple[Step, ...]
    """Fill the buffer, chunk by chunk; they land in any order, once `first` has."""
    last: Step
    """Creates the program, deploys and burns, once every write has landed."""
    abandon: Step
    """Closes the buffer instead; its lamports return to the payer."""
    probes: tuple[Probe, ...]
    """To simulate in a slot after `last`."""


def buffer_keypair(image: ProgramImage) -> Keypair:
    """Derive the buffer's key from the program's secret and the code, so that a broken deployment finds it again.

    Nothing has to be stored, and so nothing can be lost, left lying about or mixed up: the same program keypair and the
    same bytes lead to the same buffer on any machine, other bytes to another one, which no late Write of an earlier
    attempt can touch. Only the program's holder can derive it, and the hash does not give its secret away.
    """
    return _derived_keypair(image, b"buffer")


def plan_deployment(
    image: ProgramImage,
    payer: Keypair,
    rent: Rent,
    *,
    buffer: Keypair | None = None,
    held: Held | None = None,
    cu_price: MicroLamports = NO_BID,
) -> DeploymentPlan:
    """Plan to deploy `image`, paid by `payer`, who holds the authority inside the transactions only.

    Args:
        image: What.
        payer: Who pays.
        rent: What the accounts must hold.
        buffer: Another buffer than the derived one.
        held: What the addresses have been sent already.
        cu_price: Bid of every transaction, micro-lamports per compute unit.
    """
    held = held or Held()
    buffer = buffer or buffer_keypair(image)
    authority = payer.pubkey()
    program = image.program.pubkey()
    chunk = loader.WRITE_CHUNK_BYTES_MAX - (_BID_BYTES if cu_price else 0)

    def step(*instructions: Instruction, also: Sequence[Keypair] = ()) -> Step:
        return Step(
            instructions=instructions,
            signers=(payer, *also),
            cu_limit=DEPLOYMENT_CU,
            cu_price_micro_lamports=cu_price,
        )

    first = step(
        *_create(
            authority,
            buffer.pubkey(),
            rent.buffer,
            loader.BUFFER_HEADER_BYTES + len(image.code),
            held.buffer,
        ),
        loader.initialize_buffer(buffer.pubkey(), authority),
        also=[buffer],
    )
    writes = tuple(
        step(loader.write(buffer.pubkey(), authority, at, image.code[at : at + chunk]))
        for at in range(0, len(image.code), chunk)
    )
    last = step(
        *_create(authority, program, rent.program, loader.PROGRAM_BYTES, held.program),
        loader.deploy_with_max_data_len(
            authority, program, buffer.pubkey(), authority, len(image.code)
        ),
        loader.set_authority(loader.program_data_address(program), authority, None),
        also=[image.program],
    )
    return DeploymentPlan(
        buffer=buffer.pubkey(),
        chunk_bytes=chunk,
        first=first,
        writes=writes,
        last=last,
        abandon=step(loader.close_buffer(buffer.pubkey(), authority, authority)),
        probes=_probes(image, payer, rent),
    )


def _probes(image: ProgramImage, payer: Keypair, rent: Rent) -> tuple[Probe, ...]:
    """Upgrade, SetAuthority and Close, each as the former authority would try it."""
    spare = _derived_keypair(image, b"probe")
    attempts = attempts_to_change(
        image.program.pubkey(), payer.pubkey(), spare.pubkey(), rent.probe
    )
    return tuple(
        Probe(
            name=attempt.name,
            step=Step(
                instructions=attempt.instructions,
                signers=(payer, spare) if attempt.needs_spare else (payer,),
                cu_limit=DEPLOYMENT_CU,
            ),
        )
        for attempt in attempts
    )


def _create(
    payer: Pubkey, account: Pubkey, lamports: Lamports, size: int, held: Lamports
) -> tuple[Instruction, ...]:
    """Make an account of the loader's, also at an address that somebody has sent lamports to."""
    if not held:
        params = CreateAccountParams(
            from_pubkey=payer,
            to_pubkey=account,
            lamports=lamports,
            space=size,
            owner=loader.LOADER,
        )
        return (create_account(params),)
    missing = max(0, lamports - held)
    topped = transfer(TransferParams(from_pubkey=payer, to_pubkey=account, lamports=missing))
    return (
        *([topped] if missing else []),
        allocate(AllocateParams(pubkey=account, space=size)),
        assign(AssignParams(pubkey=account, owner=loader.LOADER)),
    )


def _derived_keypair(image: ProgramImage, purpose: bytes) -> Keypair:
    """Hash what only the program's holder knows, under a name that no other hash of it bears."""
    domain = sha256(b"betting-keeper deployment " + purpose).digest()
    secret = image.program.secret()
    return Keypair.from_seed(sha256(domain + secret + sha256(image.code).digest()).digest())
