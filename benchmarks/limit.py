"""Runs limit.sql on an input, into a new DuckDB file, and times its two phases.

python benchmarks/limit.py input limit.duckdb
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

HERE = Path(__file__).parent


def main(folder: str, database: str) -> None:
    """Prints {"load": seconds, "models": seconds}."""
    phases = (HERE / "limit.sql").read_text().split("-- phase: ")[1:]
    paths = {
        "$events": f"{folder}/log_data/**/*.json*",
        "$songs": f"{folder}/song_data/**/*.json*",
        "$states": f"{HERE.parent}/seeds/us_states.csv",
        "$patterns": f"{HERE.parent}/seeds/user_agent_patterns.csv",
    }
    seconds = {}
    with duckdb.connect(database) as connection:
        connection.execute("set enable_progress_bar = false")
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
