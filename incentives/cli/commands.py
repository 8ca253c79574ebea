"""The `incentives` command: thin subcommands over the ledger and the chain."""

import click

from incentives.cli.proof import proof_command
from incentives.cli.refusal import Commands
from incentives.cli.season import SeasonUnreadError, season_command
from state.errors import StateError

_EXAMPLES = """\b
Examples:
  incentives season --program-id ADDRESS     what the chain says of the season
\b
Shell completion:
  eval "$(_INCENTIVES_COMPLETE=bash_source incentives)"
"""


class _Incentives(Commands):
    """All of them."""

    expected = (StateError, SeasonUnreadError)


@click.group(
    cls=_Incentives,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="betting-keeper")
def cli() -> None:
    """Tell what MMT is owed, why, and whether it was paid."""


cli.add_command(proof_command)
cli.add_command(season_command)
