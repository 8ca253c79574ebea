"""The drills, one module per family of faults; `catalog.py` lists them."""
