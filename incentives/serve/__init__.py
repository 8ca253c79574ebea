"""The ledger in a browser: Datasette over the live file, with the questions operators ask, and charts."""
