"""Every guard between the venue and an action, taken out one at a time: some drill must fail without it."""
