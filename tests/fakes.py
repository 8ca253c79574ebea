"""Fakes for time and faults only: an in-loop store, and a cluster whose every misdeed is scripted."""

from sqlite_utils import Database

from state.schema import migrate
from state.store import commit, configure


class InLoopStore:
    """The real schema in memory, committed in the caller's own task: a virtual clock cannot see threads."""

    def __init__(self):
        self.db = Database(memory=True)
        configure(self.db)
        migrate(self.db, ":memory:")

    async def transaction(self, work):
        """Commit `work`."""
        return commit(self.db, work)

    async def read(self, work):
        """Read on the same connection."""
        return work(self.db)

    def close(self):
        """Let go of the memory."""
        self.db.close()
