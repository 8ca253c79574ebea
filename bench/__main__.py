"""Run every benchmark, one process each, one after the other: `make bench`, or `make bench ARGS="scan packing"`."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the named benchmarks, or all; non-zero if one of them failed."""
    folder = Path(__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    known = sorted(files | {path.parent.name for path in folder.glob("*/__main__.py")})
    wanted = sys.argv[1:] or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}: expected some of {', '.join(known)}")
        return 2
    failed = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed) and 1


if __name__ == "__main__":
    sys.exit(main())
