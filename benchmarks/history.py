"""Gives a project days of history, as if each day had been loaded in the following night.

    python benchmarks/history.py sparkify.duckdb 720 100000 20000

The project must have loaded one file of generate.py for each of these days. The files stay in the
ledger; their rows are replaced by those that generate.py would write for so many events a day.
"""

from __future__ import annotations

import sys

import duckdb
from generate import FIRST_DAY, events_of_days


def main(database: str, days: str, events: str, songs: str) -> None:
    """Replaces the loaded events by those of days 0 to DAYS - 1."""
    with duckdb.connect(database) as connection:
        connection.execute("set enable_progress_bar = false")
        (columns,) = connection.execute(
            """
            select string_agg(column_name, ', ' order by ordinal_position)
            from information_schema.columns
            where table_name = 'staging_events' and column_name <> 'loaded_at'
            """
        ).fetchone()
        rows = events_of_days(0, int(days), int(events), int(songs))
        connection.execute(
            f"""
            delete from sparkify_raw.staging_events;
            insert into sparkify_raw.staging_events ({columns}, loaded_at)
            select {columns}, make_timestamp((ts // 86400000 + 1) * 86400000000) as loaded_at
            from (select * replace (nullif("userId", '') as "userId") from ({rows}));

            delete from sparkify_raw.loads where source_table = 'staging_events';
            insert into sparkify_raw.loads by name
            select
                100 + row_number() over (order by loaded_at) as load_id,
                'staging_events' as source_table,
                1 as file_count,
                count(*) as row_count,
                0 as rejected_count,
                loaded_at
            from sparkify_raw.staging_events
            group by loaded_at;

            update sparkify_raw.loaded_files as files
            set load_id = loads.load_id, loaded_at = loads.loaded_at
            from sparkify_raw.loads as loads
            where
                files.source_table = loads.source_table
                and loads.source_table = 'staging_events'
                and loads.loaded_at = make_timestamp(86400000000 * (
                    {FIRST_DAY} + 1
                    + cast(regexp_extract(files.file_name, '([0-9]+)-events', 1) as bigint)
                ));
            """
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
