"""The `incentives` command's way in, which imports nothing heavy before it can be interrupted."""

import signal


def main() -> None:
    """Run the command line."""
    # Importing takes a good part of a second: a Ctrl-C in it ends without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from incentives.cli.commands import cli  # noqa: PLC0415 - see above

    cli()


if __name__ == "__main__":
    main()
