"""The `incentives` command: what is owed, why, and whether it was paid."""
