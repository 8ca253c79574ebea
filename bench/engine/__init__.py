"""The engine end to end: how many liquidations land per second, and how soon after they are due."""
