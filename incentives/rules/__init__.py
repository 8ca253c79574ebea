"""What is owed: a pure fold over the program's events, in integers."""
