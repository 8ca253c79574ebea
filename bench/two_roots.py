"""An epoch that owes more wallets than one root has leaves: two roots on chain, and the wallets at their border paid.

    python -m bench.two_roots [--wallets 70000]

The close becomes roots, manifests, posts and payments as in a season: incentives' manifests, the keeper's payouts lane with its
database on disk, the committed program on a local network. The first wallet and the last, those on either side of the border
and a few more have token accounts. Checked on chain: each of them got what its leaf says, every other leaf is unpaid, and each
finds its leaf in its own root.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import structlog
import trio
from solders.pubkey import Pubkey
from spl.token.instructions import get_associated_token_address

from bench._reward_world import EPOCH_SLOTS, PROGRAM, Purse, network_of, owe, wallets_of
from bench.payouts import Paying, paying
from incentives.proofs import find_claimable
from incentives.roots import place_of
from programs.accounts import Epoch
from programs.addresses import epoch_address
from programs.localnet.server import serve
from programs.merkle import LEAVES_MAX
from programs.spl_token import decode_token_account

_SLOT_MS: Final = 100
_FINALITY_SLOTS: Final = 4
_ROUND_S: Final = 0.2
"""Each looks at as many wallets as may be paid in it: most of these have no account, and are passed over."""
_PATIENCE_S: Final = 240.0
_EVERY: Final = 5_000
"""Besides the border, one wallet of so many is paid."""


def sample_of(wallets: int) -> list[int]:
    """Return who is paid: first, last, both sides of the border, and some in between."""
    border = {0, LEAVES_MAX - 1, LEAVES_MAX, wallets - 1}
    return sorted(border | set(range(_EVERY, wallets, _EVERY)))


async def run(wallets: int, folder: Path) -> dict[str, Any]:
    """Owe, post, pay and check; return what was measured."""
    owners = [wallet.pubkey() for wallet in wallets_of(wallets)]
    owed = [(owner, 1_000 + number) for number, owner in enumerate(owners)]
    sample = sample_of(wallets)
    async with trio.open_nursery() as nursery:
        config = network_of(slot_ms=_SLOT_MS, finality_slots=_FINALITY_SLOTS)
        network = await nursery.start(serve, config)
        Purse(network.bank).open_accounts([owners[number] for number in sample])
        started_s = time.perf_counter()
        owe(folder / "payouts", str(network.bank.genesis_hash), 0, owed)
        written_s = time.perf_counter() - started_s
        work = paying(
            network.url,
            network.bank.faucet,
            folder,
            slot_s=_SLOT_MS / 1_000,
            concurrency=64,
            creates=False,
            interval_s=_ROUND_S,
        )
        async with work as lane:
            with trio.fail_after(_PATIENCE_S):
                roots = await _until_paid(lane, len(sample))
            paid_s = time.perf_counter() - started_s
            await _check(lane, owed, sample, roots, folder / "payouts")
        nursery.cancel_scope.cancel(reason="all is checked")
    return {
        "wallets": wallets,
        "leaves": [root.leaf_count for root in roots],
        "paid": [root.paid_count for root in roots],
        "written_s": round(written_s, 1),
        "paid_s": round(paid_s, 1),
    }


async def _until_paid(lane: Paying, count: int) -> list[Epoch]:
    places = [place_of(0, part, EPOCH_SLOTS) for part in range(2)]
    addresses = [epoch_address(PROGRAM, place.epoch, place.index)[0] for place in places]
    while True:
        found = (await lane.rpc.get_multiple_accounts(addresses, "finalized")).accounts
        roots = [Epoch.from_bytes(account.data) for account in found if account is not None]
        if sum(root.paid_count for root in roots) >= count:
            return roots
        await trio.sleep(_ROUND_S)


async def _check(
    lane: Paying,
    owed: list[tuple[Pubkey, int]],
    sample: list[int],
    roots: list[Epoch],
    folder: Path,
) -> None:
    assert [LEAVES_MAX, len(owed) - LEAVES_MAX] == [root.leaf_count for root in roots]
    marks = [int.from_bytes(root.bitmap, "little") for root in roots]
    wanted = [0, 0]
    for number in sample:
        part, leaf = divmod(number, LEAVES_MAX)
        wanted[part] |= 1 << leaf
    assert wanted == marks, "exactly the wallets with accounts are paid"
    tokens = [get_associated_token_address(owed[number][0], lane.mint) for number in sample]
    accounts = (await lane.rpc.get_multiple_accounts(tokens, "finalized")).accounts
    held = [
        decode_token_account(account.data).amount for account in accounts if account is not None
    ]
    assert [owed[number][1] for number in sample] == held
    manifests = await trio.to_thread.run_sync(_manifests, folder)
    for number in (LEAVES_MAX - 1, LEAVES_MAX):
        wallet, amount = owed[number]
        claims = [
            found for text in manifests if (found := find_claimable(text, wallet)) is not None
        ]
        assert [(number % LEAVES_MAX, amount)] == [(one.leaf, one.reward.amount) for one in claims]
        assert claims[0].standing(roots[number // LEAVES_MAX]) == "paid"


def _manifests(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.glob("*.json"))]


def main() -> int:
    """Run it; one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wallets", type=int, default=70_000, help="over 65_536, at most twice")
    asked = parser.parse_args()
    if not LEAVES_MAX < asked.wallets <= 2 * LEAVES_MAX:
        parser.error(
            f"--wallets is {asked.wallets}, expected over {LEAVES_MAX}, at most twice that"
        )
    with tempfile.TemporaryDirectory() as name, (Path(name) / "log").open("w") as log:
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(log),
        )
        print(json.dumps(trio.run(run, asked.wallets, Path(name))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
