"""Runs the project and limit.sql in turns, and prints medians, ratios and peak memory.

    python benchmarks/run.py --events 2000000

Start-up is measured separately, on an input of one event and one song, and subtracted: the limit
has none.
"""

from __future__ import annotations

import json
import math
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
DLT_EVENTS = 500_000  # with more, dlt's defaults take a quarter of an hour
HISTORIES = {"a month": 30, "two years": 720}  # days
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")


@dataclass
class Measured:
    """Wall time in seconds, peak memory in bytes, and output of a process."""

    seconds: float
    peak: int
    output: str


@dataclass
class Bench:
    """Runs commands, with all their files in one folder, and keeps the measurements."""

    work: Path
    measured: dict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))

    def run(
        self, what: str, *command: str, python: str = sys.executable, **variables: str
    ) -> Measured:
        """Runs a script and keeps its measurement. Raises ClickException if it fails."""
        with tempfile.TemporaryFile("w+") as printed:
            started = time.monotonic()
            process = subprocess.Popen(
                [python, *command],
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

    def one_each(self) -> Path:
        """An input of one event and one song."""
        one_each = ("--events", "1", "--songs", "1", "--days", "1", "--song-files", "1")
        return self.input("small", *one_each)

    def variables(self, folder: Path, database: Path) -> dict[str, str]:
        """The environment variables for an input and a database."""
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

    def warm_up(self, folder: Path, database: Path) -> None:
        """Lets dbt parse the project, and fills the caches."""
        remove(database)
        self.load("", folder, database)
        self.dbt("", folder, database, "build", *NO_TESTS)

    def limit(self, what: str, folder: Path, database: Path) -> None:
        """Runs limit.sql and keeps the time of each phase."""
        done = self.run("", str(HERE / "limit.py"), str(folder), str(database))
        for phase, seconds in json.loads(done.output).items():
            self.measured[f"{what}: {phase}"].append(Measured(seconds, done.peak, ""))

    def seconds(self, what: str) -> float:
        """The median time."""
        return statistics.median(each.seconds for each in self.measured[what])

    def net(self, *names: str) -> float:
        """The time of these together without their start-up; NaN if it is within the noise."""
        starts = [self.measured[f"start-up of {name}"] for name in names]
        seconds = [[each.seconds for each in start] for start in starts]
        net = sum(map(self.seconds, names)) - sum(map(statistics.median, seconds))
        return net if net > sum(max(each) - min(each) for each in seconds) else math.nan

    def peak(self, what: str) -> int:
        """The peak memory of all repeats, in bytes."""
        return max(each.peak for each in self.measured[what])


def remove(database: Path) -> None:
    """Removes a DuckDB file."""
    for path in (database, Path(f"{database}.wal")):
        path.unlink(missing_ok=True)


def table(headings: tuple[str, ...], rows: list[tuple]) -> None:
    """Prints rows below their headings, and what noise means if a figure is NaN."""
    texts = [headings, *([str(cell) for cell in row] for row in rows)]
    is_noisy = any("nan" in row for row in texts)
    texts = [["noise" if cell == "nan" else cell for cell in row] for row in texts]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        first, *others = (cell.ljust if n == 0 else cell.rjust for n, cell in enumerate(row))
        cells = [first(widths[0]), *(o(w) for o, w in zip(others, widths[1:], strict=True))]
        click.echo("  ".join(cells).rstrip())
    if is_noisy:
        click.echo("noise: less than the start-up varies by; try a larger input")
    click.echo()


def whole_job(bench: Bench, events: int, songs: int, days: int, files: int, repeat: int) -> None:
    """Load and models, compared with the limit; tests separately."""
    sizes = ("--events", str(events), "--songs", str(songs), "--days", str(days))
    folder = bench.input("large", *sizes, "--song-files", str(files))
    small = bench.one_each()
    ours, limit = bench.work / "ours.duckdb", bench.work / "limit.duckdb"
    bench.warm_up(small, ours)
    for number in range(repeat):
        remove(ours)
        bench.load("start-up of load", small, ours)
        bench.dbt("start-up of models", small, ours, "build", *NO_TESTS)
        remove(limit)
        bench.limit("limit", folder, limit)
        remove(ours)
        bench.load("load", folder, ours)
        bench.dbt("models", folder, ours, "build", *NO_TESTS)
        if not number:
            checked = bench.run("", str(HERE / "compare.py"), str(ours), str(limit)).output
            click.echo(f"Equal to the limit, row for row:\n{checked}")
        bench.dbt("tests", folder, ours, "test")
        remove(ours)
    bytes_read = sum(path.stat().st_size for path in folder.rglob("*.json"))
    steps = ("load", "models")
    starts = {name: bench.seconds(f"start-up of {name}") for name in steps}
    net = {name: bench.net(name) for name in steps}
    limits = {name: bench.seconds(f"limit: {name}") for name in steps}
    peaks = {name: bench.peak(name) for name in steps}
    for figures in (starts, limits):
        figures["whole job"] = sum(figures.values())
    net["whole job"] = bench.net(*steps)
    peaks["whole job"] = max(peaks.values())
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
                peaks[name] // 10**6,
            )
            for name in net
        ],
    )
    gross = bench.seconds("load") + bench.seconds("models")
    tests = bench.seconds("tests") - starts["models"]
    click.echo(
        f"tests: {tests:.2f} s without start-up, {tests / gross:.0%} of load and models"
        f" ({gross:.2f} s with it), peak {bench.peak('tests') // 10**6} MB; the limit's peak"
        f" {bench.peak('limit: models') // 10**6} MB\n"
    )


def tiny_files(bench: Bench, files: int, repeat: int) -> None:
    """A catalog of one-object files in a folder, compared with DuckDB's own read of them."""
    sizes = ("--events", "1", "--days", "1", "--songs", str(files), "--song-files", str(files))
    folder, small = bench.input("tiny", *sizes), bench.one_each()
    ours, limit = bench.work / "ours.duckdb", bench.work / "limit.duckdb"
    bench.warm_up(small, ours)
    for _ in range(repeat):
        for database in (ours, limit):
            remove(database)
        bench.load("start-up of tiny", small, ours)
        remove(ours)
        bench.limit("tiny limit", folder, limit)
        bench.load("tiny", folder, ours)
    net, limit_seconds = bench.net("tiny"), bench.seconds("tiny limit: load")
    click.echo(f"{files:,} files of one object in a folder")
    table(
        ("", "net s", "limit s", "ratio", "files/s", "peak MB"),
        [
            (
                "load",
                f"{net:.2f}",
                f"{limit_seconds:.2f}",
                f"{net / limit_seconds:.2f}",
                f"{files / net:,.0f}",
                bench.peak("tiny") // 10**6,
            )
        ],
    )
    shutil.rmtree(folder)


def start_up(bench: Bench, repeat: int) -> None:
    """Both commands with nothing to do, compared with starting dbt twice."""
    sample, ours = PROJECT / "sample_data", bench.work / "ours.duckdb"
    remove(ours)
    bench.load("", sample, ours)
    bench.dbt("", sample, ours, "build")
    for _ in range(repeat):
        for _ in range(2):
            bench.dbt("dbt parse", sample, ours, "parse")
        bench.load("load, nothing new", sample, ours)
        bench.dbt("build without tests", sample, ours, "build", *NO_TESTS)
        bench.dbt("build", sample, ours, "build")
    bare = 2 * bench.seconds("dbt parse")
    load = bench.seconds("load, nothing new")
    click.echo(f"Start-up: dbt twice {bare:.2f} s")
    table(
        ("unchanged sample", "s", "of dbt twice"),
        [
            (name, f"{seconds:.2f}", f"{seconds / bare:.2f}")
            for name, seconds in (
                ("load", load),
                ("load and build without tests", load + bench.seconds("build without tests")),
                ("load and build", load + bench.seconds("build")),
            )
        ],
    )


def one_more_day(bench: Bench, events: int, songs: int, repeat: int) -> None:
    """A day of events, after a month of history and after two years of it."""
    catalog = ("--songs", str(songs))
    months = {}
    for name, days in HISTORIES.items():
        folder, database = bench.work / name, bench.work / f"{name}.duckdb"
        bench.input(name, "--events", str(days), "--days", str(days), *catalog)  # one each
        bench.load("", folder, database)
        bench.run("", str(HERE / "history.py"), str(database), str(days), str(events), str(songs))
        bench.dbt("", folder, database, "build", "--full-refresh", *NO_TESTS)
        months[name] = (folder, database, days)
    for number in range(repeat):
        for name, (folder, database, days) in months.items():
            new = ("--first-day", str(days + number), "--days", "1", "--song-files", "0")
            bench.input(name, "--events", str(events), *catalog, *new)
            bench.load(f"{name}: load", folder, database)
            bench.dbt(f"{name}: models", folder, database, "build", *NO_TESTS)
            bench.dbt(f"{name}: nightly tests", folder, database, "test", "--selector", "nightly")
    click.echo(f"One more day of {events:,} events")
    month, years = months
    table(
        ("", f"after {month}, s", f"after {years}, s", "ratio"),
        [
            (
                what,
                f"{bench.seconds(f'{month}: {what}'):.2f}",
                f"{bench.seconds(f'{years}: {what}'):.2f}",
                f"{bench.seconds(f'{years}: {what}') / bench.seconds(f'{month}: {what}'):.2f}",
            )
            for what in ("load", "models", "nightly tests")
        ],
    )
    for _, database, _ in months.values():
        remove(database)


def peers(bench: Bench, python: str, events: int, songs: int, repeat: int) -> None:
    """The same input with other tools: dlt loads it, PySpark does the whole job for five marts."""
    sizes = ("--events", str(events), "--songs", str(songs))
    folder, small = bench.input("large", *sizes), bench.one_each()
    limit = bench.work / "limit.duckdb"
    ours = bench.work / "ours.duckdb"
    bench.warm_up(small, ours)
    dlt = {"dlt, tuned": ("--tuned",)}
    if events <= DLT_EVENTS:
        dlt["dlt"] = ()
    rows = {}
    for _ in range(repeat):
        remove(limit)
        bench.limit("limit", folder, limit)
        for name, options in dlt.items():
            database = bench.work / "dlt.duckdb"
            remove(database)
            shutil.rmtree(f"{database}.pipeline", ignore_errors=True)
            command = (str(HERE / "peers" / "dlt_load.py"), str(folder), str(database), *options)
            printed = json.loads(bench.run("", *command, python=python).output.splitlines()[-1])
            bench.measured[f"{name}: load"].append(Measured(printed["load"], 0, ""))
        command = (str(HERE / "peers" / "pyspark_job.py"), str(folder), str(bench.work / "spark"))
        printed = json.loads(bench.run("", *command, python=python).output.splitlines()[-1])
        bench.measured["PySpark: whole job"].append(Measured(printed.pop("whole job"), 0, ""))
        rows = printed
        for prefix, source in (("start-up of ", small), ("", folder)):
            remove(ours)
            bench.load(f"{prefix}load", source, ours)
            bench.dbt(f"{prefix}build", source, ours, "build", *NO_TESTS)
    ours_load, ours_all = bench.net("load"), bench.net("load", "build")
    click.echo(f"{events:,} events, {songs:,} songs; PySpark made {rows}")
    limit_load = bench.seconds("limit: load")
    limit_all = limit_load + bench.seconds("limit: models")
    table(
        ("", "s", "of the limit"),
        [
            ("load: limit", f"{limit_load:.2f}", "1.00"),
            ("load: this project", f"{ours_load:.2f}", f"{ours_load / limit_load:.2f}"),
            *(
                (f"load: {name}", f"{seconds:.2f}", f"{seconds / limit_load:.2f}")
                for name in dlt
                for seconds in (bench.seconds(f"{name}: load"),)
            ),
            ("whole job: limit", f"{limit_all:.2f}", "1.00"),
            (
                "whole job: this project",
                f"{ours_all:.2f}",
                f"{ours_all / limit_all:.2f}",
            ),
            (
                "whole job: PySpark, five marts",
                f"{bench.seconds('PySpark: whole job'):.2f}",
                f"{bench.seconds('PySpark: whole job') / limit_all:.2f}",
            ),
        ],
    )


CASES = ("whole", "tiny", "start", "day")


@click.command()
@click.option("--case", "cases", multiple=True, type=click.Choice(CASES), help="Default: all.")
@click.option("--events", default=200_000, show_default=True)
@click.option("--songs", default=20_000, show_default=True)
@click.option("--days", default=30, show_default=True, help="Days of events, one file each.")
@click.option("--song-files", default=10, show_default=True)
@click.option("--tiny-files", "tiny_count", default=2_000, show_default=True)
@click.option("--day-events", default=10_000, show_default=True, help="Events of the added day.")
@click.option("--peers", "peers_python", help="Measure the peers, with this Python.")
@click.option("--repeat", default=3, show_default=True, help="Measurements of each.")
@click.option("--work-dir", type=click.Path(path_type=Path), help="Folder for temporary files.")
def main(
    cases: tuple[str, ...],
    events: int,
    songs: int,
    days: int,
    song_files: int,
    tiny_count: int,
    day_events: int,
    peers_python: str | None,
    repeat: int,
    work_dir: Path | None,
) -> None:
    """Compare the project with the limit."""
    with tempfile.TemporaryDirectory(prefix="bench_", dir=work_dir) as folder:
        bench = Bench(Path(folder))
        shutil.copy(PROJECT / "profiles.yml.example", bench.work / "profiles.yml")
        if peers_python:
            peers(bench, peers_python, events, songs, repeat)
            return
        cases = cases or CASES
        if "whole" in cases:
            whole_job(bench, events, songs, days, song_files, repeat)
        if "tiny" in cases:
            tiny_files(bench, tiny_count, repeat)
        if "start" in cases:
            start_up(bench, repeat)
        if "day" in cases:
            one_more_day(bench, day_events, songs, repeat)


if __name__ == "__main__":
    main()
