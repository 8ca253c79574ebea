"""What stops the keeper, in words for its operator: what was found, what was expected, what to do."""


class KeeperError(Exception):
    """The keeper cannot go on."""


class ConfigError(KeeperError):
    """keeper.toml has mistakes; the message lists every one with its dotted key."""


class KeypairError(KeeperError):
    """A keypair file cannot be used."""


class ClusterError(KeeperError):
    """The cluster is not the one this keeper was built for."""


class SandboxError(KeeperError):
    """The sandbox cannot run."""
