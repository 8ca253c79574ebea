"""What is wrong with a ledger, in words for its operator."""


class LedgerError(Exception):
    """The ledger cannot be used as asked; one sentence says why."""


class LedgerConflict(LedgerError):  # noqa: N818 - named after what it is, as in state/errors.py
    """What is to be written contradicts what is recorded."""


class LedgerForeign(LedgerError):  # noqa: N818
    """The ledger is of another cluster, program or mint."""
