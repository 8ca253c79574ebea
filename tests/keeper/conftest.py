"""The keeper's tests share the platform of tests/chain: the committed program in a real SVM."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "chain"))
