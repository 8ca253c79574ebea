"""What stops the keeper, in words for its operator: what was found, what was expected, what to do."""


class KeeperError(Exception):
    """The keeper cannot go on."""


class ConfigError(KeeperError):
    """keeper.toml has mistakes; the message lists every one with its dotted key."""


class KeypairError(KeeperError):
    """A keypair file cannot be used."""


class ClusterError(KeeperError):
    """The cluster is not the one this keeper was built for."""


class GenesisError(KeeperError):
    """Genesis cannot happen, or did not."""


class HaltError(KeeperError):
    """The platform cannot be halted, or is not."""


class VenueUnreachableError(KeeperError):
    """The price venue does not answer whoever asks it only for prices."""


class SandboxError(KeeperError):
    """The sandbox cannot run."""


class StressError(KeeperError):
    """A stress run could not be played."""


class DrillError(KeeperError):
    """A drill cannot be run: its world or its keeper did not come up."""


class MonitorError(KeeperError):
    """The monitor cannot do what keeper.toml asks of it."""


class PayerTakenError(KeeperError):
    """Another keeper on this machine pays with the same key."""


class RuntimeFolderError(KeeperError):
    """There is no folder for the locks of this user's keepers."""


class PlatformChangedError(KeeperError):
    """The program or its genesis is not what it was at the start: the run ended in order."""


class UndoneError(KeeperError):
    """A single round ended in order, but not all of it could be done."""


class ReportError(KeeperError):
    """The run ended in order, but its report cannot be written."""


class AbandonedError(KeeperError):
    """An interrupt came before any work, or a second one while draining: nothing was waited for."""

    def __init__(self, number: int, sentence: str) -> None:
        """Keep the signal's number, for the exit code."""
        super().__init__(sentence)
        self.number = number
