"""What the rules refuse to take."""


class RulebookError(ValueError):
    """Events that cannot follow what was taken, or a snapshot that does not fit; one sentence says which.

    What was yielded before it is not to be written; the rulebook is to be restored from what was.
    """
