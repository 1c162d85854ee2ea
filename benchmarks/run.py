"""Measures the project beside limit.sql, in turns, and prints medians, ratios and peak memory.

    python benchmarks/run.py --events 2000000

What starts and ends without any work is measured by itself, on an input of one event and one
song, and taken off: the limit has no such cost.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import click

HERE = Path(__file__).parent
PROJECT = HERE.parent
STAR = ("fct_songplays", "dim_users", "dim_songs", "dim_artists", "dim_time")
# The star without what the limit does not make: sessions, levels, locations, user agents.
STAR_ONLY = ("--select", "staging", "int_plays", "int_songs", "int_artist_names", "int_heard_songs")
STAR_ONLY += STAR
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
COMPARE = """
import sys, duckdb
ours, limit = sys.argv[1:3]
with duckdb.connect() as connection:
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"attach '{ours}' as ours (read_only)")
    connection.execute(f"attach '{limit}' as theirs (read_only)")
    for table in sys.argv[3:]:
        columns = ", ".join(
            name for name, *_ in connection.execute(f"describe theirs.{table}").fetchall()
        )
        for one, other in (("ours", "theirs"), ("theirs", "ours")):
            (rows,) = connection.execute(
                f"select count(*) from (select {columns} from {one}.{table}"
                f" except all select {columns} from {other}.{table})"
            ).fetchone()
            if rows:
                sys.exit(f"{rows:,} rows of {table} are in {one} alone")
        print(table, connection.execute(f"select count(*) from ours.{table}").fetchone()[0])
"""


@dataclass
class Measured:
    """Seconds of wall time and peak memory in bytes of a process, and what it printed."""

    seconds: float
    peak: int
    output: str


@dataclass
class Bench:
    """Runs commands with all their files in a folder, and keeps what was measured."""

    work: Path
    measured: dict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))

    def run(self, what: str, *command: str, **variables: str) -> Measured:
        """Runs a command to its end and notes it. Raises ClickException if it fails."""
        with tempfile.TemporaryFile("w+") as printed:
            started = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=PROJECT,
                env=os.environ | {"DBT_TARGET_PATH": str(self.work / "target")} | variables,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            printed.seek(0)
            output = printed.read()
        if os.waitstatus_to_exitcode(status):
            raise click.ClickException(f"{' '.join(command)}\n{output}")
        done = Measured(seconds, usage.ru_maxrss * 1024, output)
        if what:
            self.measured[what].append(done)
        return done

    def input(self, name: str, *options: str) -> Path:
        """Generates an input."""
        folder = self.work / name
        self.run("", str(HERE / "generate.py"), str(folder), *options)
        return folder

    def variables(self, folder: Path, database: Path) -> dict[str, str]:
        """What leads the project to an input and a database."""
        return {
            "DBT_EVENTS_LOCATION": str(folder / "log_data"),
            "DBT_SONGS_LOCATION": str(folder / "song_data"),
            "DBT_DUCKDB_PATH": str(database),
        }

    def load(self, what: str, folder: Path, database: Path) -> Measured:
        """Runs load_staging.py."""
        options = ("--profiles-dir", str(self.work))
        return self.run(what, "load_staging.py", *options, **self.variables(folder, database))

    def dbt(self, what: str, folder: Path, database: Path, *arguments: str) -> Measured:
        """Runs dbt."""
        options = ("--profiles-dir", str(self.work), "--quiet")
        command = ("-m", "dbt.cli.main", *arguments, *options)
        return self.run(what, *command, **self.variables(folder, database))

    def limit(self, what: str, folder: Path, database: Path) -> None:
        """Runs limit.sql; notes its phases."""
        done = self.run("", str(HERE / "limit.py"), str(folder), str(database))
        for phase, seconds in json.loads(done.output).items():
            self.measured[f"{what}: {phase}"].append(Measured(seconds, done.peak, ""))

    def seconds(self, what: str) -> float:
        """The median of what was measured."""
        return statistics.median(each.seconds for each in self.measured[what])

    def peak(self, what: str) -> int:
        """The most memory that it took, in bytes."""
        return max(each.peak for each in self.measured[what])


def remove(database: Path) -> None:
    """Removes a DuckDB file."""
    for path in (database, Path(f"{database}.wal")):
        path.unlink(missing_ok=True)


def table(headings: tuple[str, ...], rows: list[tuple]) -> None:
    """Prints rows below their headings."""
    texts = [headings, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        first, *others = (cell.ljust if n == 0 else cell.rjust for n, cell in enumerate(row))
        cells = [first(widths[0]), *(o(w) for o, w in zip(others, widths[1:], strict=True))]
        click.echo("  ".join(cells).rstrip())
    click.echo()


def whole_job(bench: Bench, events: int, songs: int, days: int, files: int, repeat: int) -> None:
    """Load and build, beside the limit; the tests by themselves."""
    sizes = ("--events", str(events), "--songs", str(songs), "--days", str(days))
    folder = bench.input("large", *sizes, "--song-files", str(files))
    small = bench.input(
        "small", "--events", "1", "--songs", "1", "--days", "1", "--song-files", "1"
    )
    ours, limit = bench.work / "ours.duckdb", bench.work / "limit.duckdb"
    for number in range(repeat + 1):
        # The first time is to have the files in memory and the project parsed.
        first = "warm up " if not number else ""
        remove(ours)
        bench.load(f"{first}start-up of load", small, ours)
        bench.dbt(f"{first}start-up of build", small, ours, "build", *STAR_ONLY, *NO_TESTS)
        remove(limit)
        bench.limit(f"{first}limit", folder, limit)
        remove(ours)
        bench.load(f"{first}load", folder, ours)
        bench.dbt(f"{first}build", folder, ours, "build", *STAR_ONLY, *NO_TESTS)
        if not number:
            checked = bench.run("", "-c", COMPARE, str(ours), str(limit), *STAR).output
            click.echo(f"Equal to the limit, row for row:\n{checked}")
        bench.dbt(
            f"{first}other models", folder, ours, "build", "--exclude", *STAR_ONLY[1:], *NO_TESTS
        )
        bench.dbt(f"{first}data tests", folder, ours, "test")
        remove(ours)
        if not repeat:
            break
    bytes_read = sum(path.stat().st_size for path in folder.rglob("*.json"))
    starts = {
        "load": bench.seconds("start-up of load"),
        "build": bench.seconds("start-up of build"),
    }
    net = {name: bench.seconds(name) - starts[name] for name in starts}
    limits = {"load": bench.seconds("limit: load"), "build": bench.seconds("limit: star")}
    net["whole job"], limits["whole job"] = sum(net.values()), sum(limits.values())
    starts["whole job"] = sum(starts.values())
    click.echo(f"{events:,} events, {songs:,} songs, {bytes_read / 1e6:,.0f} MB of JSON")
    table(
        ("", "start-up s", "net s", "limit s", "ratio", "events/s", "peak MB"),
        [
            (
                name,
                f"{starts[name]:.2f}",
                f"{net[name]:.2f}",
                f"{limits[name]:.2f}",
                f"{net[name] / limits[name]:.2f}",
                f"{events / net[name]:,.0f}",
                max(bench.peak(each) for each in (("load", "build") if " " in name else (name,)))
                // 10**6,
            )
            for name in net
        ],
    )
    gross = bench.seconds("load") + bench.seconds("build") + bench.seconds("other models")
    click.echo(f"other models: {bench.seconds('other models'):.2f} s with start-up")
    tests = bench.seconds("data tests") - starts["build"]
    click.echo(
        f"tests: {tests:.2f} s without start-up, {tests / gross:.0%} of load and build of all"
        f" ({gross:.2f} s)\n"
    )


@click.command()
@click.option("--events", default=200_000, show_default=True)
@click.option("--songs", default=20_000, show_default=True)
@click.option("--days", default=30, show_default=True, help="Files of the events.")
@click.option("--song-files", default=10, show_default=True)
@click.option("--repeat", default=3, show_default=True, help="Times that each is measured.")
@click.option("--work-dir", type=click.Path(path_type=Path), help="Where to put all files.")
def main(
    events: int,
    songs: int,
    days: int,
    song_files: int,
    repeat: int,
    work_dir: Path | None,
) -> None:
    """Measure the project beside the limit."""
    with tempfile.TemporaryDirectory(prefix="bench_", dir=work_dir) as folder:
        bench = Bench(Path(folder))
        shutil.copy(PROJECT / "profiles.yml.example", bench.work / "profiles.yml")
        whole_job(bench, events, songs, days, song_files, repeat)


if __name__ == "__main__":
    main()
