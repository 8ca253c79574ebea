"""The `keeper` command's way in, which imports nothing heavy before it can be interrupted."""

import signal


def main() -> None:
    """Run the command line."""
    # Importing takes most of a second: a Ctrl-C in it, or before a command listens for signals, ends without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from keeper.cli.commands import run_command_line  # noqa: PLC0415 - see above

    run_command_line()


if __name__ == "__main__":
    main()
