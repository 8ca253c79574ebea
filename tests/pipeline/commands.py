"""`keeper …` as an operator runs it against a quiet world, and what is said when it refuses."""

import subprocess
import sys
from contextlib import contextmanager

from processes import ROOT, write_config
from quiet_world import SLOT_MS, write_keypair
from solders.account import Account
from solders.pubkey import Pubkey

KEEPER = [sys.executable, "-m", "keeper.cli.main"]


def config_for(folder, world, *, port=None, venue=None, **replaced):
    """A keeper.toml against a quiet world, with the world's oracle authority as its key."""
    write_keypair(folder / "var/keys/keeper.json", world.keeper)
    rpc_port = port or world.rpc_port
    path = write_config(folder, rpc_port, venue or world.venue_port, **replaced)
    text = path.read_text().replace("enabled = true", "enabled = false")
    path.write_text(text.replace("slot_ms = 100", f"slot_ms = {SLOT_MS}\nrpc_timeout_ms = 300", 1))
    return path


def run(*arguments, patience_s=60, **options):
    return subprocess.run(
        [*KEEPER, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
        stdin=subprocess.DEVNULL,
        **options,
    )


def refusal(*arguments, status=2, **options):
    """Run a keeper that must refuse, and return its one sentence."""
    ended = run(*arguments, **options)
    assert (ended.returncode, ended.stdout) == (status, ""), ended.stderr
    return the_sentence(ended.stderr)


def the_sentence(stderr):
    """The only line on stderr that is no log line."""
    said = [line for line in stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1, stderr
    sentence = said[0]
    assert sentence.startswith("keeper: "), stderr
    assert sum(sentence.removeprefix("keeper: ") in line for line in stderr.splitlines()) == 1
    return sentence


@contextmanager
def replaced(world, address, **changed):
    """Swap an account's fields for the length of the block."""
    before = world.account(address)
    kept = {"lamports": 1, "data": b"", "owner": Pubkey.default(), "executable": False}
    kept = {name: getattr(before, name) if before else value for name, value in kept.items()}
    world.set_account(address, Account(**(kept | changed)))
    try:
        yield
    finally:
        world.set_account(address, before or Account(0, b"", Pubkey.default()))
