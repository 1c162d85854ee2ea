"""Loads an input into DuckDB with dlt, https://dlthub.com/docs/dlt-ecosystem/verified-sources/filesystem.

    python benchmarks/peers/dlt_load.py input dlt.duckdb [--tuned]

By default it uses the filesystem source and its JSON lines reader, as the documentation's first
example does; tuned, Arrow's reader, and Parquet between dlt and DuckDB. Prints {"load": seconds}.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dlt
import pyarrow.json
from dlt.sources.filesystem import filesystem, read_jsonl

TABLES = {"staging_events": "log_data", "staging_songs": "song_data"}


def main(folder: str, database: str, *options: str) -> None:
    """Loads both tables and prints the seconds."""
    is_tuned = "--tuned" in options
    pipeline = dlt.pipeline(
        "sparkify",
        destination=dlt.destinations.duckdb(database),
        dataset_name="raw",
        pipelines_dir=f"{database}.pipeline",
    )
    started = time.monotonic()
    for name, kind in TABLES.items():
        path = Path(folder, kind)
        if is_tuned:

            @dlt.resource(name=name)
            def tables(path: Path = path) -> Iterator:
                for file in sorted(path.glob("*.json")):
                    yield pyarrow.json.read_json(file)

            pipeline.run(tables, loader_file_format="parquet")
        else:
            files = filesystem(bucket_url=path.as_uri(), file_glob="*.json")
            pipeline.run((files | read_jsonl()).with_name(name))
    print(json.dumps({"load": time.monotonic() - started}))


if __name__ == "__main__":
    main(*sys.argv[1:])
