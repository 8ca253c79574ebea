"""Each way that was tried to be faster, beside what it replaced, in one run: what paid is in the product, what did not is told here."""
