"""Decides what to do now, and does it: prices in, transactions out."""
