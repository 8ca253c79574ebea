"""A keeper that starts from an old snapshot, beside one that scanned: on sockets, over accounts that the real program wrote."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
import trio
from solders.hash import Hash
from solders.pubkey import Pubkey

from bench._snapshot_world import States
from keeper.newest import Newest
from keeper.platform_state import PlatformState, Reading
from keeper.saved.accounts import Accounts, take_accounts
from keeper.saved.capture import capture
from keeper.saved.files import load, save
from keeper.saved.places import changes_path, default_path, newest
from keeper.saved.resuming import SavedStart, resume
from keeper.scan import fill, scan
from keeper.snapshot import Snapshot
from keeper.tally import Tally
from keeper.watch import ScanPace, watch_chain
from programs.layout import AccountKind
from programs.localnet.server import Localnet
from programs.rpc import Rpc
from programs.rpc_http import RpcSettings, open_rpc
from state.snapshots.piece import Origin
from tests.keeper.saved.saved_network import network_of, put

PATIENCE_S = 25.0


class Restart:
    """A network on which a snapshot was taken, and then the platform went on."""

    def __init__(self, network: Localnet, rpc: Rpc, states: States, folder: Path) -> None:
        self.network, self.rpc, self.states, self.folder = network, rpc, states, folder
        self.program = Pubkey.from_bytes(states.program)
        self.genesis_hash = bytes(network.bank.genesis_hash)

    async def save(self) -> Path:
        origin, accounts = await capture(self.rpc, self.program)
        path = default_path(self.folder, self.genesis_hash)
        save(path, origin, accounts)
        return path

    def go_on(self) -> None:
        put(self.network.bank, self.states.program, self.states.following)
        self.network.bank.advance_slot(2)

    def start(self, **changes: object) -> SavedStart:
        terms = {"folder": self.folder, "genesis_hash": str(Hash.from_bytes(self.genesis_hash))}
        return SavedStart(**{"slots_max": 1_000, **terms, **changes})

    async def resumed(self) -> Snapshot:
        reading = await resume(self.rpc, self.program, self.start())
        assert reading is not None
        return await taken(reading)


@asynccontextmanager
async def restart(states: States, folder: Path) -> AsyncIterator[Restart]:
    async with network_of(states) as network, open_rpc([network.url], RpcSettings()) as rpc:
        yield Restart(network, rpc, states, folder)


async def taken(reading: Reading) -> Snapshot:
    state = PlatformState()
    filling = state.begin(reading)
    assert filling is not None
    await fill(filling)
    state.adopt(filling)
    return state.snapshot(reading.slot)


def table(snapshot: Snapshot) -> dict[bytes, bytes]:
    """Every position, by address."""
    rows = zip(snapshot.addresses, snapshot.positions, strict=True)
    return {address.tobytes(): row.tobytes() for address, row in rows if row["kind"]}


def whole(snapshot: Snapshot) -> tuple[object, ...]:
    markets = {bytes(address): market for address, market in snapshot.markets.items()}
    return table(snapshot), markets, dict(snapshot.chains), snapshot.global_, snapshot.vault


async def test_while_nothing_happens_a_snapshot_is_as_good_as_a_scan(
    states: States, tmp_path: Path
) -> None:
    async with restart(states, tmp_path) as world:
        await world.save()
        assert whole(await world.resumed()) == whole(await scan(world.rpc, world.program))


async def test_after_a_minute_every_row_is_what_the_chain_says_and_no_loan_is_missing(
    states: States, tmp_path: Path
) -> None:
    async with restart(states, tmp_path) as world:
        await world.save()
        world.go_on()
        resumed, scanned = await world.resumed(), await scan(world.rpc, world.program)
    mine, all_of_them = table(resumed), table(scanned)
    assert mine.items() <= all_of_them.items()
    assert whole(resumed)[1:] == whole(scanned)[1:]
    before = take_accounts(states.first).tables[AccountKind.POSITION]
    known = {address.tobytes() for address in before.addresses}
    rows = zip(scanned.addresses, scanned.positions, strict=True)
    debt = {address.tobytes() for address, row in rows if row["debt"]}
    old_loans = debt & known
    assert old_loans <= set(mine)
    assert len(mine) > len(all_of_them) / 2
    assert mine != all_of_them  # what was opened since, the scan brings


@pytest.mark.parametrize("form", ["whole", "changes"])
async def test_a_keeper_from_an_old_snapshot_ends_at_the_table_of_one_that_scanned(
    states: States, tmp_path: Path, form: str
) -> None:
    async with restart(states, tmp_path) as world:
        path = await world.save()
        if form == "changes":
            put(world.network.bank, states.program, states.following[::2] + states.first[1::2])
            put(world.network.bank, states.program, states.following)
            world.network.bank.advance_slot(2)
            origin, accounts = await capture(world.rpc, world.program)
            save(changes_path(path, origin.slot), origin, accounts, load(path))
            put(world.network.bank, states.program, states.first)
            world.network.bank.advance_slot(2)
        else:
            world.go_on()
        chain, tally = Newest[Snapshot](), Tally()
        pace = ScanPace(interval_s=0.2, calm_interval_s=0.2)
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    await watch_chain(
                        world.rpc, world.program, tally, pace, chain, None, world.start()
                    )

                nursery.start_soon(watch)
                sequence, _ = await chain.wait_newer(0)
                assert tally.scans == 0, "the first thing published is from the snapshot"
                while not tally.scans:
                    sequence, found = await chain.wait_newer(sequence)
                scanned = await scan(world.rpc, world.program)
                assert whole(found) == whole(scanned)
                nursery.cancel_scope.cancel()
    assert not tally.refusals


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("nothing", None),
        ("genesis", "another cluster"),
        ("program", "is a snapshot of program"),
        ("bytes", "cannot be used"),
        ("age", "slots old, at most 1 were wanted"),
        ("never", None),
    ],
)
async def test_a_snapshot_that_does_not_fit_is_refused_with_a_reason_and_the_scan_does_without(
    states: States, first: Accounts, tmp_path: Path, spoil: str, said: str | None
) -> None:
    async with restart(states, tmp_path) as world:
        path, slot = default_path(tmp_path, world.genesis_hash), world.network.bank.slot
        good = Origin(genesis_hash=world.genesis_hash, program=states.program, slot=slot)
        start = world.start()
        match spoil:
            case "genesis":
                save(path, Origin(genesis_hash=bytes(32), program=states.program, slot=slot), first)
            case "program":
                save(
                    path,
                    Origin(genesis_hash=world.genesis_hash, program=bytes(32), slot=slot),
                    first,
                )
            case "bytes":
                save(path, good, first)
                path.write_bytes(path.read_bytes()[:-1])
            case "age":
                save(path, good, first)
                world.network.bank.advance_slot(3)
                start = world.start(slots_max=1)
            case "never":
                save(path, good, first)
                start = world.start(slots_max=0)
            case _:
                pass
        with structlog.testing.capture_logs() as logs:
            assert await resume(world.rpc, world.program, start) is None
    refused = [each["reason"] for each in logs if each["event"] == "snapshot.refused"]
    assert [said in reason for reason in refused if said] == [True] * (said is not None)


def test_the_newest_snapshot_that_can_be_read_is_taken(
    tmp_path: Path, origin: Origin, first: Accounts, following: Accounts
) -> None:
    path = default_path(tmp_path, origin.genesis_hash)
    assert newest(tmp_path, origin.genesis_hash) == (None, {})
    save(path, origin, first)
    later = Origin(genesis_hash=origin.genesis_hash, program=origin.program, slot=origin.slot + 9)
    beside = changes_path(path, later.slot)
    save(beside, later, following, load(path))
    assert newest(tmp_path, origin.genesis_hash) == (beside, {})
    beside.write_bytes(b"half")
    found, refused = newest(tmp_path, origin.genesis_hash)
    assert (found, list(refused)) == (path, [beside])
    assert newest(tmp_path, bytes(32)) == (None, {})
