"""`keeper snapshot`: the platform's accounts in a file, and a root that commits to them and to what they owe."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from solders.pubkey import Pubkey

from keeper.cli.cluster_options import (
    FILE,
    JSON_OPTION,
    Address,
    Target,
    on_cluster,
    resolve_target,
    say,
    table,
    target_options,
)
from keeper.cli.refusal import Refusal
from keeper.saved.accounts import Accounts
from keeper.saved.books import Books
from keeper.saved.capture import capture
from keeper.saved.changes import find_changes
from keeper.saved.content import blocks_of
from keeper.saved.files import check_same_platform, load, proof_of, save, verified
from keeper.saved.page import (
    books_json,
    books_rows,
    changes_json,
    changes_rows,
    counts_json,
    header_json,
    header_rows,
)
from keeper.saved.places import changes_path, default_path
from keeper.saved.proofs import proof_json
from programs.rpc import Rpc
from programs.terminal import echo
from state.snapshots.errors import SnapshotForeign
from state.snapshots.header import Header
from state.snapshots.piece import Origin

EXIT_DIFFERS: Final = 1
"""The file is sound, and is not what it was held against."""
_EXAMPLES: Final = """\b
Examples:
  keeper snapshot write
  keeper snapshot write --base accounts-4uhcVJyU9pJk.snapshot
  keeper snapshot read accounts-4uhcVJyU9pJk.snapshot --json
  keeper snapshot verify accounts-4uhcVJyU9pJk.snapshot --against-chain
  keeper snapshot diff ONE OTHER
  keeper snapshot prove accounts-4uhcVJyU9pJk.snapshot ACCOUNT > proof.json
"""
_SNAPSHOT: Final = click.argument("file", type=FILE)
_PROGRAM_OPTION: Final = click.option(
    "--program", type=Address(), help="Address of the program.  [default: cluster.program_id]"
)


@click.group("snapshot", epilog=_EXAMPLES)
def snapshot_group() -> None:
    """Save every account of the program, compressed, under a root; verify it, compare it, prove that it counts an account."""


@snapshot_group.command("write", epilog=_EXAMPLES)
@click.option(
    "--out", type=FILE, help="Where to.  [default: in state.folder, named after the cluster]"
)
@click.option(
    "--base", "base_path", type=FILE, help="Write only the changes since this snapshot, beside it."
)
@_PROGRAM_OPTION
@target_options
@JSON_OPTION
def write_command(
    *,
    out: Path | None,
    base_path: Path | None,
    program: Pubkey | None,
    urls: tuple[str, ...],
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Read all accounts at one finalized slot, and save them."""
    target = resolve_target(urls, config_path)
    if out is None and base_path is None and target.config is None:
        raise click.UsageError("--url needs --out FILE, or --config to name the folder")
    base = None if base_path is None else load(base_path)
    if base is not None and program is None:
        _check_configured(base.path, base.header, target)
    say("reading all accounts …")
    origin, accounts = _captured(target, program)
    if out is None:
        if base is not None:
            out = changes_path(base.path, origin.slot)
        else:
            assert target.config is not None, "asked above"
            out = default_path(target.config.state.folder, origin.genesis_hash)
            out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    say(f"writing {len(accounts):,} accounts to {out} …")
    header = save(out, origin, accounts, base)
    found = header_json(header, out.stat().st_size)
    found |= {"file": str(out), "raw_bytes": accounts.raw_bytes}
    _tell(found, header_rows(found), as_json=as_json)


@snapshot_group.command("read", epilog=_EXAMPLES)
@_SNAPSHOT
@JSON_OPTION
def read_command(file: Path, *, as_json: bool) -> None:
    """Say what a snapshot holds; one of changes is read with those it stands on."""
    saved, books = load(file), Books()
    for _ in books.passing(blocks_of(saved.accounts)):
        pass
    found = header_json(saved.header, file.stat().st_size)
    found |= {"raw_bytes": saved.accounts.raw_bytes, "kinds": counts_json(books.counts)}
    _tell(found, header_rows(found), as_json=as_json)


@snapshot_group.command("verify", epilog=_EXAMPLES)
@_SNAPSHOT
@click.option(
    "--against-chain",
    is_flag=True,
    help="Also read all accounts of the cluster, and say what is other there.",
)
@target_options
@JSON_OPTION
def verify_command(
    file: Path,
    *,
    against_chain: bool,
    urls: tuple[str, ...],
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Hash every account again, compare the root, and its sums with the program's own counters.

    Exit code 0: all is as the file says. 1: the books do not balance, or the chain holds something else. 2: it is damaged.
    """
    header, books = verified(file)
    lines = books.lines(header.top.sums)
    found = header_json(header, file.stat().st_size)
    found |= {"event": "verified", "kinds": counts_json(books.counts), "books": books_json(lines)}
    rows = [*header_rows(found), *books_rows(lines)]
    is_sound = all(line.is_balanced for line in lines)
    if against_chain:
        target = resolve_target(urls, config_path)
        _check_configured(file, header, target)
        saved = load(file)
        origin, accounts = _captured(target, Pubkey.from_bytes(header.program))
        check_same_platform(file, header, origin)
        changes = find_changes(saved.accounts, accounts)
        differences = changes_json(saved.accounts, accounts, changes)
        found["chain"] = {"slot": origin.slot, "differences": differences}
        told = f"slot {origin.slot:,}: " + ("the same" if not changes.count else "differs")
        rows += [("chain", told), *changes_rows(differences)]
        is_sound &= not changes.count
    _tell(found | {"passed": is_sound}, rows, as_json=as_json)
    sys.exit(0 if is_sound else EXIT_DIFFERS)


@snapshot_group.command("diff", epilog=_EXAMPLES)
@click.argument("one", type=FILE)
@click.argument("other", type=FILE)
@JSON_OPTION
def diff_command(one: Path, other: Path, *, as_json: bool) -> None:
    """Say which accounts were closed, changed and added from one snapshot to another. Exit code 1 when any were."""
    before, after = load(one), load(other)
    check_same_platform(one, before.header, after.origin)
    changes = find_changes(before.accounts, after.accounts)
    differences = changes_json(before.accounts, after.accounts, changes)
    found = {
        "slots": [before.header.slot, after.header.slot],
        "roots": [before.header.root.hex(), after.header.root.hex()],
        "accounts_concerned": changes.count,
        "differences": differences,
    }
    rows = [
        ("slots", f"{before.header.slot:,} to {after.header.slot:,}"),
        ("accounts concerned", f"{changes.count:,}"),
        *changes_rows(differences),
    ]
    _tell(found, rows, as_json=as_json)
    sys.exit(EXIT_DIFFERS if changes.count else 0)


@snapshot_group.command("prove", epilog=_EXAMPLES)
@_SNAPSHOT
@click.argument("account", type=Address())
def prove_command(file: Path, account: Pubkey) -> None:
    """Print a proof that the root counts an account, as JSON that keeper/saved/check.py verifies with nothing but Python."""
    saved = load(file)
    found = proof_of(saved, bytes(account))
    if found is None:
        raise Refusal(f"{account} is not among the {len(saved.accounts)} accounts of {file}")
    data, path, top = found
    if top != saved.header.top:
        raise Refusal(
            f"{file} has another root than its accounts: `keeper snapshot verify` says more"
        )
    echo(json.dumps(proof_json(saved.header, bytes(account), data, path), indent=1))


def _check_configured(file: Path, header: Header, target: Target) -> None:
    """State that a snapshot is of the program that keeper.toml names, where that is what is asked.

    Raises:
        SnapshotForeign: it is of another one.
    """
    if target.config is None:
        return
    found, configured = Pubkey.from_bytes(header.program), target.config.cluster.program_id
    if found != configured:
        raise SnapshotForeign(
            f"{file} is a snapshot of program {found}, the configuration names {configured}: "
            "give a snapshot of that program, or correct cluster.program_id"
        )


def _captured(target: Target, program: Pubkey | None) -> tuple[Origin, Accounts]:
    if program is None:
        if target.config is None:
            raise click.UsageError("--url needs --program ADDRESS, or --config to name the program")
        program = target.config.cluster.program_id
    return on_cluster(target, partial(_capture, program))


async def _capture(program: Pubkey, rpc: Rpc) -> tuple[Origin, Accounts]:
    return await capture(rpc, program)


def _tell(found: dict[str, Any], rows: list[tuple[str, str]], *, as_json: bool) -> None:
    echo(json.dumps(found) if as_json else table(rows))
