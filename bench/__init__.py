"""Benchmarks: `python -m bench.<name>` prints the figures that the README quotes."""
