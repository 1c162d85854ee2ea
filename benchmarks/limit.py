"""Runs limit.sql on an input, into a new DuckDB file; prints the seconds of its two phases.

python benchmarks/limit.py input limit.duckdb
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb


def main(folder: str, database: str) -> None:
    """Prints {"load": seconds, "star": seconds}."""
    phases = Path(__file__).with_name("limit.sql").read_text().split("-- phase: ")[1:]
    paths = {
        name: f"{folder}/{kind}/*.json"
        for name, kind in (("$events", "log_data"), ("$songs", "song_data"))
    }
    seconds = {}
    with duckdb.connect(database) as connection:
        for phase in phases:
            name, _, sql = phase.partition("\n")
            for parameter, path in paths.items():
                sql = sql.replace(parameter, "'" + path.replace("'", "''") + "'")
            started = time.monotonic()
            connection.execute(f"begin; {sql} commit")
            seconds[name] = time.monotonic() - started
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
