"""Outage drills: the real keeper, a scripted venue, one fault, and a judgement of what the keeper did."""
