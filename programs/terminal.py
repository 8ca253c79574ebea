"""What commands print for people: nothing in it can take over the terminal.

Shell. Every line that a command prints goes through here; tables of rich through `keeper.cli.terminal`.
"""

from collections.abc import Sequence

import click

from programs.plain_text import is_text, shown, shown_page


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text, on stderr if `err`."""
    click.echo(shown_page(str(text)), err=err, nl=nl)


def require_text(arguments: Sequence[str]) -> None:
    """Refuse a command line that cannot be written down.

    Raises:
        click.UsageError: one of the arguments is not UTF-8.
    """
    for argument in arguments:
        if not is_text(argument):
            raise click.UsageError(f"the argument {shown(argument)} is not UTF-8: expected text")
