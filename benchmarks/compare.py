"""Compares the star of a project with that of limit.sql, row for row.

python benchmarks/compare.py sparkify.duckdb limit.duckdb
"""

from __future__ import annotations

import sys

import duckdb

STAR = ("fct_songplays", "dim_users", "dim_songs", "dim_artists", "dim_time")


def main(ours: str, limit: str) -> None:
    """Prints the rows of each table; exits with what differs, in the limit's columns."""
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{limit}' as limit_ (read_only)")
        for table in STAR:
            described = connection.execute(f"describe limit_.{table}").fetchall()
            columns = ", ".join(name for name, *_ in described)
            for one, other in (("ours", "limit_"), ("limit_", "ours")):
                (rows,) = connection.execute(
                    f"select count(*) from (select {columns} from {one}.{table}"
                    f" except all select {columns} from {other}.{table})"
                ).fetchone()
                if rows:
                    sys.exit(f"{rows:,} rows of {table} are in {one} alone")
            (rows,) = connection.execute(f"select count(*) from ours.{table}").fetchone()
            print(f"{table} {rows:,}")


if __name__ == "__main__":
    main(*sys.argv[1:])
