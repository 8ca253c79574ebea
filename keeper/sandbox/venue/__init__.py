"""A Polymarket look-alike on loopback: the venue that `make run` trades against."""
