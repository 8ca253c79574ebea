"""The embedded venue and the actors of `make run`."""
