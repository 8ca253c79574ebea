"""The `keeper` command: thin subcommands over the services."""

import sys
from collections.abc import Iterator

import click

from keeper.cli.alerts import alerts_group
from keeper.cli.check import check_command
from keeper.cli.decode import decode_command
from keeper.cli.deploy import deploy_command
from keeper.cli.drill import drill_group
from keeper.cli.genesis import genesis_command
from keeper.cli.halt import halt_command
from keeper.cli.idl import idl_command
from keeper.cli.localnet import localnet_command
from keeper.cli.monitor import monitor_command
from keeper.cli.prices import prices_command
from keeper.cli.profile import profile_command
from keeper.cli.run import run_command
from keeper.cli.sandbox import sandbox_command
from keeper.cli.shadow import shadow_command
from keeper.cli.snapshot import snapshot_group
from keeper.cli.status import status_command
from keeper.cli.stress import stress_group
from keeper.cli.verify import verify_command
from keeper.errors import AbandonedError, KeeperError, PlatformChangedError, UndoneError
from programs.deploy import DeploymentFailed
from programs.founding import GenesisRefused
from programs.localnet.listen import ListenError
from programs.terminal import echo, require_text
from state.errors import StateError

EXIT_STOPPED = 1
"""It ended in order, but a person has to look into something."""
EXIT_REFUSED = 2
"""What was asked cannot be done; the reason is on stderr."""
EXIT_SIGNAL = 128
"""Added to the number of the signal that did not let a run end in order, as shells do."""


_EXAMPLES = """\b
Examples:
  keeper run                     sandbox and keeper, until Ctrl-C
  keeper run --for 40s --json    the same for 40 seconds, then one JSON object
  keeper run --dry-run           everything but sending; --once: one round
  keeper shadow FILE             what `keeper run --shadow FILE` would have sent, beside what landed
  keeper check                   validate keeper.toml and print what is in effect
  keeper sandbox                 network, venue and actors without a keeper
  keeper drill run all           rehearse outages, and judge the keeper by what it does
  keeper stress run all          load the keeper as the platform claims, and judge it by what lands
  keeper localnet                a Solana JSON-RPC network on loopback
  keeper deploy, genesis         the program onto a cluster, for good; what is fixed for ever
  keeper halt                    no new exposure, for good: the last resort
  keeper verify                  audit a deployment against the specification
  keeper snapshot                all accounts in a file, compressed, under a root of sums
  keeper prices                  every market by source: age, class, band, reason
  keeper profile                 what every instruction costs, beside what was aimed at
  keeper decode SIGNATURE        a transaction or an account of the program, by name
  keeper monitor                 metrics, health, status page and alerts of a running keeper
  keeper alerts                  what fires; take it; every rule there is
  keeper status                  is it well? what a person has to know now
  keeper idl                     the program's interface as Codama JSON
"""


class _CommandLine(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        require_text(args)
        return super().parse_args(ctx, args)


@click.group(
    cls=_CommandLine, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="betting-keeper")
def cli() -> None:
    """Keep a prediction-market program on Solana solvent.

    Reads Polymarket prices, posts them on chain, and liquidates positions that are under water, each exactly once.

    Shell completion: eval "$(_KEEPER_COMPLETE=bash_source keeper)"
    """


cli.add_command(run_command)
cli.add_command(check_command)
cli.add_command(shadow_command)
cli.add_command(deploy_command)
cli.add_command(genesis_command)
cli.add_command(halt_command)
cli.add_command(verify_command)
cli.add_command(sandbox_command)
cli.add_command(localnet_command)
cli.add_command(drill_group)
cli.add_command(stress_group)
cli.add_command(snapshot_group)
cli.add_command(prices_command)
cli.add_command(profile_command)
cli.add_command(decode_command)
cli.add_command(idl_command)
cli.add_command(monitor_command)
cli.add_command(status_command)
cli.add_command(alerts_group)

_EXPECTED = (KeeperError, StateError, ListenError, DeploymentFailed, GenesisRefused)
"""Errors that are an operator's to mend: one sentence, no traceback."""


def sentences(error: BaseException) -> Iterator[str]:
    """Yield the sentences of the expected errors in a (group of) errors; raise whatever is not expected."""
    for leaf in _leaves(error):
        if not isinstance(leaf, _EXPECTED):
            raise leaf
        yield str(leaf)


def exit_code(error: BaseException) -> int:
    """Return 1 for a run that ended in order but not in peace, 2 for what an operator has to mend, 128 and the signal's number for a run that was only cut short."""
    leaves = list(_leaves(error))
    if all(isinstance(leaf, PlatformChangedError | UndoneError) for leaf in leaves):
        return EXIT_STOPPED
    cuts = [leaf.number for leaf in leaves if isinstance(leaf, AbandonedError)]
    return EXIT_SIGNAL + cuts[0] if len(cuts) == len(leaves) else EXIT_REFUSED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def run_command_line() -> None:
    """Run the command line; expected errors become one sentence each and a non-zero exit code."""
    try:
        cli()
    except (*_EXPECTED, BaseExceptionGroup) as error:
        for sentence in dict.fromkeys(sentences(error)):
            echo(f"keeper: {sentence}", err=True)
        sys.exit(exit_code(error))
