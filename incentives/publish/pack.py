"""The transparency pack: a folder that any web server can show, written anew as epochs close and roots are paid.

Shell. Each file is moved into its place whole; `index.html` last, so that it never names what is not there. An epoch's leaves
never change once written: a file that differs from what would be written now is refused, because somebody may have checked it.
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from incentives.manifests import manifest_text
from incentives.publish.pages import epoch_page, index_page
from incentives.publish.published import (
    EpochRow,
    PublishedEpoch,
    leaf_rows,
    proof_rows,
    row_of,
)
from state.drafts import FOR_EVERYBODY, put_whole


class PackError(Exception):
    """The pack cannot be written; one sentence says why."""


def write_pack(
    folder: Path, epochs: Iterable[PublishedEpoch], *, program: str, genesis: str
) -> Iterator[EpochRow]:
    """Write the pack of all closed epochs, yielding each as it is written.

    Args:
        folder: made if need be.
        epochs: in order; only one at a time is in memory.
        program: its address.
        genesis: hash of the cluster.

    Raises:
        PackError: the folder cannot be written, or has other leaves of an epoch.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / "check.py", [files("incentives.publish").joinpath("check.py").read_text()])
        rows = list[EpochRow]()
        for epoch in epochs:
            _write_epoch(folder / "epochs" / f"{epoch.number:06d}", epoch)
            rows.append(row_of(epoch))
            yield rows[-1]
        _put(folder / "index.html", [index_page(rows, program=program, genesis=genesis)])
    except OSError as error:
        raise PackError(f"{folder} cannot be written: {error}") from error


def _write_epoch(folder: Path, epoch: PublishedEpoch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, root in enumerate(epoch.roots):
        file, text = (
            folder / f"root-{number}.json",
            manifest_text(root.tree, epoch.anchor, epoch.number),
        )
        if file.exists():
            _require_same(file, text)
        else:
            _put(folder / f"leaves-{number}.csv", leaf_rows(root))
            _put(folder / f"proofs-{number}.ndjson", proof_rows(root))
            _put(file, [text])
    _put(folder / "index.html", [epoch_page(epoch)])


def _require_same(file: Path, text: str) -> None:
    if file.read_text() != text:
        raise PackError(
            f"{file} differs from what the ledger says now, and strangers may have checked it: "
            "find out why (`incentives recompute --diff`), or publish to an empty folder"
        )


def _put(file: Path, lines: Iterable[str]) -> None:
    put_whole(file, file.with_name(f".{file.name}.draft"), lines, mode=FOR_EVERYBODY)
