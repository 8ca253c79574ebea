"""`keeper check`: validate the configuration and print what is in effect."""

import json
from dataclasses import fields
from pathlib import Path

import click

from keeper.cli.logs import redaction_of
from keeper.config import Config, effective, load_config
from keeper.keypair import load_keypair
from keeper.lane_config import LaneConfig
from keeper.lanes import key_file
from programs.terminal import echo

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

    Every mistake is listed with its dotted key. Keypair files are read, never printed: only who pays for which lane is. Keys within URLs are hidden.
    """
    config = load_config(config_path)
    # What is printed here is pasted into chats and tickets: providers put their keys into URLs.
    shown = redaction_of(config).value(effective(config) | {"payers": _payers(config)})
    assert isinstance(shown, dict), "a mapping stays one"
    if as_json:
        echo(json.dumps(shown))
        return
    for section, settings in shown.items():
        for line in _lines(section, settings):
            echo(line)


def _payers(config: Config) -> dict[str, str]:
    """Say who pays for each lane, by address and key file.

    Raises:
        KeypairError: a key file cannot be used.
    """
    found: dict[str, str] = {}
    for lane in fields(config.lanes):
        settings = getattr(config.lanes, lane.name)
        if not isinstance(settings, LaneConfig):
            continue
        file = key_file(settings, config.keys)
        # The sandbox makes the keeper's keypair at its first start.
        is_still_to_make = (
            config.sandbox.enabled and file == config.keys.keeper and not file.exists()
        )
        who = "made at the first start" if is_still_to_make else str(load_keypair(file).pubkey())
        found[lane.name] = f"{who} ({file})"
    return found


def _lines(prefix: str, value: object) -> list[str]:
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _lines(f"{prefix}.{key}", inner)]
    return [f"{prefix} = {json.dumps(value)}"]
