"""Polymarket in, prices out."""
