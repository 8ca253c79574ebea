"""What the rules refuse to take: nothing of it changes what they hold."""


class RulebookError(ValueError):
    """Events that cannot follow what was taken, or a snapshot that does not fit; one sentence says which."""
