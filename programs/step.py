"""One transaction of a procedure: what it does and who signs, before there is a blockhash."""

from dataclasses import dataclass
from typing import Final

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import VersionedTransaction

from programs.transaction import LOADED_BYTES_MAX, Budget
from programs.units import ComputeUnits, Lamports, MicroLamports

NO_BID: Final = MicroLamports(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction: unsigned, without a blockhash."""

    instructions: tuple[Instruction, ...]
    signers: tuple[Keypair, ...]
    """The first one pays."""
    cu_limit: ComputeUnits
    """Asked for when it bids; otherwise the cluster's default applies."""
    cu_price_micro_lamports: MicroLamports = NO_BID
    """Bid for inclusion; 0 sends no compute-budget instruction."""

    def sign(self, blockhash: Hash) -> VersionedTransaction:
        """Make the transaction."""
        payer = self.signers[0].pubkey()
        price = self.cu_price_micro_lamports
        bid = [set_compute_unit_limit(self.cu_limit), set_compute_unit_price(price)]
        # Legacy: two bytes shorter than v0, which a full Write needs.
        instructions = [*(bid if price else []), *self.instructions]
        message = Message.new_with_blockhash(instructions, payer, blockhash)
        return VersionedTransaction(message, list(self.signers))

    @property
    def budget(self) -> Budget:
        """What it may use and bids."""
        return Budget(
            cu_limit=self.cu_limit,
            cu_price_micro_lamports=self.cu_price_micro_lamports,
            loaded_bytes=LOADED_BYTES_MAX,
        )

    @property
    def fee_lamports(self) -> Lamports:
        """What it costs to land, rent not counted."""
        return self.budget.fee_lamports(len(self.signers))
