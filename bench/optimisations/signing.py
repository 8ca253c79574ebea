"""Signing many transactions: each as cheaply as it goes, and on two cores.

There is no bulk to it: Ed25519 has no cheaper way to sign many messages than to sign each (only checking has one). But half of
what solders' constructor of a signed transaction takes is not the signature: it works out the address of the key again, each
time, and so does `Keypair.pubkey`. Addresses kept beside keys (`transaction.Signers`) pay: five hundredths of the keeper's
processor time in a flood of liquidations went there, and two do now.

A second process does not pay. Where the two processors are one core it takes longer; where they are two it could save half a
millisecond on the few dozen transactions of a slot, for a copy each way, another process that holds the key, and a wait that
the event loop would have to make.
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
from programs.transaction import Budget, SignedTransaction, Signers, compile_message, whole_pages
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
    signers = Signers([_KEY])
    one_by_one = [signers.sign(message) for message in messages]
    assert [_by_constructor(message) for message in messages] == one_by_one
    figures = [
        compared(
            "signing a batch of liquidations, addresses kept beside keys",
            "µs",
            ("solders' constructor", lambda: [_by_constructor(message) for message in messages]),
            lambda: [signers.sign(message) for message in messages],
            runs=runs,
            per=len(messages),
        )
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as helper:

        def on_two() -> list[SignedTransaction]:
            middle = len(messages) // 2
            raw = [to_bytes_versioned(message) for message in messages[middle:]]
            theirs = helper.submit(_signatures, raw)
            ours = [signers.sign(message) for message in messages[:middle]]
            return ours + [
                _put_together(message, Signature(signature))
                for message, signature in zip(messages[middle:], theirs.result(), strict=True)
            ]

        assert on_two() == one_by_one
        figures.append(
            compared(
                f"signing {len(messages)} batches in two processes (not in the product)",
                "ms",
                ("in one", lambda: [signers.sign(message) for message in messages]),
                on_two,
                runs=runs,
                clock=time.perf_counter,
            )
        )
    return figures


def _signatures(messages: list[bytes]) -> list[bytes]:
    """Sign in another process."""
    return [bytes(_KEY.sign_message(message)) for message in messages]


def _by_constructor(message: MessageV0) -> SignedTransaction:
    """As transactions were signed before, the payer's address asked for its message too."""
    assert _KEY.pubkey() == message.account_keys[0]
    transaction = VersionedTransaction(message, [_KEY])
    return SignedTransaction(signature=transaction.signatures[0], wire=bytes(transaction))


def _put_together(message: MessageV0, signature: Signature) -> SignedTransaction:
    wire = bytes(VersionedTransaction.populate(message, [signature]))
    return SignedTransaction(signature=signature, wire=wire)
