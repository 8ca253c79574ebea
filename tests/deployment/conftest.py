"""A network over real sockets, in a thread of its own, and keypairs that the commands can be given."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
import trio
from click.testing import CliRunner
from solders.account import Account
from solders.keypair import Keypair

from keeper.cli.commands import cli, exit_code, sentences
from programs.localnet.bank import Bank, BankConfig
from programs.localnet.server import LocalnetConfig, serve

SLOT_MS = 20
SOL = 10**9


@dataclass
class Chain:
    """What a test gets hold of."""

    bank: Bank
    url: str
    token: trio.lowlevel.TrioToken

    def do(self, function, *arguments, **named):
        """Call something of the bank's in its own thread."""
        return trio.from_thread.run_sync(
            partial(function, *arguments, **named), trio_token=self.token
        )

    def account(self, address):
        return self.do(self.bank.account, address)

    def lamports(self, address):
        account = self.account(address)
        return 0 if account is None else account.lamports

    def writes(self, address):
        """How many transactions have locked an address."""
        return self.do(lambda: len(list(self.bank.ledger.newest_first(address))))

    def edit(self, address, *, data=None, **fields):
        """Overwrite an account as no transaction could."""
        old = self.account(address)
        new = Account(
            lamports=fields.get("lamports", old.lamports),
            data=old.data if data is None else data,
            owner=fields.get("owner", old.owner),
            executable=fields.get("executable", old.executable),
        )
        self.do(self.bank.set_account, address, new)


async def _run(boxed, ready):
    bank = BankConfig(seed=7, slot_ms=SLOT_MS, confirmed_slots=1, finality_slots=3)
    async with trio.open_nursery() as nursery:
        localnet = await nursery.start(serve, LocalnetConfig(port=0, bank=bank))
        boxed["chain"] = Chain(localnet.bank, localnet.url, trio.lowlevel.current_trio_token())
        boxed["scope"] = nursery.cancel_scope
        ready.set()


@contextmanager
def open_chain() -> Iterator[Chain]:
    boxed, ready = {}, Event()

    def main():
        try:
            trio.run(_run, boxed, ready)
        finally:
            ready.set()

    thread = Thread(target=main)
    thread.start()
    ready.wait()
    try:
        yield boxed["chain"]
    finally:
        if "scope" in boxed:
            boxed["chain"].do(boxed["scope"].cancel)
        thread.join()


@pytest.fixture(scope="module")
def chain():
    with open_chain() as found:
        yield found


@dataclass
class Operator:
    """Somebody with a program keypair, a funded payer and the commands."""

    chain: Chain
    folder: Path
    program: Keypair
    payer: Keypair

    def path(self, name: str, keypair: Keypair) -> Path:
        found = self.folder / f"{name}.json"
        found.write_text(json.dumps(list(bytes(keypair))))
        found.chmod(0o600)
        return found

    def words(self, command, *options, payer=None):
        """The words of a command with this operator's keys."""
        words = [command, "--url", self.chain.url, "--program", self.folder / "program.json"]
        if command != "verify":
            words += ["--payer", payer or self.folder / "payer.json"]
        return [str(word) for word in [*words, *options]]

    def run(self, command, *options, payer=None):
        """Run a command in this process: exit code, stdout, stderr with the sentence of an error."""
        self.chain.do(self.chain.bank.advance_slot, 2)  # what the test did is confirmed
        ended = CliRunner().invoke(cli, self.words(command, *options, payer=payer))
        if ended.exception is None or isinstance(ended.exception, SystemExit):
            return ended.exit_code, ended.stdout, ended.stderr
        told = "\n".join(sentences(ended.exception))
        return exit_code(ended.exception), ended.stdout, ended.stderr + told

    def json(self, command, *options):
        code, out, told = self.run(command, *options, "--json")
        return code, json.loads(out) if out else told


@pytest.fixture
def operator(chain, tmp_path):
    found = Operator(chain, tmp_path, Keypair(), Keypair())
    found.path("program", found.program)
    found.path("payer", found.payer)
    chain.do(chain.bank.airdrop, found.payer.pubkey(), 5 * SOL)
    return found
