"""State in a file: columns of integers, compressed, under a root that commits to it and to its sums."""
