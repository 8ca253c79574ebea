"""The program's own headers, which lie beside this file, as its interface."""

from pathlib import Path

from programs.interface import HEADERS, Interface, read_interface


def load_interface(folder: Path = Path(__file__).parent) -> Interface:
    """Read the interface from the headers in a folder.

    Raises:
        HeaderError: a header holds something that is not understood.
        OSError: a header cannot be read.
    """
    return read_interface({name: (folder / name).read_text() for name in HEADERS})
