"""The engine on a virtual clock against a cluster whose every misdeed follows from a seed: thousands of schedules of faults."""
