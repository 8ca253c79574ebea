"""`keeper monitor files`: what an operator installs beside the keeper."""

from pathlib import Path
from typing import Final

import click

from keeper.monitor.shipped.install import Site, shipped_files, write_files
from programs.terminal import echo

_SOURCE: Final = Path(__file__).parents[2]


@click.command("files")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    default=_SOURCE,
    help="Where keeper's source and its .venv are on that machine; as a rule where this runs from.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("/etc/keeper/keeper.toml"),
    show_default=True,
    help="keeper.toml on that machine.",
)
@click.option("--user", default="keeper", show_default=True, help="Who runs the services.")
@click.option(
    "--slot-ms",
    type=click.IntRange(10, 10_000),
    default=400,
    show_default=True,
    help="Nominal length of a slot on the cluster that is kept: rules that count slots need it.",
)
def monitor_files_command(
    folder: Path, source: Path, config: Path, user: str, slot_ms: int
) -> None:
    """Write systemd units, a container file, a Grafana dashboard and Prometheus' rules into FOLDER."""
    site = Site(source=source, config=config, user=user, slot_s=slot_ms / 1_000)
    for path in write_files(shipped_files(site), folder):
        echo(path)
