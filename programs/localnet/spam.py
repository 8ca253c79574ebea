"""Strangers who want to be in every block: real transactions of accounts that are nobody's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from programs.localnet.bank import Bank
from programs.localnet.dice import Dice
from programs.localnet.faults import Congestion
from programs.localnet.window import derive_hash
from programs.units import Lamports, Slot

_PAYERS: Final = 16
_GIFT_LAMPORTS: Final = Lamports(1_000_000 * 10**9)
_CU_SPREAD: Final = 4
"""Bids differ by price and by size: a stranger asks for 1/4 to 4/4 of `spam_cu`."""


@dataclass(slots=True)
class Strangers:
    """Makes their transactions; the same seed makes the same ones."""

    bank: Bank
    dice: Dice
    _payers: dict[Pubkey, Keypair] = field(default_factory=dict)
    """By address: deriving it from the keypair takes as long as signing."""
    _made: int = 0

    def make(self, count: int, congestion: Congestion) -> Iterator[VersionedTransaction]:
        """Make `count` transactions, each unlike all others, with the newest blockhash."""
        payers = list(self._funded().items())
        blockhash = self.bank.block_at("processed").blockhash
        hot = self._hot_account()
        for _ in range(count):
            self._made += 1
            number = self._made
            address, keypair = payers[number % _PAYERS]
            payment = transfer(
                TransferParams(from_pubkey=address, to_pubkey=address, lamports=number)
            )
            if hot is not None and self.dice.happens(congestion.spam_hot_bps, "spam", number):
                meta = AccountMeta(hot, is_signer=False, is_writable=True)
                payment = Instruction(payment.program_id, payment.data, [*payment.accounts, meta])
            share = 1 + self.dice.roll(_CU_SPREAD, "spam", "cu", number)
            price = self.dice.roll(congestion.spam_price_max + 1, "spam", "price", number)
            steps = [
                set_compute_unit_limit(max(1_000, congestion.spam_cu * share // _CU_SPREAD)),
                set_compute_unit_price(price),
                payment,
            ]
            message = Message.new_with_blockhash(steps, address, blockhash)
            yield VersionedTransaction(message, [keypair])

    def _funded(self) -> dict[Pubkey, Keypair]:
        if not self._payers:
            seeds = (derive_hash(self.dice.seed, "stranger", each) for each in range(_PAYERS))
            keypairs = [Keypair.from_seed(bytes(seed)) for seed in seeds]
            self._payers = {keypair.pubkey(): keypair for keypair in keypairs}
        for address in self._payers:
            if self.bank.account(address) is None:  # the first time, and when a fork took it
                self.bank.airdrop(address, _GIFT_LAMPORTS)
        return self._payers

    def _hot_account(self) -> Pubkey | None:
        """An account that someone else has just written, other than a payer's own."""
        for slot in range(self.bank.slot, max(0, self.bank.slot - 3), -1):
            for record in self.bank.ledger.in_slot(Slot(slot)):
                addresses = record.locked.addresses
                if addresses[0] in self._payers:
                    continue
                signers = record.transaction.message.header.num_required_signatures
                for index in record.locked.writable:
                    if index >= signers:
                        return addresses[index]
        return None
