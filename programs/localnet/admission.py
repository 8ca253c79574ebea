"""Who is let in: bytes that are a transaction, short enough, of a known version, fresh, new, with few enough locks."""

from solders.message import MessageV1
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from programs.localnet.ledger import TransactionError
from programs.localnet.locks import count_locks
from programs.localnet.window import BlockhashWindow
from programs.units import TRANSACTION_BYTES_MAX, TRANSACTION_LOCKS_MAX, BlockHeight


class TransactionRefused(Exception):  # noqa: N818 - it is an ordinary end of a transaction, not a fault
    """The transaction did not land: no fee was charged and nothing was written."""

    def __init__(self, error: TransactionError, explanation: str) -> None:
        super().__init__(explanation)
        self.error = error
        """As agave writes it in JSON."""


def parse_transaction(raw: bytes) -> VersionedTransaction:
    """Read one wire transaction.

    Raises:
        TransactionRefused: It is too long, unreadable, or inconsistent in itself.
    """
    _check_size(len(raw))
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except (ValueError, SanitizeError) as error:
        raise TransactionRefused(
            "SanitizeFailure", f"the {len(raw)} bytes are no well-formed transaction: {error}"
        ) from error
    return transaction


def check_admissible(
    transaction: VersionedTransaction,
    window: BlockhashWindow,
    *,
    height: BlockHeight | None = None,
    check_blockhash: bool = True,
) -> None:
    """Look at what LiteSVM does not look at, or looks at otherwise than a cluster.

    Args:
        transaction: What wants to land.
        window: The blocks that it may build on.
        height: The block it would land in; None is the tip.
        check_blockhash: Whether its blockhash matters.

    Raises:
        TransactionRefused: It may not land.
    """
    message = transaction.message
    _check_size(len(bytes(transaction)))
    if isinstance(message, MessageV1):
        raise TransactionRefused(
            "UnsupportedVersion", "the message is v1; this network takes legacy and v0"
        )
    if check_blockhash and not window.is_valid(message.recent_blockhash, height):
        now = window.tip.height if height is None else height
        raise TransactionRefused(
            "BlockhashNotFound",
            f"blockhash {message.recent_blockhash} is not among the last {window.age_blocks} blocks"
            f" of height {now}; fetch a new one and sign again",
        )
    signature = transaction.signatures[0]
    if signature != Signature.default() and window.is_spent(signature):
        raise TransactionRefused("AlreadyProcessed", f"{signature} has already landed")
    locks = count_locks(message)
    if locks > TRANSACTION_LOCKS_MAX:
        raise TransactionRefused(
            "TooManyAccountLocks",
            f"the transaction locks {locks} accounts; the limit is {TRANSACTION_LOCKS_MAX}",
        )


def _check_size(size: int) -> None:
    if size > TRANSACTION_BYTES_MAX:
        raise TransactionRefused(
            "SanitizeFailure",
            f"the transaction has {size} bytes; the limit is {TRANSACTION_BYTES_MAX}",
        )
