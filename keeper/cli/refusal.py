"""How a command that can also be a process of its own says that it cannot do what was asked."""

from typing import Final

import click

from programs.plain_text import shown_page


class Refusal(click.ClickException):
    """One sentence on stderr, and the exit code of everything an operator has to mend."""

    exit_code: Final = 2  # type: ignore[misc]  # click's is a class variable too

    def format_message(self) -> str:
        """Return the sentence, which may quote a node or a file."""
        return shown_page(self.message)
