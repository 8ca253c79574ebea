"""Cases to measure, by family of instructions."""
