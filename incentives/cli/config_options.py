"""Where keeper.toml is, and which ledger it names."""

import tomllib
from pathlib import Path
from typing import Final

import click

from incentives.cli.refusal import Refusal

_CONFIG: Final = Path("keeper.toml")
CONFIG_OPTION: Final = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Names the ledger, unless --ledger does.  [default: keeper.toml]",
)


def ledger_path(config_path: Path | None) -> Path:
    """Return the ledger that keeper.toml names.

    Raises:
        Refusal: there is no such file, or it names none.
    """
    path = config_path or _CONFIG
    try:
        found = tomllib.loads(path.read_text()).get("incentives", {}).get("ledger")
    except FileNotFoundError as error:
        raise Refusal(
            f"{path} does not exist: name the ledger with --ledger, or keeper.toml with --config"
        ) from error
    except (OSError, ValueError) as error:
        raise Refusal(f"{path} cannot be read: {error}") from error
    if not isinstance(found, str):
        raise Refusal(f"{path} names no ledger: set incentives.ledger in it, or give --ledger")
    return path.parent / found
