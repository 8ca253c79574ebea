"""Fakes for time and faults only: a cluster whose every misdeed is scripted."""

from base64 import b64decode
from collections import Counter

import trio
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.outcomes import JobRef, SignedBatch
from programs.rpc import (
    Accounts,
    AddressSignature,
    Block,
    BlockTransaction,
    LatestBlockhash,
    ProgramAccounts,
    ProgramRows,
    RpcError,
    RpcOtherCluster,
    SettledStatuses,
    SignatureStatus,
    Simulation,
    TransactionFacts,
)
from programs.transaction import Budget, compile_message, sign

SLOT_S = 0.4
CONFIRM_SLOTS, FINALIZE_SLOTS = 2, 31
WINDOW_BLOCKS = 150


class ScriptedCluster:
    """A chain that includes what it is sent in the next slot, and misbehaves only as told.

    Its state is a function of `now`; a blockhash carries its own last valid height in its first eight bytes.
    """

    def __init__(self, now, *, slot_s=SLOT_S, first_slot=1_000):
        self.now = now
        self.slot_s = slot_s
        self.first_slot = first_slot
        self.started_at = now()
        self.included = {}
        """Signature -> (slot, err): what is on the current fork."""
        self.executed = Counter()
        """Instruction data that took effect on the current fork."""
        self._data_of = {}
        self.sends = Counter()
        """Times each signature's bytes arrived."""
        self.failing = {}
        """Instruction data -> the error its transaction ends with."""
        self.judge = lambda instruction_data, _accounts: self.failing.get(instruction_data)
        """The error a transaction ends with, by its last instruction."""
        self.logs_of = lambda _accounts: ("log",)
        """What an instruction that did its work logs, by its accounts."""
        self.received = {}
        """Signature -> transaction, of all bytes that arrived."""
        self.drops = 0
        """How many of the next sends vanish."""
        self.told_fee_lamports = 5_000
        """What it says every transaction was charged."""
        self.memory_slots = 300
        """How far back a status is known without searching history."""

    @property
    def slot(self):
        """The newest slot."""
        return self.first_slot + int((self.now() - self.started_at) / self.slot_s + 1e-9)

    def height(self, commitment):
        """Blocks are as many as slots here."""
        behind = {"processed": 0, "confirmed": CONFIRM_SLOTS, "finalized": FINALIZE_SLOTS}
        return self.slot - behind[commitment]

    def blockhash(self):
        """One per slot, valid for 150 blocks."""
        last_valid = self.height("confirmed") + WINDOW_BLOCKS
        return Hash(last_valid.to_bytes(8, "little") + bytes(24)), last_valid

    def receive(self, wire):
        """Take bytes; None if they were taken or lost, the node's words if it refused them."""
        transaction = VersionedTransaction.from_bytes(wire)
        signature = transaction.signatures[0]
        self.sends[signature] += 1
        self.received[signature] = transaction
        if self.drops > 0:
            self.drops -= 1
            return None
        if signature in self.included:
            return "This transaction has already been processed"
        last_valid = int.from_bytes(bytes(transaction.message.recent_blockhash)[:8], "little")
        if self.slot + 1 > last_valid:
            return "Blockhash not found"
        data = bytes(transaction.message.instructions[-1].data)
        err = self.outcome_of(transaction)
        self.included[signature] = (self.slot + 1, err)
        if err is None:
            self.executed[data] += 1
            self._data_of[signature] = data
        return None

    def outcome_of(self, transaction):
        """The error it would end with now, None for success."""
        last = transaction.message.instructions[-1]
        return self.judge(bytes(last.data), accounts_of(transaction))

    def fork(self, slots):
        """Unwind the last slots: what they held is gone until it is sent again."""
        for signature, (slot, err) in list(self.included.items()):
            if slot > self.slot - slots:
                del self.included[signature]
                if err is None:
                    self.executed[self._data_of[signature]] -= 1

    def status(self, signature, *, history):
        """What a node says of a signature."""
        slot, err = self.included.get(signature, (None, None))
        if slot is None or slot > self.slot:
            return None
        if not history and slot < self.slot - self.memory_slots:
            return None
        if slot <= self.height("finalized"):
            commitment = "finalized"
        else:
            commitment = "confirmed" if slot <= self.height("confirmed") else "processed"
        return SignatureStatus(slot=slot, err=err, commitment=commitment)


class FakeRpc:
    """The methods of `Rpc` that landing uses, over a scripted cluster."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.faults = {}
        """Method -> exceptions or delays in seconds, used up one per call."""
        self.calls = Counter()
        self.genesis_hash = Hash.default()
        self.accounts = {}
        """Address -> account."""

    async def _turn(self, method):
        await trio.lowlevel.checkpoint()
        self.calls[method] += 1
        queue = self.faults.get(method)
        if queue:
            fault = queue.pop(0)
            if isinstance(fault, Exception):
                raise fault
            await trio.sleep(fault)

    async def get_block_height(self, commitment):
        """See `Rpc`."""
        await self._turn("get_block_height")
        return self.cluster.height(commitment)

    async def get_latest_blockhash(self, commitment):
        """See `Rpc`."""
        await self._turn("get_latest_blockhash")
        assert commitment == "confirmed"
        if self.genesis_hash != Hash.default():
            raise RpcOtherCluster("changed", found=self.genesis_hash, expected=Hash.default())
        blockhash, height = self.cluster.blockhash()
        return LatestBlockhash(
            blockhash=blockhash, last_valid_block_height=height, slot=self.cluster.slot
        )

    async def get_slot(self, commitment):
        """See `Rpc`."""
        await self._turn("get_slot")
        assert commitment == "confirmed"
        return self.cluster.slot

    async def get_genesis_hash(self):
        """See `Rpc`."""
        await self._turn("get_genesis_hash")
        return self.genesis_hash

    async def get_signature_statuses(self, signatures):
        """See `Rpc`."""
        await self._turn("get_signature_statuses")
        return tuple(self.cluster.status(one, history=False) for one in signatures)

    async def get_settled_statuses(self, signatures):
        """See `Rpc`."""
        await self._turn("get_settled_statuses")
        return SettledStatuses(
            finalized_block_height=self.cluster.height("finalized"),
            statuses=tuple(self.cluster.status(one, history=True) for one in signatures),
        )

    async def get_block(self, slot, commitment):
        """See `Rpc`."""
        await self._turn("get_block")
        if slot > self.cluster.height(commitment):
            raise RpcError(-32004, f"Block not available for slot {slot}")
        return Block(
            slot=slot,
            parent=slot - 1,
            blockhash=Hash.default(),
            transactions=tuple(
                BlockTransaction(signature=signature, facts=self._facts_of(signature))
                for signature, (at, _) in self.cluster.included.items()
                if at == slot
            ),
        )

    async def get_transaction(self, signature):
        """See `Rpc`."""
        await self._turn("get_transaction")
        return self._facts_of(signature)

    def _facts_of(self, signature):
        status = self.cluster.status(signature, history=True)
        if status is None:
            return None
        return TransactionFacts(
            slot=status.slot,
            err=status.err,
            fee_lamports=self.cluster.told_fee_lamports,
            cu_used=1_234,
            logs=() if status.err else self._logs_of(self.cluster.received[signature]),
            wire=bytes(self.cluster.received[signature]),
        )

    async def get_signatures_for_address(
        self,
        address,
        *,
        limit,
        before=None,
        until=None,
        commitment="confirmed",
        min_context_slot=None,
    ):
        """See `Rpc`; an address is named by whatever transaction has its key."""
        await self._turn("get_signatures_for_address")
        assert min_context_slot is None
        found = []
        is_passed = before is None
        for signature, (slot, err) in reversed(self.cluster.included.items()):
            if signature == until:
                break
            if not is_passed:
                is_passed = signature == before
                continue
            keys = self.cluster.received[signature].message.account_keys
            if address in keys and slot <= self.cluster.height(commitment):
                found.append(AddressSignature(signature=signature, slot=slot, err=err))
        return tuple(found[:limit])

    async def simulate_transaction(self, wire, *, replace_blockhash=False):
        """See `Rpc`."""
        await self._turn("simulate_transaction")
        assert replace_blockhash
        transaction = VersionedTransaction.from_bytes(wire)
        err = self.cluster.outcome_of(transaction)
        logs = () if err else self._logs_of(transaction)
        return Simulation(err=err, logs=logs, cu_used=10_000, slot=self.cluster.slot)

    def _logs_of(self, transaction):
        every = accounts_of_each(transaction)
        return tuple(line for accounts in every for line in self.cluster.logs_of(accounts))

    async def get_recent_prioritization_fees(self, writable):
        """See `Rpc`."""
        await self._turn("get_recent_prioritization_fees")
        assert len(set(writable)) == len(writable) <= 128
        return (0, 10_000)

    async def get_balance(self, address, commitment):
        """See `Rpc`."""
        await self._turn("get_balance")
        assert commitment == "confirmed"
        return self.accounts[address].lamports if address in self.accounts else 0

    async def get_account(self, address, commitment):
        """See `Rpc`."""
        await self._turn("get_account")
        assert commitment in {"confirmed", "finalized"}
        return self.accounts.get(address)

    async def get_multiple_accounts(self, addresses, _commitment):
        """See `Rpc`."""
        await self._turn("get_multiple_accounts")
        found = tuple(self.accounts.get(address) for address in addresses)
        return Accounts(slot=self.cluster.slot, accounts=found)

    async def get_program_accounts(self, program, _commitment, *, filters):
        """See `Rpc`; of the filters it knows the kind, an account's first byte."""
        await self._turn("get_program_accounts")
        kind = b64decode(filters[0]["memcmp"]["bytes"])
        found = [
            (bytes(address), account.data)
            for address, account in self.accounts.items()
            if account.owner == program and account.data[:1] == kind
        ]
        return ProgramAccounts(slot=self.cluster.slot, accounts=found, skipped=0)

    async def get_program_rows(self, program, commitment, *, filters, row_bytes):
        """See `Rpc`."""
        found = await self.get_program_accounts(program, commitment, filters=filters)
        return ProgramRows.of(found, row_bytes)

    async def send_transaction(self, wire):
        """See `Rpc`."""
        await self._turn("send_transaction")
        words = self.cluster.receive(wire)
        if words is not None:
            raise RpcError(-32002, words)


def accounts_of(transaction):
    """The accounts of the last instruction, in its order."""
    message = transaction.message
    return [message.account_keys[at] for at in bytes(message.instructions[-1].accounts)]


def accounts_of_each(transaction):
    """The accounts of each instruction that names any, in their order: those of the compute budget do not."""
    message = transaction.message
    return [
        [message.account_keys[at] for at in bytes(one.accounts)]
        for one in message.instructions
        if one.accounts
    ] or [[]]


def job_instruction(job_id, names=()):
    """Make the instruction whose data names the job, as the scripted cluster counts it; it names accounts beside."""
    metas = [AccountMeta(name, is_signer=False, is_writable=False) for name in names]
    return Instruction(Pubkey(bytes([9] * 32)), job_id.encode(), metas)


def signed_batch(cluster, job_id, *, effect="shares=1", payer=None, names=()):
    """Sign a transaction whose one instruction's data is the job."""
    payer = payer or Keypair.from_seed(bytes(32))
    blockhash, last_valid = cluster.blockhash()
    budget = Budget(cu_limit=10_000, cu_price_micro_lamports=0, loaded_bytes=32 << 10)
    message = compile_message(payer.pubkey(), [job_instruction(job_id, names)], budget, blockhash)
    return SignedBatch(
        lane="liquidations",
        jobs=(JobRef(job_id=job_id, kind="liquidate", target=job_id, effect=effect),),
        transaction=sign(message, [payer]),
        latest=LatestBlockhash(
            blockhash=blockhash, last_valid_block_height=last_valid, slot=cluster.slot
        ),
        budget=budget,
    )
