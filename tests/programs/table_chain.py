"""A chain in process, and one who tends lookup tables on it and forgets everything between rounds."""

from fractions import Fraction

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.localnet.bank import Bank, BankConfig
from programs.lookup_tables import AUTHORITY_OFFSET, TABLE_PROGRAM, decode_table
from programs.rent import RentRate
from programs.table_plan import SLOT_HASHES, Wanted, decode_slot_hashes, plan_tables
from programs.transaction import compile_message, sign

KEYS = [Pubkey(bytes([9, n >> 8, n & 255]) + bytes(29)) for n in range(900)]
MARKER, SHARED = KEYS[0], tuple(KEYS[1:6])
RENT = RentRate(lamports_per_byte=Fraction(6_960))
OWNER = Keypair.from_seed(bytes([3] * 32))
PLENTY = 10**10


def group(number, size=2):
    start = 100 + number * size
    return tuple(KEYS[start : start + size])


def wanted(*groups, cap=PLENTY):
    return Wanted(marker=MARKER, shared=SHARED, groups=groups, rent_lamports_max=cap)


class TableChain:
    def __init__(self):
        self.bank = Bank(BankConfig(confirmed_slots=1, finality_slots=3))
        self.bank.airdrop(OWNER.pubkey(), 10**12)
        self.bank.advance_slot(50)
        self.landed = []
        """(step, compute units used, bytes)"""

    def found(self):
        authority = bytes(OWNER.pubkey())
        return [
            decode_table(address, account.data)
            for address, account in self.bank.program_accounts(TABLE_PROGRAM)
            if account.data[AUTHORITY_OFFSET:][:32] == authority
        ]

    def slots(self):
        return decode_slot_hashes(self.bank.account(SLOT_HASHES).data)

    def plan(self, want):
        return plan_tables(want, self.found(), self.slots(), OWNER.pubkey(), RENT)

    def send(self, instructions, budget):
        blockhash = self.bank.block_at("processed").blockhash
        message = compile_message(OWNER.pubkey(), instructions, budget, blockhash)
        wire = sign(message, [OWNER]).wire
        return self.bank.ledger.find(self.bank.send(wire)), len(wire)

    def land(self, step):
        record, size_bytes = self.send(step.instructions, step.budget(1))
        assert record.error is None, list(record.meta.logs())
        self.landed.append((step, record.meta.compute_units_consumed(), size_bytes))

    def settle(self, want):
        """Round after round until nothing is left to do."""
        for _ in range(40):
            steps = self.plan(want).steps
            if not steps:
                return
            for step in steps:
                self.land(step)
            self.bank.advance_slot()
        raise AssertionError("it never comes to rest")

    def balance(self):
        return self.bank.account(OWNER.pubkey()).lamports
