"""How long a full refresh of every price over REST takes, and what it is held against."""
