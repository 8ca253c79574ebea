"""The figures of the incentives: an epoch of a million trades, a single event's commit, a wallet's statement."""
