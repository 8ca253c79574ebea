"""Compile and link the program: C -> eBPF object -> sBPF v3.

Needs the build-program dependency group (`make setup`). The compiler's version is pinned by hash and its output is the
same in every folder, so anyone can rebuild the committed bytes: `python -m programs.betting_platform.build --check`.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from programs.betting_platform.link import link

SOURCE: Final = Path(__file__).parent
PROGRAM_SO: Final = SOURCE / "betting_platform.so"
_FLAGS: Final = (
    "-target", "bpfel-freestanding", "-mcpu=v2", "-Oz", "-std=c11", "-ffreestanding", "-fno-builtin",
    "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror", "-mllvm", "-bpf-stack-size=4096",
    "-mllvm", "-enable-pre=0", "-mllvm", "-inline-threshold=0", "-mllvm", "-split-spill-mode=size",
)  # fmt: skip


class CompileError(Exception):
    """The compiler refused the source."""


def build(source: Path = SOURCE / "program.c", defines: Sequence[str] = ()) -> bytes:
    """Return the program's bytes, built from source.

    Args:
        defines: macros to define; the committed program has none.

    Raises:
        CompileError: with the compiler's words.
        LinkError: the object cannot become a program.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "program.o"
        macros = [f"-D{name}" for name in defines]
        done = subprocess.run(  # noqa: S603  # our own interpreter and fixed flags
            [
                *(sys.executable, "-m", "ziglang", "cc", *_FLAGS, *macros),
                *("-c", str(source), "-o", str(target)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CompileError(done.stderr.strip())
        return link(target.read_bytes())


def main() -> int:
    """Build, then write the program or compare it with the committed one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    check = parser.parse_args().check
    program = build()
    digest = hashlib.sha256(program).hexdigest()
    if check and program != PROGRAM_SO.read_bytes():
        sys.stderr.write(
            f"the source builds {len(program)} bytes, sha256 {digest}; {PROGRAM_SO.name} differs: "
            "run `make program` and commit it\n"
        )
        return 1
    if not check:
        PROGRAM_SO.write_bytes(program)
    sys.stdout.write(f"{PROGRAM_SO.name}: {len(program)} bytes, sha256 {digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
