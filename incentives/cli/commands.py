"""The `incentives` command: thin subcommands over the ledger and the chain."""

import click

from incentives.chain_reading import SeasonUnreadError
from incentives.cli.balances import balances_command, trial_balance_command
from incentives.cli.bootstrap import bootstrap_command
from incentives.cli.epoch import epoch_command
from incentives.cli.explain import explain_command
from incentives.cli.export import export_command
from incentives.cli.follow import follow_command
from incentives.cli.payouts import payouts_command
from incentives.cli.proof import proof_command
from incentives.cli.publish import publish_command
from incentives.cli.recompute import recompute_command
from incentives.cli.reconcile import reconcile_command
from incentives.cli.refusal import Commands
from incentives.cli.season import season_command
from incentives.cli.serve import serve_command
from incentives.cli.simulate import simulate_command
from incentives.cli.sql import sql_command
from incentives.cli.statement import statement_command
from incentives.cli.verify import verify_command
from incentives.config import ConfigError
from incentives.ledger.errors import LedgerError
from incentives.manifest_folder import ManifestConflictError
from incentives.parameters import ParametersError
from incentives.publish.pack import PackError
from incentives.reading.errors import ReadingError
from incentives.roots import UnpayableError
from incentives.rules.errors import RulebookError
from incentives.rules.explain import NotExplainedError
from programs.events import MalformedEventError
from programs.rpc import RpcFailure
from state.errors import StateError

_EXAMPLES = """\b
Examples:
  incentives follow                     keep the ledger, as a service
  incentives statement WALLET --table   what a wallet earned, line by line
  incentives explain SIGNATURE          why an amount is what it is
  incentives reconcile                  the ledger against the chain
  incentives verify                     whether everything holds that must hold
  incentives payouts --stuck            what is not paid and should be
  incentives sql "SELECT …" -t          any other question
\b
Shell completion:
  eval "$(_INCENTIVES_COMPLETE=bash_source incentives)"
"""


class _Incentives(Commands):
    """All of them."""

    expected = (
        ConfigError,
        LedgerError,
        PackError,
        MalformedEventError,
        ManifestConflictError,
        NotExplainedError,
        ParametersError,
        ReadingError,
        RpcFailure,
        RulebookError,
        SeasonUnreadError,
        StateError,
        UnpayableError,
    )


@click.group(
    cls=_Incentives,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="betting-keeper")
def cli() -> None:
    """Tell what MMT is owed, why, and whether it was paid."""


cli.add_command(follow_command)
cli.add_command(statement_command)
cli.add_command(balances_command)
cli.add_command(trial_balance_command)
cli.add_command(explain_command)
cli.add_command(epoch_command)
cli.add_command(bootstrap_command)
cli.add_command(payouts_command)
cli.add_command(reconcile_command)
cli.add_command(verify_command)
cli.add_command(recompute_command)
cli.add_command(simulate_command)
cli.add_command(export_command)
cli.add_command(sql_command)
cli.add_command(proof_command)
cli.add_command(season_command)
cli.add_command(publish_command)
cli.add_command(serve_command)
