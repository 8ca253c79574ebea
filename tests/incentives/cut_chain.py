"""Transactions whose logs are long, as nodes with this or that limit keep them."""

from base64 import b64encode
from dataclasses import dataclass
from itertools import count

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from programs.rpc import Calls, InnerCall
from tests.incentives.told_chain import OTHER, PROGRAM

PAYER = Keypair.from_seed(bytes(31) + b"\1")
LIMIT = 10_000
_hashes = count(1)


def as_kept(logs, limit):
    """What a node with a limit keeps of the messages, as agave's LogCollector does; None keeps all."""
    kept, used, is_cut = [], 0, False
    for line in logs:
        size = len(line.encode())
        if limit is None or used + size < limit:
            kept.append(line)
            used += size
        elif not is_cut:
            is_cut = True
            kept.append("Log truncated")
    return kept


@dataclass
class Step:
    """One of a transaction's own instructions."""

    data: bytes = b""
    accounts: tuple = ()
    told: tuple = ()
    """Payloads that it logs, or whole lines."""
    program: Pubkey = PROGRAM
    inner: tuple = ()
    """Steps that it calls before it tells."""


def noise(bytes_, line=100):
    """Steps of another program that log so many bytes in lines of some length."""
    logged = [f"Program log: {'x' * (line - 13)}"] * (bytes_ // line)
    return Step(program=OTHER, told=tuple(logged))


def _lines(step, height):
    yield f"Program {step.program} invoke [{height}]"
    for each in step.inner:
        yield from _lines(each, height + 1)
    for told in step.told:
        yield told if isinstance(told, str) else f"Program data: {b64encode(told).decode()}"
    yield f"Program {step.program} success"


def _flat(steps, height):
    for step in steps:
        yield height, step
        yield from _flat(step.inner, height + 1)


def long_transaction(steps):
    """Return the whole logs of a transaction, its bytes, and what a node records of its calls."""
    everyone = [each for _, each in _flat(steps, 1)]
    used = {a: None for each in everyone for a in (*each.accounts, bytes(each.program))}
    # Whatever is called is named by the transaction.
    metas = [AccountMeta(Pubkey.from_bytes(a), is_signer=False, is_writable=True) for a in used]
    steps = [*steps, Step(program=OTHER, accounts=tuple(used))]
    instructions = [
        Instruction(
            each.program,
            each.data,
            metas
            if each is steps[-1]
            else [
                AccountMeta(Pubkey.from_bytes(a), is_signer=False, is_writable=True)
                for a in each.accounts
            ],
        )
        for each in steps
    ]
    blockhash = Hash(next(_hashes).to_bytes(32, "big"))
    message = Message.new_with_blockhash(instructions, PAYER.pubkey(), blockhash)
    keys = [bytes(key) for key in message.account_keys]
    inner = tuple(
        InnerCall(
            outer=outer,
            height=height,
            program=keys.index(bytes(each.program)),
            accounts=tuple(keys.index(a) for a in each.accounts),
            data=each.data,
        )
        for outer, step in enumerate(steps)
        for height, each in _flat(step.inner, 2)
    )
    logs = [line for step in steps for line in _lines(step, 1)]
    wire = bytes(VersionedTransaction(message, [PAYER]))
    return logs, wire, Calls(inner=inner)


def land(chain, slot, steps, *, limit=LIMIT):
    """Land a transaction on a told chain, its logs as a node with a limit keeps them."""
    logs, wire, calls = long_transaction(steps)
    return chain.land(slot, as_kept(logs, limit), wire=wire, calls=calls)
