"""Where keeper.toml is, and which ledger it names."""

from pathlib import Path
from typing import Final

import click

from incentives.config import Settings, load_settings

CONFIG: Final = Path("keeper.toml")
CONFIG_OPTION: Final = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Names ledger, cluster and manifests, where no option does.  [default: keeper.toml]",
)


def ledger_path(config_path: Path | None) -> Path:
    """Return the ledger that keeper.toml names, or the one last written where it keeps them.

    Raises:
        ConfigError: the file cannot be used, or there is none.
    """
    return settings_of(config_path).find_ledger()


def settings_of(config_path: Path | None) -> Settings:
    """Read keeper.toml.

    Raises:
        ConfigError: the file cannot be used.
    """
    return load_settings(config_path or CONFIG)
