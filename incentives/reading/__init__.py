"""The chain's history -> the program's events in order, each once, or a sentence why not."""
