"""The causes, a file for each family of rules."""
