"""The rules, by what they watch."""
