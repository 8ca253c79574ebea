"""The status page: rendered here, live by server-sent events, for whoever was woken."""
