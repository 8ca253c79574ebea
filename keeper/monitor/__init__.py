"""The launch monitor: a process of its own that says what the others are doing, and wakes somebody when it is wrong."""
