"""Turns trades into money owed, and pays it."""
