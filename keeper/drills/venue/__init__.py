"""The scripted venue: it says what the scenario wants said, in the real venue's shapes."""
