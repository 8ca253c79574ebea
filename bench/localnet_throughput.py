"""Transactions per second of the local network in process, beside the raw LiteSVM in the same run.

    python -m bench.localnet_throughput [--transactions 20000]

The goal of the network is 3_000 per second, handed to it as wire bytes, signatures verified, records kept.
"""

import argparse
import statistics
import time

from solders.hash import Hash
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bench.report.figure import Beside, Figure, Goal, tell
from programs.localnet.bank import Bank

GOAL_PER_S = 3_000
SLOT_TRANSACTIONS = 1_200
"""What one slot of 400 ms holds at the goal."""


def signed_transfers(payer: Keypair, blockhash: Hash, count: int) -> list[bytes]:
    """Build distinct transfers to 100 accounts, as wire bytes."""
    recipients = [Pubkey.new_unique() for _ in range(100)]
    wires = []
    for number in range(count):
        to = recipients[number % len(recipients)]
        params = TransferParams(
            from_pubkey=payer.pubkey(), to_pubkey=to, lamports=1_000_000 + number
        )
        message = Message.new_with_blockhash([transfer(params)], payer.pubkey(), blockhash)
        wires.append(bytes(VersionedTransaction(message, [payer])))
    return wires


def raw_per_s(payer: Keypair, count: int) -> float:
    """LiteSVM alone: parse and execute."""
    svm = LiteSVM().with_blockhash_check(check=False).with_transaction_history(0)
    svm.airdrop(payer.pubkey(), 10**14)
    wires = signed_transfers(payer, Hash.default(), count)
    started_s = time.perf_counter()
    for wire in wires:
        svm.send_transaction(VersionedTransaction.from_bytes(wire))
    return count / (time.perf_counter() - started_s)


def bank_per_s(payer: Keypair, count: int) -> float:
    """The network's chain: a slot every 1_200 transactions, everything recorded."""
    bank = Bank()
    bank.airdrop(payer.pubkey(), 10**14)
    wires = signed_transfers(payer, bank.block_at("processed").blockhash, count)
    started_s = time.perf_counter()
    for number, wire in enumerate(wires):
        bank.send(wire)
        if number % SLOT_TRANSACTIONS == SLOT_TRANSACTIONS - 1:
            bank.advance_slot()
    elapsed_s = time.perf_counter() - started_s
    assert bank.ledger.landed_count == count + 1
    return count / elapsed_s


def main() -> None:
    """Measure both and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    payer = Keypair()
    raw = [raw_per_s(payer, asked.transactions) for _ in range(asked.runs)]
    bank = [bank_per_s(payer, asked.transactions) for _ in range(asked.runs)]
    figure = Figure(
        name=f"{asked.transactions:,} signed transfers handed to the local network in process",
        unit="1/s",
        runs=tuple(bank),
        goal=Goal(value=GOAL_PER_S, is_most=False, source="issue 2"),
        limit=Beside(name="LiteSVM alone", value=statistics.median(raw)),
    )
    tell("localnet_throughput", [figure], as_json=asked.json)


if __name__ == "__main__":
    main()
