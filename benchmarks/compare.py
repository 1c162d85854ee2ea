"""Compares the marts of a project with those of limit.sql, row for row.

python benchmarks/compare.py sparkify.duckdb limit.duckdb
"""

from __future__ import annotations

import sys

import duckdb

# Columns that the project keeps for its next build. All others are compared.
BOOKKEEPING = {
    "fct_songplays": {"match_key", "matched_at", "loaded_at"},
    "fct_sessions": {"loaded_at"},
    "dim_users": {"latest_ts", "latest_session_id", "latest_item_in_session", "loaded_at"},
    "dim_user_levels": {"valid_from_ts", "loaded_at"},
    "dim_songs": set(),
    "dim_artists": set(),
    "dim_time": set(),
    "dim_locations": set(),
    "dim_user_agents": set(),
}


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of a table and their types."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe {table}").fetchall()}


def main(ours: str, limit: str) -> None:
    """Prints the number of rows of each mart; exits at the first difference."""
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{limit}' as limit_ (read_only)")
        for mart, bookkeeping in BOOKKEEPING.items():
            columns = columns_of(connection, f"ours.{mart}")
            columns = {name: columns[name] for name in columns if name not in bookkeeping}
            if columns != columns_of(connection, f"limit_.{mart}"):
                sys.exit(f"{mart} has different columns in the project and in the limit")
            names = ", ".join(columns)
            for name, one, other in (("project", "ours", "limit_"), ("limit", "limit_", "ours")):
                (rows,) = connection.execute(
                    f"select count(*) from (select {names} from {one}.{mart}"
                    f" except all select {names} from {other}.{mart})"
                ).fetchone()
                if rows:
                    sys.exit(f"{mart}: rows that only the {name} has: {rows:,}")
            (rows,) = connection.execute(f"select count(*) from ours.{mart}").fetchone()
            print(f"{mart} {rows:,}")


if __name__ == "__main__":
    main(*sys.argv[1:])
