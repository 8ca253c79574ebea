"""A platform's whole life on the virtual clock: network, venue, people, rewards, and both services that keep it."""
