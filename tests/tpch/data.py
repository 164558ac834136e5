"""TPC-H data, made on demand by tpchgen-cli and kept in the system's temporary directory.

Owns: `directory`, `path`, `table`, `text`, `QUERIES`. Nothing of it is in the repository.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TABLES = (
    "customer",
    "lineitem",
    "nation",
    "orders",
    "part",
    "partsupp",
    "region",
    "supplier",
)

TEXTS = Path(__file__).parent / "queries"
QUERIES = tuple(sorted(path.stem for path in TEXTS.glob("*.sql")))


def text(query: str) -> str:
    """The SQL of a query, `q01` for instance."""
    return (TEXTS / f"{query}.sql").read_text(encoding="utf-8")


def directory(scale: str) -> Path:
    """The directory with the Parquet files of a scale factor; made if it is not there yet.

    `EAU2_TPCH` names another directory that holds (or will hold) one directory for each scale.
    """
    root = Path(os.environ.get("EAU2_TPCH", Path(tempfile.gettempdir()) / "eau2-tpch"))
    target = root / f"sf{scale}"
    if not all((target / f"{name}.parquet").exists() for name in TABLES):
        root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=root))
        beside = Path(sys.executable).parent / "tpchgen-cli"
        command = str(beside) if beside.exists() else "tpchgen-cli"
        arguments = [command, "parquet", "-s", scale, "--output-dir", str(fresh)]
        subprocess.run(arguments, check=True, capture_output=True)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return target


def path(scale: str, name: str) -> Path:
    """The Parquet file of a table."""
    return directory(scale) / f"{name}.parquet"


@functools.cache
def table(scale: str, name: str) -> pa.Table:
    """A table as Arrow."""
    return pq.read_table(path(scale, name))
