"""eau2: a SQL engine over a distributed key-value store of immutable dataframes.

Owns: the public names, and loading them when they are first used: importing eau2, or a part of
it such as the wire, does not load the grammar or the kernels. `connect` gives a Connection; the
module itself is a PEP 249 module. Does not know: what any of the names does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eau2.application import Application, KeyValueStore
    from eau2.connection import Connection, Result, connect
    from eau2.dbapi import (
        BINARY,
        DATETIME,
        NUMBER,
        ROWID,
        STRING,
        Binary,
        Cursor,
        Date,
        DateFromTicks,
        Time,
        TimeFromTicks,
        Timestamp,
        TimestampFromTicks,
    )
    from eau2.errors import (
        DatabaseError,
        DataError,
        Error,
        IntegrityError,
        InterfaceError,
        InternalError,
        NotSupportedError,
        OperationalError,
        ProgrammingError,
        Warning,
    )
    from eau2.native import native_function
    from eau2.notebook import load_ipython_extension, unload_ipython_extension
    from eau2.pipelines.pipeline import Pipeline
    from eau2.python.decorators import aggregate, explain, function, table_function

__version__ = "0.1.0"

apilevel = "2.0"
threadsafety = 1
"""Threads may share the module, but not a connection."""
paramstyle = "qmark"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Application",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "KeyValueStore",
    "NotSupportedError",
    "OperationalError",
    "Pipeline",
    "ProgrammingError",
    "Result",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "__version__",
    "aggregate",
    "apilevel",
    "connect",
    "explain",
    "function",
    "load_ipython_extension",
    "native_function",
    "paramstyle",
    "table_function",
    "threadsafety",
    "unload_ipython_extension",
]

_HOMES = {
    "eau2.application": ("Application", "KeyValueStore"),
    "eau2.connection": ("Connection", "Result", "connect"),
    "eau2.dbapi": (
        *("BINARY", "DATETIME", "NUMBER", "ROWID", "STRING", "Binary", "Cursor"),
        *("Date", "DateFromTicks", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks"),
    ),
    "eau2.errors": (
        *("DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError"),
        *("InternalError", "NotSupportedError", "OperationalError", "ProgrammingError", "Warning"),
    ),
    "eau2.native": ("native_function",),
    "eau2.notebook": ("load_ipython_extension", "unload_ipython_extension"),
    "eau2.pipelines.pipeline": ("Pipeline",),
    "eau2.python.decorators": ("aggregate", "explain", "function", "table_function"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name's module when the name is first used (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'eau2' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
