"""The token that whoever asks from elsewhere has to know.

Edge: reads a file.
"""

import stat
from pathlib import Path
from typing import Final

from keeper.errors import MonitorError

_BYTES_MIN: Final = 16
_BYTES_MAX: Final = 512


def load_token(path: Path | None) -> str | None:
    """Read the token; None where none is asked for.

    Raises:
        MonitorError: the file cannot be read, can be read by others, or holds no token.
    """
    if path is None:
        return None
    try:
        mode = path.stat().st_mode
        token = path.read_bytes()[: _BYTES_MAX + 2].strip()
    except OSError as error:
        raise MonitorError(
            f"monitor.token_file {path} cannot be read ({error.strerror}): make it with "
            f"`(umask 077; openssl rand -hex 32 > {path})`"
        ) from error
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise MonitorError(
            f"monitor.token_file {path} has mode {stat.S_IMODE(mode):04o}: others may read it; chmod 0600 {path}"
        )
    if not _BYTES_MIN <= len(token) <= _BYTES_MAX or not token.isascii() or b":" in token:
        raise MonitorError(
            f"monitor.token_file {path} holds {len(token)} bytes, expected one line of {_BYTES_MIN} to {_BYTES_MAX} ASCII "
            "characters without a colon"
        )
    return token.decode()
