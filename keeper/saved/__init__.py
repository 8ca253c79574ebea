"""The platform's accounts in a file, whole or as changes, with a root over them."""
