"""Trades per second: in the SVM on one core, and what a cluster's blocks would take of the same transactions."""
