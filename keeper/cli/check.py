"""`keeper check`: validate the configuration and print what is in effect."""

import json
from pathlib import Path

import click

from keeper.config import effective, load_config
from keeper.keypair import load_keypair

CONFIG_OPTION = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("keeper.toml"),
    show_default=True,
    help="The file to read.",
)


_EXAMPLES = """\b
Examples:
  keeper check
  keeper check --config /etc/keeper/keeper.toml --json
"""


@click.command("check", epilog=_EXAMPLES)
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check_command(config_path: Path, *, as_json: bool) -> None:
    """Validate keeper.toml and print the effective configuration, defaults included.

    Every mistake is listed with its dotted key. The keypair file is read, never printed.
    """
    config = load_config(config_path)
    # The sandbox makes its own keypair at its first start.
    if not (config.sandbox.enabled and not config.keys.keeper.exists()):
        load_keypair(config.keys.keeper)
    shown = effective(config)
    if as_json:
        click.echo(json.dumps(shown))
        return
    for section, settings in shown.items():
        for line in _lines(section, settings):
            click.echo(line)


def _lines(prefix: str, value: object) -> list[str]:
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _lines(f"{prefix}.{key}", inner)]
    return [f"{prefix} = {json.dumps(value)}"]
