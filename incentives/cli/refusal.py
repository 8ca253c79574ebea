"""How the commands say that they cannot do what was asked: one sentence on stderr, and exit code 2."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import click

from programs.plain_text import shown_page
from programs.rpc import RpcFailure
from programs.terminal import require_text


class Refusal(click.ClickException):
    """What an operator has to mend."""

    exit_code: Final = 2  # type: ignore[misc]  # click's is a class variable too

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - as click declares it
        """Print the sentence after the program's name."""
        click.echo(f"incentives: {shown_page(self.format_message())}", file=file, err=True)


class Commands(click.Group):
    """A group whose commands may raise the errors that are an operator's to mend."""

    expected: ClassVar[tuple[type[Exception], ...]] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take words that can be written down."""
        require_text(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click declares it
        """Run a command; expected errors, also from within nurseries, become a refusal.

        Raises:
            Refusal: with every sentence, each once.
        """
        try:
            return super().invoke(ctx)
        except self.expected as error:
            raise Refusal(_sentence(error)) from error
        except BaseExceptionGroup as group:
            raise Refusal("\n".join(dict.fromkeys(self._sentences(group)))) from group

    def _sentences(self, error: BaseException) -> Iterator[str]:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from self._sentences(inner)
        elif isinstance(error, self.expected):
            yield _sentence(error)
        else:
            raise error


def _sentence(error: Exception) -> str:
    if isinstance(error, RpcFailure):
        return f"the cluster cannot be read ({error}): check cluster.rpc_urls or --rpc-url"
    return str(error)
