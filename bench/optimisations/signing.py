"""Signing many transactions: with the least that it takes, and on two cores.

There is no bulk to it: Ed25519 has no cheaper way to sign many messages than to sign each (only checking has one). Half of what
solders' constructor of a signed transaction takes is not the signature but the address of the key, which it works out again
each time (21 us, in `Keypair.pubkey` too). To keep addresses beside keys and put signatures beside messages by hand would save
40 us of the eight milliseconds of processor time that a transaction takes the keeper from job to end, and the constructor's
check that the keys are the right ones: tried, removed. A second process, given all of that, saves little where the two processors are one core;
where they are two it could save a millisecond on the few dozen transactions of a slot, for a copy each way, another
process that holds the key, and a wait that the event loop would have to make.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bench.optimisations.timing import compared
from bench.packing import scene
from bench.report.figure import Figure
from programs.pack import pack_targets
from programs.transaction import Budget, SignedTransaction, compile_message, sign, whole_pages
from programs.units import MicroLamports

_TRANSACTIONS: Final = 400
_KEY: Final = Keypair.from_seed(bytes(32))


def measured(runs: int) -> list[Figure]:
    """Sign what a flood of liquidations sends, each way."""
    found = scene(10_000, 100, payer=_KEY.pubkey())
    batches = pack_targets(found.jobs, found.templates, found.payer).batches[:_TRANSACTIONS]
    messages = [
        compile_message(
            found.payer,
            batch.instructions,
            Budget(
                cu_limit=batch.cu,
                cu_price_micro_lamports=MicroLamports(1),
                loaded_bytes=whole_pages(batch.loaded_bytes),
            ),
            Hash.default(),
        )
        for batch in batches
    ]
    one_by_one = [sign(message, [_KEY]) for message in messages]
    assert [_by_hand(message) for message in messages] == one_by_one
    figures = [
        compared(
            "signing a batch of liquidations by hand, address known (not in the product)",
            "µs",
            ("solders' constructor", lambda: [sign(message, [_KEY]) for message in messages]),
            lambda: [_by_hand(message) for message in messages],
            runs=runs,
            per=len(messages),
            claim="bulk-signing",
        )
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as helper:

        def on_two() -> list[SignedTransaction]:
            middle = len(messages) // 2
            raw = [to_bytes_versioned(message) for message in messages[middle:]]
            theirs = helper.submit(_signatures, raw)
            ours = [sign(message, [_KEY]) for message in messages[:middle]]
            return ours + [
                _put_together(message, Signature(signature))
                for message, signature in zip(messages[middle:], theirs.result(), strict=True)
            ]

        assert on_two() == one_by_one
        figures.append(
            compared(
                f"signing {len(messages)} batches in two processes (not in the product)",
                "ms",
                ("in one", lambda: [sign(message, [_KEY]) for message in messages]),
                on_two,
                runs=runs,
                clock=time.perf_counter,
                claim="bulk-signing",
            )
        )
    return figures


def _signatures(messages: list[bytes]) -> list[bytes]:
    """Sign in another process."""
    return [bytes(_KEY.sign_message(message)) for message in messages]


def _by_hand(message: MessageV0) -> SignedTransaction:
    return _put_together(message, _KEY.sign_message(to_bytes_versioned(message)))


def _put_together(message: MessageV0, signature: Signature) -> SignedTransaction:
    wire = bytes(VersionedTransaction.populate(message, [signature]))
    return SignedTransaction(signature=signature, wire=wire)
