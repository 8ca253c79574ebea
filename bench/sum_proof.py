"""What it costs a program to check that a root of sums counts a position: CU at several depths, on the real virtual machine.

    python -m bench.sum_proof [--json]

The checker is sum_proof.c, built like the platform's own program; its answer is compared with that of the tree, for the true proof
and for one with a sum too many.
"""

import argparse
import struct
from pathlib import Path
from typing import Final

import numpy as np
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import TransactionMetadata

from bench.report.figure import Figure, Goal, tell
from programs.betting_platform.build import build
from programs.layout import POSITION_BYTES
from state.snapshots.sum_tree import Path as TreePath
from state.snapshots.sum_tree import Top, leaf_nodes_of_rows, path_of

_SOURCE: Final = Path(__file__).with_name("sum_proof.c")
_DEPTHS: Final = (10, 15)
_CLAIMED_DEPTH: Final = 15
_ACCOUNT_BYTES: Final = 32 + POSITION_BYTES


class Checker:
    """The program, deployed."""

    def __init__(self) -> None:
        """Build it and start a virtual machine."""
        self.svm = LiteSVM().with_blockhash_check(check=False)
        self.program = Pubkey.new_unique()
        self.payer = Keypair()
        self.svm.add_program(self.program, build(_SOURCE))
        self.svm.airdrop(self.payer.pubkey(), 10**12)

    def units(self, data: bytes) -> int | None:
        """Return the CU of a proof that is accepted; None of one that is refused."""
        message = Message([Instruction(self.program, data, [])], self.payer.pubkey())
        sent = self.svm.send_transaction(
            Transaction([self.payer], message, self.svm.latest_blockhash())
        )
        self.svm.expire_blockhash()
        return sent.compute_units_consumed() if isinstance(sent, TransactionMetadata) else None


def proof_data(top: Top, sums: tuple[int, ...], account: bytes, path: TreePath) -> bytes:
    """Return a proof as the program reads it."""
    head = struct.pack("<QQ", path.index, len(path.siblings))
    node = top.hash + struct.pack("<3Q", *top.sums)
    return head + node + struct.pack("<3Q", *sums) + account + b"".join(path.siblings)


def measure(checker: Checker, depth: int) -> tuple[int, ...]:
    """Return the CU of some proofs in a full tree so deep; each is refused with a sum too many."""
    draws = np.random.default_rng(depth)
    leaves = 1 << depth
    accounts = draws.integers(0, 256, (leaves, _ACCOUNT_BYTES), np.uint8)
    sums = draws.integers(0, 1 << 40, (leaves, 3)).astype(np.uint64)
    blocks = [leaf_nodes_of_rows(accounts, sums)]
    found = []
    for index in (0, leaves // 3, leaves - 1):
        top, path = path_of(blocks, leaves, index)
        mine, account = tuple(sums[index].tolist()), accounts[index].tobytes()
        units = checker.units(proof_data(top, mine, account, path))
        assert units is not None, "a true proof is accepted"
        more = (mine[0] + 1, *mine[1:])
        assert checker.units(proof_data(top, more, account, path)) is None, "a false one is not"
        found.append(units)
    return tuple(found)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.sum_proof", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args()
    checker = Checker()
    figures = [
        Figure(
            name=f"check on chain that a root counts a position, {1 << depth:,} accounts, depth {depth}",
            unit="CU",
            runs=measure(checker, depth),
            goal=Goal(value=2_600, source="issue 8: about") if depth == _CLAIMED_DEPTH else None,
        )
        for depth in _DEPTHS
    ]
    tell("sum_proof", figures, as_json=asked.json)


if __name__ == "__main__":
    main()
