"""load_staging.py: what it loads on both engines, and its messages when it cannot."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Project, clean_environment, event, song, table_at_the_end

EVENT_COUNT = "select count(*) from sparkify_raw.staging_events"
SONG_TITLES = "select title from sparkify_raw.staging_songs order by title"


def test_only_what_is_new_is_loaded(project: Project) -> None:
    sizes = {
        folder: sum(p.stat().st_size for p in folder.rglob("*.json"))
        for folder in (project.events, project.songs)
    }
    run = project.load()
    assert table_at_the_end(run.output) == {
        "staging_events": ["2", "2", "3", "0", f"{sizes[project.events]:,}"],
        "staging_songs": ["2", "2", "2", "0", f"{sizes[project.songs]:,}"],
    }
    assert "staging_events: loading 2 files" in run.errors

    project.write_events("2018/11/2018-11-03-events.json", event(4))
    run = project.load()
    assert table_at_the_end(run.output)["staging_events"][:3] == ["3", "1", "1"]
    assert table_at_the_end(run.output)["staging_songs"] == ["2", "0", "0", "0", "0"]
    assert project.query(EVENT_COUNT) == [(4,)]

    run = project.load()
    assert table_at_the_end(run.output)["staging_events"] == ["3", "0", "0", "0", "0"]
    assert "Nothing new." in run.output


def test_the_ledger_lists_what_was_loaded(local_project: Project) -> None:
    path = local_project.write_events("2018/11/2018-11-03-events.json", event(4), event(5))
    local_project.load()
    rows = local_project.query(
        """
        select files.file_name, files.file_size, files.fingerprint, loads.source_table,
               loads.file_count, loads.row_count, files.loaded_at = loads.loaded_at
        from sparkify_raw.loaded_files as files join sparkify_raw.loads using (load_id)
        where file_name like '%11-03%'
        """
    )
    stat = path.stat()
    assert rows == [
        (
            "input/log_data/2018/11/2018-11-03-events.json",
            stat.st_size,
            f"{stat.st_size:x}-{stat.st_mtime_ns:x}",
            "staging_events",
            3,
            5,
            True,
        )
    ]
    # Each load is later than the one before.
    local_project.write_events("more.json", event(6))
    local_project.load()
    times = local_project.query("select loaded_at from sparkify_raw.loads order by load_id")
    assert times == sorted(set(times))
    assert (
        local_project.query(
            "select distinct loaded_at from sparkify_raw.staging_events order by 1"
        )[-1]
        == times[-1]
    )


def test_every_layout_of_json_is_read(project: Project) -> None:
    first, second = json.dumps(song(3)), json.dumps(song(4))
    (project.songs / "in_a_row.json").write_text(first + second)
    (project.songs / "pretty.json").write_text(
        "\n\n".join(json.dumps(song(number), indent=2) for number in (5, 6))
    )
    (project.songs / "zipped.json.gz").write_bytes(gzip.compress(json.dumps(song(7)).encode()))
    (project.songs / "empty.json").write_text("")
    project.write_songs("numbers.json", song(8, artist_name=112, artist_location=108.50))
    project.load("--select", "staging_songs")
    assert [title for (title,) in project.query(SONG_TITLES)] == [f"Title {n}" for n in range(1, 9)]
    numbers = "select artist_name, artist_location from sparkify_raw.staging_songs where title = "
    assert project.query(numbers + "'Title 8'") == [("112", "108.5")]
    assert project.query("select count(*) from sparkify_raw.loaded_files") == [(7,)]


def test_only_files_under_the_location_are_loaded(local_project: Project) -> None:
    """Not those of a folder with a similar name, nor hidden ones; any other name will do."""
    strange = ["it's.json", 'a "quote".json', "50% [1] *?.json", "naïve ♥.json", "back\\slash.json"]
    for number, name in enumerate(strange, start=10):
        local_project.write_events(f"strange/{name}", event(number))
    local_project.write_events("../log_data_old/old.json", event(90))
    (local_project.events / "_SUCCESS").write_text("")
    local_project.write_events("_temporary/0/part-00000.json", event(91))
    local_project.write_events("__MACOSX/2018/x.json", event(92))
    (local_project.events / "2018" / "._11.json").write_bytes(bytes(8))
    (local_project.events / ".#lock.json").symlink_to("nowhere")
    run = local_project.load("--select", "staging_events")
    assert local_project.query(EVENT_COUNT) == [(3 + len(strange),)]
    assert "5 files left out, hidden by a name that begins with . or _: " in run.errors
    names = local_project.query("select file_name from sparkify_raw.loaded_files")
    assert {f"input/log_data/strange/{name}" for name in strange} < {name for (name,) in names}


def test_values_are_kept_as_they_are(project: Project) -> None:
    project.write_songs(
        "texts.json", song(3, title="It's \"5\" o'clock; -- \\ / ☃ 🎵\n\t", artist_location=" x ")
    )
    project.write_events("logged_out.json", event(9, userId="", firstName=None, registration=None))
    project.load()
    texts = "select title, artist_location from sparkify_raw.staging_songs where song_id like '%3'"
    assert project.query(texts) == [("It's \"5\" o'clock; -- \\ / ☃ 🎵\n\t", " x ")]
    logged_out = "select userid, firstname, registration, ts from sparkify_raw.staging_events "
    assert project.query(logged_out + "where iteminsession = 9") == [
        (None, None, None, event(9)["ts"])
    ]


def test_select_takes_several_tables(project: Project) -> None:
    assert set(table_at_the_end(project.load("--select", "staging_songs").output)) == {
        "staging_songs"
    }
    both = project.load("-s", "staging_songs", "staging_events")
    assert table_at_the_end(both.output)["staging_events"][1] == "2"
    assert table_at_the_end(both.output)["staging_songs"][1] == "0"


def test_full_refresh_replaces_the_table(project: Project) -> None:
    project.load()
    next(project.events.rglob("*-02-events.json")).unlink()
    run = project.load("--full-refresh", "--select", "staging_events")
    assert project.query(EVENT_COUNT) == [(2,)]
    assert project.query("select count(*) from sparkify_raw.loaded_files") == [(3,)]
    assert project.query(SONG_TITLES) == [("Title 1",), ("Title 2",)]
    assert "dbt build --full-refresh" in run.output


def test_a_dry_run_prints_the_sql_and_changes_nothing(local_project: Project) -> None:
    run = local_project.load("--dry-run")
    assert not local_project.database.exists()
    for part in ("create schema", "create table", '"sparkify_raw"."staging_events"'):
        assert part in run.output
    assert run.output.count("begin transaction;") == run.output.count("commit;") == 2

    local_project.load()
    local_project.write_events("new.json", event(9))
    before = local_project.database.read_bytes()
    run = local_project.load("--dry-run")
    assert local_project.database.read_bytes() == before
    assert "create table" not in run.output
    assert run.output.count("commit;") == 1
    # A load runs exactly this SQL.
    log = local_project.with_log()
    local_project.load()
    insert = re.search(
        r'insert into "sparkify_raw"."staging_events".*?\nfrom', log.read_text(), re.S
    )
    assert insert and insert[0] in run.output


def test_relative_paths_start_from_the_project(local_project: Project, tmp_path: Path) -> None:
    script = str(local_project.folder / "load_staging.py")
    run = local_project.run(script, cwd=tmp_path)
    assert run.code == 0, run.text
    assert local_project.query(EVENT_COUNT) == [(3,)]
    # Under another name they are still the same files.
    run = local_project.load(DBT_EVENTS_LOCATION=str(local_project.events))
    assert "Nothing new." in run.output
    where = [
        "--project-dir",
        str(local_project.folder),
        "--profiles-dir",
        str(local_project.folder),
    ]
    run = local_project.run("dbt", "run", *where, cwd=tmp_path)
    assert run.code == 0, run.text
    assert local_project.query("select count(*) from fct_songplays") == [(3,)]


def test_the_raw_schema_is_a_variable(local_project: Project) -> None:
    local_project.load(DBT_RAW_SCHEMA="raw_of_mine")
    assert local_project.query("select count(*) from raw_of_mine.staging_events") == [(3,)]


# --- bad input -----------------------------------------------------------------


def assert_refused(project: Project, *said: str, **environment: str) -> None:
    """The load fails with one message that says all of this, and leaves nothing behind."""
    run = project.load("--select", "staging_events", fails=True, **environment)
    (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
    for part in said:
        assert part in message
    if project.database.exists():
        assert project.query(EVENT_COUNT) == [(0,)]
        assert project.query("select count(*) from sparkify_raw.loaded_files") == [(0,)]
        assert project.query("select count(*) from sparkify_raw.loads") == [(0,)]


def test_a_missing_folder(local_project: Project) -> None:
    assert_refused(
        local_project,
        "DBT_EVENTS_LOCATION",
        "no/such/",
        "neither a folder nor a file",
        DBT_EVENTS_LOCATION="no/such/",
    )


def test_a_folder_without_files(local_project: Project) -> None:
    (local_project.folder / "nothing").mkdir()
    assert_refused(
        local_project, "DBT_EVENTS_LOCATION", "holds no file", DBT_EVENTS_LOCATION="nothing"
    )


def test_unreadable_names_are_reported(local_project: Project) -> None:
    """They do not end the listing."""
    (local_project.events / "broken_link.json").symlink_to("nowhere.json")
    (local_project.events / os.fsdecode(b"caf\xe9.json")).write_text("")
    run = local_project.load("--select", "staging_events")
    assert local_project.query(EVENT_COUNT) == [(3,)]
    assert "1 file left out, a broken link: " in run.errors
    assert "broken_link.json" in run.errors
    assert "1 file left out, with a name that is not UTF-8: " in run.errors
    assert "caf\\xe9.json" in run.errors


NAMES = ["2018-11-05", "part-00000", "a.jsonl", "b.ndjson", "C.JSON", "d.log", "e.txt"]


def test_the_name_of_a_file_does_not_matter(project: Project) -> None:
    """Neither for its content nor for its compression."""
    compressions = [lambda content: content, gzip.compress]
    if project.target != "local":
        compressions.append(bz2.compress)
    number = 10
    for compress in compressions:
        for name in [*NAMES, "f.json.gz", "G.JSON.GZ", "h.gz", "i.zst", "j.json.gzip"]:
            number += 1
            path = project.events / f"{number}" / name
            path.parent.mkdir()
            path.write_bytes(compress(json.dumps(event(number)).encode()))
    (project.events / "empty.json.gz").write_bytes(b"")
    (project.events / "empty").write_bytes(b"")
    project.load("--select", "staging_events")
    assert project.query(EVENT_COUNT) == [(3 + number - 10,)]
    assert "Nothing new." in project.load("--select", "staging_events").output


def test_a_pattern_of_file_names(project: Project) -> None:
    """It limits which files of one source are data."""
    (project.events / "notes.txt").write_text("no JSON")
    project.write_songs("more.jsonl", song(3))
    project.load(fails=True)
    path = project.folder / "models/staging/_sparkify__sources.yml"
    variable = "meta: {location_variable: DBT_EVENTS_LOCATION"
    path.write_text(path.read_text().replace(variable, variable + ', file_names: "*.json"'))
    run = project.load()
    assert "staging_events: 1 file left out, not named like *.json: " in run.errors
    assert "notes.txt" in run.errors
    assert "staging_songs: 1" not in run.errors
    assert project.query(EVENT_COUNT) == [(3,)]


def test_bzip2_on_duckdb(local_project: Project) -> None:
    content = json.dumps(event(9)).encode()
    (local_project.events / "x.json").write_bytes(bz2.compress(content))
    assert_refused(local_project, "log_data/x.json is compressed with bzip2, which DuckDB does not")


def test_a_file_is_a_location(local_project: Project) -> None:
    """And ~ is the home folder."""
    name = "log_data/2018/11/2018-11-01-events.json"
    local_project.load(HOME=str(local_project.folder / "input"), DBT_EVENTS_LOCATION=f"~/{name}")
    assert local_project.query(EVENT_COUNT) == [(2,)]
    assert "Nothing new." in local_project.load(DBT_EVENTS_LOCATION=f"input/{name}").output
    local_project.load()
    assert local_project.query(EVENT_COUNT) == [(3,)]


@pytest.mark.parametrize("location", ["gs://bucket/x/", "file:///tmp/x", "https://x.example.com/"])
def test_a_location_of_another_kind(local_project: Project, location: str) -> None:
    assert_refused(
        local_project,
        f"DBT_EVENTS_LOCATION is {location}: set it to where the files of staging_events are, s3:/",
        DBT_EVENTS_LOCATION=location,
    )


WRONG_TEXTS = {
    '{"ts": 1': "not JSON: Expecting ',' delimiter.",
    ', {"ts": 2}': 'value ",": not JSON: Expecting value.',
    '{"ts": 1,}': "not JSON: ",
    '{"ts": NaN}': "not JSON: NaN is not a JSON value.",
    "ts,page": 'value "ts,page": not JSON: Expecting value.',
    '[{"ts": 1}]': "in an array, not an object of its own; write one object per line, for"
    " example with jq -c '.[]'.",
    '{"song": "\\ud800"}': "not valid Unicode.",
    '{"Records": [{"ts": 1}]}': "fills a column: Records; write one object per line, for"
    " example with jq -c '.Records[]'.",
    '{"time": "x", "log": "{\\"ts\\": 1}"}': "fills a column: time, log; write one object per"
    " line, for example with jq -c '.log | fromjson'.",
    '{"detail": {"ts": 1}}': "for example with jq -c '.detail'.",
    '{"jsonpaths": ["$.ts"]}': "none of its keys fills a column: jsonpaths.",
}


@pytest.mark.parametrize("number", [1, 1001], ids=["at the beginning", "after what is looked at"])
def test_what_is_not_a_row_is_reported(project: Project, number: int) -> None:
    """With its place, its text and the reason, in the same words on both engines."""
    before = "".join(json.dumps(event(n)) + "\n" for n in range(number - 1))
    for text, reason in WRONG_TEXTS.items():
        (project.events / "wrong file.json").write_text(before + text)
        run = project.load("--select", "staging_events", fails=True)
        assert f"/log_data/wrong file.json, line {number}" in run.errors, text
        assert reason in run.errors, text
        assert project.query(EVENT_COUNT) == [(0,)], text


ZEROS = bytes(10)
FOREIGN = {
    "an HTML page": b"\n<!DOCTYPE HTML>\n<html><head></head></html>",
    "an error of S3 as XML": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
    "XML": b'<?xml version="1.0"?><log/>',
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12\n",
    "gzip": gzip.compress(gzip.compress(b"{}")),
    "zip": b"PK\x03\x04" + ZEROS,
    "xz or 7z": b"7z\xbc\xaf" + ZEROS,
    "Parquet, Avro or ORC": b"PAR1" + ZEROS,
    "UTF-16 or UTF-32": json.dumps(event(9)).encode("utf-16"),
    "binary data": b"SQLite format 3\0" + ZEROS,
}


@pytest.mark.parametrize("options", [(), ("--max-errors", "1000")], ids=["", "bad rows allowed"])
def test_a_file_without_json_is_reported(project: Project, options: tuple[str, ...]) -> None:
    for kind, content in FOREIGN.items():
        (project.events / "x.json").write_bytes(content)
        run = project.load("--select", "staging_events", *options, fails=True)
        assert f"/log_data/x.json holds {kind}, which cannot be read as JSON: " in run.errors
        assert project.query(EVENT_COUNT) == [(0,)], kind


WRONG_VALUES = {
    "ts": ["yesterday", 1.5, 2**53, "1_000", "nan", "Infinity", "1e400", True, {"a": 1}, [1]],
    "status": [3_000_000_000, "200 OK", True],
    "length": ["long", "inf", "1e400", "0x10", "1_0", True],
    "userId": ["seven", 7.5, 9007199254740993, "\u0661"],
    "level": ["é" * 33, "a\0"],
}


@pytest.mark.parametrize("key", WRONG_VALUES)
def test_a_value_that_does_not_fit(project: Project, key: str) -> None:
    """The same values do not fit on either engine, in the same words."""
    for value in WRONG_VALUES[key]:
        project.write_events("bad file.json", event(9), event(10, **{key: value}))
        run = project.load("--select", "staging_events", fails=True)
        assert f"/log_data/bad file.json, line 2, column {key}, value " in run.errors, value
        assert re.search(
            r": (not a (whole )?number|longer than 64 bytes|a text with a NUL)", run.errors
        )
        assert project.query(EVENT_COUNT) == [(0,)], value


@pytest.mark.parametrize("key", ["ts", "page"])
def test_a_key_that_is_missing_or_empty(project: Project, key: str) -> None:
    given = event(9)
    del given[key]
    project.write_events("bad.json", given)
    run = project.load("--select", "staging_events", fails=True)
    assert f"line 1, column {key}: the key {key} is missing; there are artist, auth, " in run.errors
    project.write_events("bad.json", event(9, **{key: None}))
    run = project.load("--select", "staging_events", fails=True)
    assert f"line 1, column {key}: empty, but a value is required." in run.errors
    assert project.query(EVENT_COUNT) == [(0,)]


def test_numbers_may_be_written_in_any_way(project: Project) -> None:
    """Also whole ones with a fraction, as pandas writes them, and as text."""
    ways = (1541121934796, 1541121934796.0, "1541121934796", "1541121934796.0", "1.541121934796E12")
    events = [json.dumps(event(n, userId="77", ts=0)) for n in range(len(ways) + 1)]
    texts = [
        one.replace('"ts": 0', f'"ts": {json.dumps(way)}')
        for one, way in zip(events, ways, strict=False)
    ]
    texts.append(
        json.dumps(
            event(5, sessionId=12.0, userId="77.0", status=2e2, length="", itemInSession="5")
        ).replace('"ts": ', '"ts": 1.541121934796E12, "other": ')
    )
    (project.events / "ways.json").write_text("\n".join(texts))
    project.write_songs("ways.json", song(7, year=1999.0), song(8, year="2001"), song(9, year=""))
    project.load()
    seventh = "select distinct ts, userid from sparkify_raw.staging_events where userid = 77"
    assert project.query(seventh) == [(1541121934796, 77)]
    assert project.query(EVENT_COUNT) == [(3 + len(texts),)]
    project.dbt("run", "--select", "stg_events", "stg_songs")


def test_a_failed_batch_loads_nothing_and_earlier_loads_stay(project: Project) -> None:
    project.load()
    project.write_events("good.json", event(8))
    bad = project.write_events("z_bad.json", event(9, ts="x"))
    project.load(fails=True)
    assert project.query(EVENT_COUNT) == [(3,)]
    bad.unlink()
    project.load()
    assert project.query(EVENT_COUNT) == [(4,)]


def test_an_unknown_table(local_project: Project) -> None:
    run = local_project.load("--select", "staging_event", fails=True)
    assert "no source table is called staging_event" in run.errors
    assert "staging_events and staging_songs" in run.errors


def test_no_profile(local_project: Project) -> None:
    (local_project.folder / "profiles.yml").unlink()
    run = local_project.load(fails=True, HOME=str(local_project.folder))
    assert "profiles.yml.example" in run.errors


def test_an_unknown_target(local_project: Project) -> None:
    run = local_project.load("--target", "redshfit", fails=True)
    assert "does not have a target named 'redshfit'" in run.errors


def test_no_project(local_project: Project, tmp_path: Path) -> None:
    run = local_project.load("--project-dir", str(tmp_path), fails=True)
    assert "dbt_project.yml" in run.errors


def test_a_database_in_use(local_project: Project) -> None:
    local_project.load()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()",
            str(local_project.database),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout and holder.stdout.readline()
        run = local_project.load(fails=True)
        assert "Another process has the database open" in run.errors
        assert str(holder.pid) in run.errors
    finally:
        holder.communicate(b"\n")


def test_a_database_that_cannot_be_written(local_project: Project) -> None:
    run = local_project.load(fails=True, DBT_DUCKDB_PATH="no/such/folder/x.duckdb")
    assert "no/such/folder/x.duckdb" in run.errors
    assert "No such file or directory" in run.errors


@pytest.mark.parametrize("name", ["main.duckdb", "system.db", "temp.duckdb", "a#b.duckdb"])
def test_a_database_file_of_an_unusable_name(local_project: Project, name: str) -> None:
    run = local_project.load(fails=True, DBT_DUCKDB_PATH=name)
    (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
    assert message.startswith("Error: The database file ")
    assert f"/{name} needs another name" in message
    assert "Set DBT_DUCKDB_PATH" in message


def test_the_summary_as_json(project: Project) -> None:
    """It says what the text says, and what was left out."""
    project.write_events("_hidden.json", event(7))
    project.write_events("bad.json", event(8), event(9, ts="x"))
    run = project.load("--max-errors", "1", "--output", "json")
    summary = json.loads(run.output)
    assert summary["has_replaced"] is False
    events, songs = (summary["tables"][table] for table in ("staging_events", "staging_songs"))
    counted = project.query(
        "select source_table, file_count, row_count, rejected_count, byte_count"
        " from sparkify_raw.loads order by 1"
    )
    for table, *counts in counted:
        keys = ("loaded", "rows", "rejected", "bytes")
        assert [summary["tables"][table][key] for key in keys] == counts
    assert (events["found"], events["rejected"], songs["rejected"]) == (3, 1, 0)
    if project.target == "local":  # hidden files are not uploaded to the stand-in's S3
        assert events["left_out"] == {"hidden by a name that begins with . or _": 1}
    assert songs["left_out"] == {}
    text = project.load("--full-refresh", "--max-errors", "1").output
    for table, figures in table_at_the_end(text).items():
        counts = summary["tables"][table]
        keys = ("found", "loaded", "rows", "rejected", "bytes")
        assert figures == [f"{counts[key]:,}" for key in keys]
    assert json.loads(project.load("-o", "json").output)["tables"]["staging_events"]["loaded"] == 0


def test_every_option_is_documented() -> None:
    shown = subprocess.run(
        [sys.executable, str(ROOT / "load_staging.py"), "--help"], capture_output=True, text=True
    ).stdout
    options = set(re.findall(r"--[a-z-]+", shown))
    assert len(options) > 7
    documented = (ROOT / "docs" / "loading.md").read_text()
    assert {option for option in options if option not in documented} == set()


def test_every_variable_is_documented() -> None:
    files = [
        ROOT / "profiles.yml.example",
        *(ROOT / "models").rglob("*.yml"),
        *(ROOT / "loader").glob("*.py"),
    ]
    used = {v for path in files for v in re.findall(r"\bDBT_[A-Z_]+", path.read_text())}
    documented = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert {variable for variable in used if variable not in documented} == set()


def test_the_commands_as_they_are_typed(local_project: Project) -> None:
    """As processes of their own, as all commands are with --plain."""
    programs = Path(sys.executable).parent
    for command in (f"{programs}/python load_staging.py", f"{programs}/dbt build"):
        done = subprocess.run(
            command.split(),
            cwd=local_project.folder,
            env={**clean_environment(), **local_project.environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr.count("Traceback") == 0
    assert local_project.query("select count(*) from fct_songplays") == [(3,)]
