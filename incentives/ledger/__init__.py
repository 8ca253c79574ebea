"""The reward ledger: double entry, append-only, hash-chained, in SQLite."""
