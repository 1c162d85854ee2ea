"""Many small objects of S3 are joined before they are loaded, with the same result."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click import ClickException

import loader.loading
import loader.s3
from loader.files import File
from loader.loading import Stage
from loader.reading import join
from tests.fake_redshift import BUCKET as REDSHIFT_BUCKET
from tests.fake_redshift import FakeRedshift
from tests.test_loader.joined import COLUMNS, joined_cases, with_cores

from .conftest import Project, RedshiftProject, event, song
from .misbehaving_s3 import BUCKET, MisbehavingS3, answer

__all__ = ["with_cores"]  # a fixture

JOINED, ONE_BY_ONE = ("--join-from", "5"), ("--join-from", "0")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[MisbehavingS3]:
    """The S3 for DuckDB."""
    with MisbehavingS3() as s3:
        yield s3


class Bucket:
    """A project whose objects are in S3, on either engine."""

    def __init__(self, project: Project, client, name: str):
        self.project, self.client, self.name = project, client, name
        for kind in ("log_data", "song_data"):
            for entry in client.list_objects_v2(Bucket=name, Prefix=kind).get("Contents", []):
                client.delete_object(Bucket=name, Key=entry["Key"])

    def put(self, key: str, body: str) -> None:
        content = body.encode("utf-8", "surrogatepass")
        if key.endswith(".gz"):
            content = gzip.compress(content)
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def put_days(self) -> None:
        """Writes ten events in files of all layouts."""
        one, other, *_ = events = [json.dumps(event(item)) for item in range(10)]
        self.put("log_data/0.json", f"{one}\n{other}\n\n")
        self.put("log_data/2.json.gz", events[2])
        self.put("log_data/3.json", json.dumps(event(3), indent=2))
        self.put("log_data/4.json", " \r\n" + events[4] + events[5])
        self.put("log_data/6.json", json.dumps(event(6, artist='a\n"♥"', song="\ud83d\ude00")))
        self.put("log_data/7.json.gz", json.dumps(event(7, song="♥"), ensure_ascii=False))
        self.put("log_data/8.json", "\n")
        for item in (8, 9):
            self.put(f"log_data/9/{item}.json", events[item] + "\n")

    def load(self, *arguments: str, fails: bool = False):
        """Loads the events."""
        return Project.load(self.project, "--select", "staging_events", *arguments, fails=fails)

    def rows(self) -> list[tuple]:
        return self.project.query(
            "select * from sparkify_raw.staging_events order by iteminsession"
        )

    def files(self) -> list[tuple]:
        return self.project.query(
            "select file_name, file_size, fingerprint from sparkify_raw.loaded_files order by 1"
        )


@pytest.fixture
def bucket(project: Project, request: pytest.FixtureRequest) -> Bucket:
    """The bucket with the project's events, on each engine."""
    if isinstance(project, RedshiftProject):
        return Bucket(project, project.cluster.s3, REDSHIFT_BUCKET)
    s3: MisbehavingS3 = request.getfixturevalue("endpoint")
    s3.client.put_object(Bucket=BUCKET, Key="song_data/a.json", Body=json.dumps(song(1)).encode())
    project.environment |= s3.environment | {
        "DBT_EVENTS_LOCATION": f"s3://{BUCKET}/log_data",
        "DBT_SONGS_LOCATION": f"s3://{BUCKET}/song_data",
    }
    return Bucket(project, s3.client, BUCKET)


def test_joined_objects_are_loaded_as_if_one_by_one(bucket: Bucket) -> None:
    bucket.put_days()
    bucket.load(*JOINED)
    if isinstance(bucket.project, RedshiftProject):
        statements = [each.sql for each in bucket.project.cluster.statements]
        assert any(re.search(r"gzip\s*$", sql) and "manifest" in sql for sql in statements)
        left = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix="stage")
        assert "Contents" not in left
    joined, files = [row[:-1] for row in bucket.rows()], bucket.files()
    assert len(joined) == 10
    assert [name.rpartition("log_data/")[2] for name, _, _ in files] == [
        *("0.json", "2.json.gz", "3.json", "4.json", "6.json", "7.json.gz", "8.json"),
        *("9/8.json", "9/9.json"),
    ]
    assert "Nothing new." in bucket.load(*JOINED).output
    bucket.load("--full-refresh", *ONE_BY_ONE)
    assert [row[:-1] for row in bucket.rows()] == joined
    assert bucket.files() == files


def test_a_few_are_not_joined(bucket: Bucket) -> None:
    """Nor are large ones."""
    bucket.put_days()
    bucket.put("log_data/large.json", json.dumps(event(10)) + " " * 70_000)
    bucket.load("--join-from", "10")
    assert bucket.project.query("select count(*) from sparkify_raw.loads") == [
        # One COPY of Redshift takes either gzip files or others.
        (2,) if isinstance(bucket.project, RedshiftProject) else (1,)
    ]
    assert len(bucket.rows()) == 11


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(event(11, ts="x"), id="value"),
        pytest.param('{"ts": 1', id="json"),
        pytest.param("[1]", id="no object"),
        pytest.param('{"song": "\\ud83d"}', id="surrogate"),
    ],
)
def test_a_bad_object_is_named(bucket: Bucket, bad: dict | str) -> None:
    bucket.put_days()
    text = bad if isinstance(bad, str) else json.dumps(bad)
    bucket.put("log_data/5.json", json.dumps(event(10)) + "\n" + text)
    run = bucket.load(*JOINED, fails=True)
    assert f"s3://{bucket.name}/log_data/5.json" in run.errors
    assert not re.search(r"log_data/[^5]|part_|odd_", run.errors)
    if isinstance(bad, dict):
        assert re.search(r"5\.json, line 2, column ts\b", run.errors)
    assert bucket.rows() == bucket.files() == []


def test_rejected_rows_keep_the_names_of_their_files(bucket: Bucket) -> None:
    bucket.put_days()
    bucket.put("log_data/5.json", json.dumps(event(10)) + "\n" + json.dumps(event(11, ts="x")))
    bucket.load(*JOINED, "--max-errors", "1")
    assert len(bucket.rows()) == 11
    assert bucket.project.query(
        "select file_name, line_number, column_name from sparkify_raw.rejected_rows"
    ) == [(f"s3://{bucket.name}/log_data/5.json", 2, "ts")]


MANY_CORES, ALL_JOINED = ("os.cpu_count()", "64"), ("--join-from", "1")
IN_PROCESSES = ("ONE_PROCESS_FILES = 1_000", "ONE_PROCESS_FILES = 0")


def edit(project: Project, path: str, old: str, new: str) -> None:
    """Replaces all occurrences of a text in a file of the project's copy."""
    text = (project.folder / path).read_text()
    assert old in text
    (project.folder / path).write_text(text.replace(old, new))


def test_no_object_is_lost_if_cores_outnumber_objects(bucket: Bucket) -> None:
    """Seven objects in batches of four and three, for 64 cores."""
    edit(bucket.project, "loader/reading.py", *MANY_CORES)
    edit(bucket.project, "loader/reading.py", *IN_PROCESSES)
    edit(bucket.project, "loader/plan.py", "BATCH_FILES = 100_000", "BATCH_FILES = 4")
    for item in range(7):
        bucket.put(f"log_data/{item}.json", json.dumps(event(item)))
    bucket.load(*ALL_JOINED)
    items = "select iteminsession from sparkify_raw.staging_events order by 1"
    assert bucket.project.query(items) == [(item,) for item in range(7)]
    counts = "select file_count, row_count from sparkify_raw.loads order by load_id"
    assert bucket.project.query(counts) == [(4, 4), (3, 3)]


def test_a_row_that_joining_loses_refuses_the_batch(bucket: Bucket) -> None:
    bucket.put_days()
    edit(
        bucket.project,
        "loader/reading.py",
        'stream.write(piece.line.encode() + b"\\n")',
        'stream.write(piece.line.encode() + b"\\n" if "Chrome" in piece.line else b"")',
    )
    bucket.put("log_data/5.json", json.dumps(event(5, userAgent="curl")))
    run = bucket.load(*JOINED, fails=True)
    assert "11 objects were counted" in run.errors or "row_count_if_as_counted" in run.errors
    assert bucket.rows() == bucket.files() == []


def test_a_text_that_looks_like_two_objects_is_one(bucket: Bucket) -> None:
    """Zipped or not."""
    for name in ("a.json", "b.json.gz"):
        bucket.put(f"log_data/{name}", json.dumps(event(1, song='} {"a": 1}{', artist=name)))
    bucket.load(*ONE_BY_ONE)
    assert len(bucket.rows()) == 2


def test_a_row_that_the_engine_loses_refuses_the_batch(project: Project) -> None:
    """The loader has counted the objects when it read the files to look for keys."""
    engine = "redshift" if isinstance(project, RedshiftProject) else "duckdb"
    path = f"macros/loading/{engine}/load_batch_sql.sql"
    if isinstance(project, RedshiftProject):
        copied = "{{ redshift_copy_sql(source_table, batch.manifest, parameters) }};"
        deleted = "delete from {{ raw_relation(source_table) }} where iteminsession = 2;"
        edit(project, path, copied, f"{copied}\n\n{deleted}")
    else:
        read = "from {{ duckdb_read_objects_sql(columns, batch.ignore_case) }};"
        edit(project, path, read, f"{read[:-1]} where \"itemInSession\" <> '2';")
    run = project.load("--select", "staging_events", fails=True)
    assert "3 objects were counted" in run.errors or "row_count_if_as_counted" in run.errors
    assert project.query("select count(*) from sparkify_raw.staging_events") == [(0,)]


def test_an_object_that_cannot_be_read_is_named(
    local_project: Project, endpoint: MisbehavingS3
) -> None:
    local_project.environment |= endpoint.environment | {
        "DBT_EVENTS_LOCATION": f"s3://{BUCKET}/log_data",
        "DBT_SONGS_LOCATION": f"s3://{BUCKET}/song_data",
    }
    bucket = Bucket(local_project, endpoint.client, BUCKET)
    bucket.put("song_data/a.json", json.dumps(song(1)))
    bucket.put_days()
    endpoint.on(f"GET /{BUCKET}/log_data/9/8.json", answer(403, "AccessDenied"))
    run = bucket.load(*JOINED, fails=True)
    assert f"cannot read s3://{BUCKET}/log_data/9/8.json" in run.errors
    assert "AccessDenied" in run.errors
    assert bucket.rows() == []


def test_a_folder_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-west-2")
    name = f"s3://{BUCKET}/a.json"
    with (
        pytest.raises(ClickException, match="cannot write to the temporary folder"),
        Stage(is_redshift=False) as stage,
    ):
        join([File(name, 2, "tag", name)], stage.folder / "missing", ".json", COLUMNS)


@pytest.mark.standin("it calls the loader's functions itself")
def test_what_killed_loads_left_is_removed(
    redshift_project: RedshiftProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is old; what is not of the loader stays."""
    for name, value in redshift_project.cluster.environment.items():
        monkeypatch.setenv(name, value)
    s3 = redshift_project.cluster.s3
    loader.s3.client.cache_clear()
    with Stage(is_redshift=True) as killed:
        killed.write("a.json", [{}])
        killed.uploaded.clear()
    prefix = killed.location.removeprefix(f"s3://{REDSHIFT_BUCKET}/")
    s3.put_object(Bucket=REDSHIFT_BUCKET, Key=f"{prefix}other/a.json", Body=b"")

    def keys() -> set[str]:
        listed = s3.list_objects_v2(Bucket=REDSHIFT_BUCKET, Prefix=prefix)
        return {entry["Key"].removeprefix(prefix) for entry in listed["Contents"]}

    assert len(keys()) == 2
    with Stage(is_redshift=True) as stage:
        stage.remove_stale()
        assert len(keys()) == 2
        monkeypatch.setattr(loader.loading, "STALE_SECONDS", -60)
        stage.remove_stale()
    assert keys() == {"other/a.json"}

    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("load_staging_old", "load_staging_new", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").touch()
    for name in ("load_staging_old", "other"):
        os.utime(tmp_path / name, (0, time.time() - 25 * 60 * 60))
    with Stage(is_redshift=False) as stage:
        stage.remove_stale()
        assert {path.name for path in tmp_path.iterdir()} == {
            *("load_staging_new", "other", stage.folder.name)
        }


def test_redshift_reads_each_joined_object_once(
    tmp_path: Path,
    with_cores: Callable[[int], None],
    cluster: FakeRedshift,
    tried: Callable[[str, int], None],
) -> None:
    """All cases in one COPY, distinguished by a number."""
    s3, entries, expected = cluster.s3, [], []
    for number, (count, joined) in enumerate(joined_cases(tmp_path, with_cores, ".json.gz", (8,))):
        expected += [(number, n) for n in range(count) if n % 3 != 1]
        for path in sorted({file.path for file in joined.files}):
            key, objects = f"joined{path}", gzip.decompress(Path(path).read_bytes())
            body = gzip.compress(objects.replace(b"{", b'{"number": %d, ' % number), 1)
            s3.put_object(Bucket=REDSHIFT_BUCKET, Key=key, Body=body)
            entries.append({"url": f"s3://{REDSHIFT_BUCKET}/{key}", "mandatory": True})
    manifest = json.dumps({"entries": entries}).encode()
    s3.put_object(Bucket=REDSHIFT_BUCKET, Key="joined.manifest", Body=manifest)
    with cluster.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("create temporary table joined (number integer, n integer)")
        cursor.execute(
            f"copy joined from 's3://{REDSHIFT_BUCKET}/joined.manifest' iam_role default"
            " format json 'auto ignorecase' gzip manifest"
        )
        cursor.execute("select number, n from joined order by 1, 2")
        assert [tuple(row) for row in cursor.fetchall()] == expected
    tried("joined objects", len(expected))
