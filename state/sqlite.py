"""The one SQLite this package talks to: the library that sqlite-utils chose, pysqlite3 where installed."""

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # its choice of library is what we want

__all__ = ["sqlite3"]
