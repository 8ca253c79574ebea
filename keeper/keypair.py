"""Keypair files: the JSON array of 64 integers that every Solana tool reads and writes.

A key is never logged; a file that others may read is refused, not fixed: it may have been read already.
"""

import json
import os
import stat
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator
from solders.keypair import Keypair

from keeper.errors import KeypairError
from programs.redaction import Redaction

_KEYPAIR_BYTES: Final = 64
_SECRETS: Final = Redaction()
_FILE_BYTES_MAX: Final = 4_096


def _no_keypair(path: Path) -> Path:
    if _SECRETS.text(str(path)) != str(path):
        raise ValueError(
            "expected the path of a keypair file, found a keypair: put it into a file of mode 0600, and replace it if "
            "others can read this file"
        )
    return path


KeyFile = Annotated[Path, AfterValidator(_no_keypair)]
"""A path, and not the key itself: a message that the file is missing would show it."""


def load_keypair(path: Path) -> Keypair:
    """Read a keypair.

    Raises:
        KeypairError: the file is missing, readable by others, or no keypair.
    """
    try:
        found = path.stat()
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise KeypairError(
                f"keypair {path} has mode {stat.S_IMODE(found.st_mode):04o}, so others can read it: "
                f"run `chmod 600 {path}`, and replace the key if the machine is shared"
            )
        if not stat.S_ISREG(found.st_mode) or found.st_size > _FILE_BYTES_MAX:
            raise KeypairError(
                f"keypair {path} is no keypair file: expected a JSON array of {_KEYPAIR_BYTES} integers"
            )
        text = path.read_text()
    except FileNotFoundError as error:
        raise KeypairError(
            f"keypair {path} does not exist: create it with `solana-keygen new -o {path}`, "
            "or set keys.keeper in keeper.toml to an existing one"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeypairError(f"keypair {path} cannot be read: {error}") from error
    try:
        # bytes() refuses what is no list of small integers, solders another length.
        return Keypair.from_bytes(bytes(list(json.loads(text))))
    except (ValueError, TypeError, RecursionError) as error:
        # The file's text never goes into a message: it may be a key in another format.
        raise KeypairError(
            f"keypair {path} is malformed: expected a JSON array of {_KEYPAIR_BYTES} integers "
            "whose second half is the public key"
        ) from error


def create_keypair(path: Path, keypair: Keypair) -> None:
    """Write a new keypair file, mode 0600, in a folder of mode 0700; an existing file is never replaced.

    Raises:
        KeypairError: the file exists or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(list(bytes(keypair)), file)
        except OSError:
            path.unlink()  # a full disk must not leave half a key that nothing replaces
            raise
    except OSError as error:
        raise KeypairError(f"keypair {path} cannot be written: {error}") from error
