"""Attempts to change a deployed program: code is immutable when the loader refuses every one of them.

They are simulated, never sent. None needs a real signature: the loader looks at the authority in ProgramData before it
looks at who signed, so `Immutable` is its answer to anybody.

Source: solana-bpf-loader-program, `process_loader_upgradeable_instruction`: Upgrade, SetAuthority and Close.
"""

from dataclasses import dataclass
from typing import Final

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from programs import loader
from programs.units import Lamports

IMMUTABLE: Final = "Immutable"
"""InstructionError of the loader for code without an authority. Source: solana-instruction-error."""
PROBE_CODE: Final = b"\0"
PROBE_BUFFER_BYTES: Final = loader.BUFFER_HEADER_BYTES + len(PROBE_CODE)
"""Size of the buffer that the Upgrade offers, made in the same transaction."""
PROBE_NAMES: Final = ("Upgrade", "SetAuthority", "Close")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to change a program; its last instruction must be refused."""

    name: str
    instructions: tuple[Instruction, ...]
    needs_spare: bool
    """Whether the spare account has to sign as well."""

    def unsigned(self, payer: Pubkey, blockhash: Hash) -> VersionedTransaction:
        """Make the transaction with empty signatures, for a simulation that does not verify them."""
        message = Message.new_with_blockhash(list(self.instructions), payer, blockhash)
        blank = [Signature.default()] * message.header.num_required_signatures
        return VersionedTransaction.populate(message, blank)


def attempts_to_change(
    program: Pubkey, authority: Pubkey, spare: Pubkey, spare_lamports: Lamports
) -> tuple[Attempt, ...]:
    """Build Upgrade, SetAuthority and Close of `program`, each as `authority`, who pays, would try it.

    Args:
        program: whose code is to be changed.
        authority: who claims to be its upgrade authority; a funded account of the system program.
        spare: an address without an account, for the buffer that the Upgrade offers.
        spare_lamports: what exempts PROBE_BUFFER_BYTES from rent.
    """
    created = create_account(
        CreateAccountParams(
            from_pubkey=authority,
            to_pubkey=spare,
            lamports=spare_lamports,
            space=PROBE_BUFFER_BYTES,
            owner=loader.LOADER,
        )
    )
    upgrade = (
        created,
        loader.initialize_buffer(spare, authority),
        loader.write(spare, authority, 0, PROBE_CODE),
        loader.upgrade(program, spare, authority, authority),
    )
    code = loader.program_data_address(program)
    retake = (loader.set_authority(code, authority, authority),)
    close = (loader.close(program, authority, authority),)
    names = zip(PROBE_NAMES, (upgrade, retake, close), strict=True)
    return tuple(
        Attempt(name=name, instructions=attempt, needs_spare=attempt is upgrade)
        for name, attempt in names
    )


def is_immutable(error: object) -> bool:
    """Whether a transaction error, as agave's JSON, is the loader's refusal to touch immutable code."""
    match error:
        case {"InstructionError": [int(), reason]}:
            return bool(reason == IMMUTABLE)
        case _:
            return False
