"""`keeper idl`: the program's interface for explorers and clients in other languages."""

from importlib.metadata import version

import click
from solders.pubkey import Pubkey

from programs.betting_platform.headers import load_interface
from programs.idl import as_text, codama
from programs.localnet.genesis import program_keypair
from programs.terminal import echo

_EXAMPLES = """\b
Examples:
  keeper idl > betting_platform.codama.json
  keeper idl --program-id 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin
"""


class _Address(click.ParamType[Pubkey]):
    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Pubkey:
        try:
            return Pubkey.from_string(str(value))
        except ValueError:
            self.fail(f"{value!r} is no address: give 32 bytes in base58", param, ctx)


ADDRESS = _Address()
"""An option's value as an address."""


@click.command("idl", epilog=_EXAMPLES)
@click.option(
    "--program-id",
    type=ADDRESS,
    help="The program's id on your cluster.  [default: its id on the local network]",
)
def idl_command(program_id: Pubkey | None) -> None:
    """Print the program's interface as Codama JSON, which explorers and TypeScript clients read.

    Instructions with their accounts and arguments, account kinds, derived addresses, events and errors, all read from
    the headers that the program is compiled from.
    """
    program = program_id or program_keypair(0).pubkey()
    idl = codama(load_interface(), program, version("betting-keeper"))
    echo(as_text(idl), nl=False)
