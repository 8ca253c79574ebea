"""Why reading does not go on, in words for an operator."""


class ReadingError(Exception):
    """What the cluster answers is no history that could be reckoned with; nothing of it was taken."""


class HistoryDisagreesError(ReadingError):
    """Answers contradict each other: endpoints have different histories, or one of them has lost a part. Asked again, they may agree."""


class GapError(HistoryDisagreesError):
    """The program's running number says that events are missing."""


class CutLogsError(HistoryDisagreesError):
    """A node has cut the logs of a transaction of the program; another one may have them whole."""


class RepeatedEventError(ReadingError):
    """A running number comes a second time: what is read contradicts what was read."""


class UnreadableEventError(ReadingError):
    """A transaction of the program whose events cannot be known."""


class HistoryChangedError(ReadingError):
    """The chain no longer says what was recorded of it as finalized."""
