"""Gives a project days of history, as if each had been loaded in the night after it.

    python benchmarks/history.py sparkify.duckdb 720 100000 20000

The raw rows are those that generate.py writes; their files are in the ledger by name alone.
"""

from __future__ import annotations

import sys

import duckdb
from generate import events_of_days


def main(database: str, days: str, events: str, songs: str) -> None:
    """Adds days 1 to DAYS to a warehouse that has loaded day 0."""
    with duckdb.connect(database) as connection:
        connection.execute("set enable_progress_bar = false")
        (columns,) = connection.execute(
            """
            select string_agg(column_name, ', ' order by ordinal_position)
            from information_schema.columns
            where table_name = 'staging_events' and column_name <> 'loaded_at'
            """
        ).fetchone()
        rows = events_of_days(1, int(days), int(events), int(songs))
        connection.execute(
            f"""
            insert into sparkify_raw.staging_events ({columns}, loaded_at)
            select {columns}, make_timestamp((ts // 86400000 + 1) * 86400000000) as loaded_at
            from (select * replace (nullif("userId", '') as "userId") from ({rows}));

            insert into sparkify_raw.loads by name
            select
                100 + row_number() over (order by loaded_at) as load_id,
                'staging_events' as source_table,
                1 as file_count,
                count(*) as row_count,
                0 as rejected_count,
                loaded_at
            from sparkify_raw.staging_events
            where loaded_at < (select max(loaded_at) from sparkify_raw.loads)
            group by loaded_at;

            insert into sparkify_raw.loaded_files by name
            select source_table, loaded_at || '.json' as file_name, load_id, loaded_at
            from sparkify_raw.loads where load_id > 100;
            """
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
