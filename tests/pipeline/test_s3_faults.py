"""Files that cannot be read: an unreliable S3, damaged gzip, files that change meanwhile."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import ClickException

import loader.s3
from loader.files import File, find_files
from loader.reading import inspect_files
from loader.rows import Column
from tests.fake_redshift import BUCKET as REDSHIFT_BUCKET
from tests.fake_redshift import FakeRedshift

from .conftest import Project, RedshiftProject, Run, event, song
from .misbehaving_s3 import (
    BUCKET,
    MisbehavingS3,
    Misbehavior,
    after,
    answer,
    answer_with,
    before,
    cut,
    hang,
    reset,
    well,
)

ATTEMPTS = 3
pytestmark = pytest.mark.standin("its S3 misbehaves on purpose")
EVENTS = f"s3://{BUCKET}/log_data"
A_GET = f"GET /{BUCKET}/log_data/a.json"
LISTING = f"GET /{BUCKET}$"
ITEMS = "select iteminsession from sparkify_raw.staging_events order by 1"
LOADED = "select count(*) from sparkify_raw.loaded_files"
MISBEHAVIORS: dict[str, Misbehavior] = {
    "SlowDown": answer(503, "SlowDown"),
    "InternalError": answer(500, "InternalError"),
    "a reset connection": reset,
    "silence": hang,
    "no body": cut(0),
    "a cut body": cut(20),
    "a reset amid the body": cut(20, resets=True),
}
DENIED = "It is gone, or these credentials lack s3:GetObject on it or kms:Decrypt on its key."
REFUSALS = {
    "AccessDenied": (answer(403, "AccessDenied"), f"AccessDenied.*{DENIED}"),
    "NoSuchKey": (answer(404, "NoSuchKey"), "was deleted after it was listed"),
    "PreconditionFailed": (answer(412, "PreconditionFailed"), "was replaced after it was listed"),
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[MisbehavingS3]:
    """The S3 of this module's tests."""
    with MisbehavingS3() as s3:
        yield s3


@pytest.fixture(scope="module")
def cluster(endpoint: MisbehavingS3) -> Iterator[FakeRedshift]:
    """A stand-in for Redshift that reads that S3."""
    with FakeRedshift(s3_endpoint=endpoint.url) as cluster:
        yield cluster


@pytest.fixture
def s3(endpoint: MisbehavingS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingS3]:
    """That S3, with boto3's variables set for it."""
    access = endpoint.environment | {"AWS_MAX_ATTEMPTS": str(ATTEMPTS)}
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(loader.s3, "READ_TIMEOUT", 0.3)
    loader.s3.client.cache_clear()
    yield endpoint
    endpoint.clear()
    loader.s3.client.cache_clear()


@pytest.fixture
def project_on_s3(local_project: Project, s3: MisbehavingS3) -> Project:
    """A project on DuckDB whose locations are in that S3."""
    local_project.environment |= s3.environment | {
        "AWS_MAX_ATTEMPTS": str(ATTEMPTS),
        "DBT_EVENTS_LOCATION": EVENTS,
        "DBT_SONGS_LOCATION": f"s3://{BUCKET}/song_data",
    }
    put(s3, "song_data/1.json", song(1))
    for number, name in enumerate("abcde", start=1):
        put(s3, f"log_data/{name}.json", event(number))
    return local_project


@pytest.fixture
def redshift_on_s3(redshift_project: RedshiftProject, s3: MisbehavingS3) -> RedshiftProject:
    """A project on the stand-in for Redshift; both use that S3."""
    redshift_project.environment["AWS_MAX_ATTEMPTS"] = str(ATTEMPTS)
    redshift_project.upload()
    return redshift_project


def put(s3: MisbehavingS3, key: str, *objects: dict) -> None:
    """Writes an object of JSON lines."""
    body = "".join(json.dumps(each) + "\n" for each in objects)
    s3.client.put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def contents(s3: MisbehavingS3, folder: Path) -> dict[str, bytes]:
    """The contents of all events, listed and fetched, by name."""
    files, _, _ = find_files(EVENTS, "DBT_EVENTS_LOCATION", "*", folder)
    stage = Path(tempfile.mkdtemp(dir=folder))
    fetched = inspect_files(files, [Column("ts", "double precision")], stage).files
    return {file.file_name: Path(file.path).read_bytes() for file in fetched}


def refused(project: Project, *said: str) -> None:
    """The load of the events fails with one message that says this, and leaves nothing behind."""
    run = project.load("--select", "staging_events", fails=True)
    (message,) = [line for line in run.errors.splitlines() if line.startswith("Error: ")]
    for part in said:
        assert part in message
    assert project.query(ITEMS) == []
    assert project.query(LOADED) == [(0,)]


def loads(project: Project, *items: int) -> None:
    """The load of the events succeeds, and then the table holds these."""
    project.load("--select", "staging_events")
    assert project.query(ITEMS) == [(item,) for item in items]


# --- when trying again helps -----------------------------------------------------


@pytest.mark.parametrize("name", MISBEHAVIORS)
def test_an_object_that_comes_at_the_last_attempt(
    s3: MisbehavingS3, tmp_path: Path, name: str
) -> None:
    put(s3, "log_data/a.json", event(1))
    put(s3, "log_data/b.json", event(2))
    s3.on(A_GET, MISBEHAVIORS[name], times=ATTEMPTS - 1)
    assert contents(s3, tmp_path) == {
        f"{EVENTS}/a.json": json.dumps(event(1)).encode() + b"\n",
        f"{EVENTS}/b.json": json.dumps(event(2)).encode() + b"\n",
    }
    assert s3.count(A_GET) == ATTEMPTS


@pytest.mark.parametrize("name", MISBEHAVIORS)
def test_an_object_that_never_comes(s3: MisbehavingS3, tmp_path: Path, name: str) -> None:
    put(s3, "log_data/a.json", event(1))
    put(s3, "log_data/b.json", event(2))
    s3.on(A_GET, MISBEHAVIORS[name])
    started = time.monotonic()
    with pytest.raises(ClickException, match=f"cannot read {EVENTS}/a.json: "):
        contents(s3, tmp_path)
    assert s3.count(A_GET) == ATTEMPTS
    assert time.monotonic() - started < 30  # boto3 by default waits a minute each time


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_not_tried_again(s3: MisbehavingS3, tmp_path: Path, name: str) -> None:
    refusal, said = REFUSALS[name]
    put(s3, "log_data/a.json", event(1))
    s3.on(A_GET, refusal)
    with pytest.raises(ClickException, match=f"{EVENTS}/a.json.*{said}"):
        contents(s3, tmp_path)
    assert s3.count(A_GET) == 1


@pytest.mark.parametrize("name", [*MISBEHAVIORS, "malformed XML"])
def test_a_listing(s3: MisbehavingS3, tmp_path: Path, name: str) -> None:
    put(s3, "log_data/a.json", event(1))
    misbehavior = MISBEHAVIORS.get(name, answer_with(b"<ListBucketResult><Contents>"))
    s3.on(LISTING, misbehavior, times=ATTEMPTS - 1)
    assert len(contents(s3, tmp_path)) == 1
    s3.on(LISTING, misbehavior)
    with pytest.raises(ClickException, match=f"the location {EVENTS} cannot be listed"):
        contents(s3, tmp_path)
    assert s3.count(LISTING) == 2 * ATTEMPTS


def test_a_page_that_does_not_come(
    s3: MisbehavingS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page before it is not taken for the last one."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for number in range(5):
        put(s3, f"log_data/{number}.json", event(number))

    s3.on(LISTING, well, times=1)
    s3.on(LISTING, cut(0), times=1)
    assert len(contents(s3, tmp_path)) == 5


def test_without_the_variable_there_are_more_attempts(
    s3: MisbehavingS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    loader.s3.client.cache_clear()
    put(s3, "log_data/a.json", event(1))
    s3.on(A_GET, reset, times=loader.s3.ATTEMPTS - 1)
    assert len(contents(s3, tmp_path)) == 1
    assert loader.s3.ATTEMPTS > ATTEMPTS


def test_a_load_survives_all_of_it(project_on_s3: Project, s3: MisbehavingS3) -> None:
    s3.on(LISTING, answer(503, "SlowDown"), times=1)
    for key, misbehavior in zip(
        "abcd", (answer(503, "SlowDown"), answer(500, "InternalError"), reset, cut(20)), strict=True
    ):
        s3.on(f"GET /{BUCKET}/log_data/{key}.json", misbehavior, times=1)
    loads(project_on_s3, 1, 2, 3, 4, 5)


# --- what stops a load -----------------------------------------------------------


@pytest.mark.parametrize("name", ["AccessDenied", "a cut body"])
def test_a_load_goes_on_once_the_object_can_be_read(
    project_on_s3: Project, s3: MisbehavingS3, name: str
) -> None:
    s3.on(A_GET, (MISBEHAVIORS | {"AccessDenied": REFUSALS["AccessDenied"][0]})[name])
    refused(project_on_s3, f"cannot read {EVENTS}/a.json")
    s3.behave()
    loads(project_on_s3, 1, 2, 3, 4, 5)


def test_an_object_deleted_after_the_listing(project_on_s3: Project, s3: MisbehavingS3) -> None:
    delete = before(lambda: s3.client.delete_object(Bucket=BUCKET, Key="log_data/c.json"))
    s3.on(LISTING, delete, times=1)
    refused(project_on_s3, f"{EVENTS}/c.json was deleted after it was listed", "again")
    loads(project_on_s3, 1, 2, 4, 5)


def test_an_object_deleted_where_listing_is_limited(
    project_on_s3: Project, s3: MisbehavingS3
) -> None:
    """S3 hides that an object is missing from those who may list only some prefixes."""
    delete = before(lambda: s3.client.delete_object(Bucket=BUCKET, Key="log_data/a.json"))
    s3.on(LISTING, delete, times=1)
    s3.on(A_GET, answer(403, "AccessDenied"))
    refused(project_on_s3, f"cannot read {EVENTS}/a.json: ", DENIED)
    loads(project_on_s3, 2, 3, 4, 5)


def test_an_object_replaced_after_the_listing(project_on_s3: Project, s3: MisbehavingS3) -> None:
    s3.on(LISTING, before(lambda: put(s3, "log_data/c.json", event(9))), times=1)
    refused(project_on_s3, f"{EVENTS}/c.json was replaced after it was listed", "again")
    loads(project_on_s3, 1, 2, 4, 5, 9)


def test_a_listing_that_changes_between_its_pages(
    project_on_s3: Project, s3: MisbehavingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next load takes what came too late for the first, and nothing twice."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")

    def change() -> None:
        put(s3, "log_data/0.json", event(10))  # the first page would have had it
        put(s3, "log_data/d2.json", event(11))  # a page to come has it
        s3.client.delete_object(Bucket=BUCKET, Key="log_data/e.json")

    s3.on(LISTING, before(change), times=1)
    loads(project_on_s3, 1, 2, 3, 4, 11)
    assert s3.count(LISTING) == 3
    loads(project_on_s3, 1, 2, 3, 4, 10, 11)


# --- gzip ------------------------------------------------------------------------

ZIPPED = gzip.compress(json.dumps(event(1)).encode() + b"\n")
# In a gzip without compression, only one digit changes.
CHANGED = gzip.compress(b'{"ts": 1541106106796}', 0).replace(b"1541106106796", b"1541106106797")
DAMAGED = {
    "cut in the header": ZIPPED[:5],
    "cut after the header": ZIPPED[:10],
    "cut in the middle": ZIPPED[: len(ZIPPED) // 2],
    "cut before the checksum": ZIPPED[:-8],
    "cut in the checksum": ZIPPED[:-6],
    "cut before its last byte": ZIPPED[:-1],
    "cut in its second member": ZIPPED + ZIPPED[:-20],
    "a changed digit": CHANGED,
    "another checksum": ZIPPED[:-8] + bytes(4) + ZIPPED[-4:],
    "another length": ZIPPED[:-1] + b"\1",
    "zeros at its end": ZIPPED + bytes(20),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_gzip_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(ClickException, match=r"cannot unzip log_data/x\.json\.gz: "):
        files = [File("log_data/x.json.gz", path.stat().st_size, "", str(path))]
        inspect_files(files, [Column("ts", "double precision")], tmp_path)


def test_a_damaged_gzip_stops_the_load(project: Project) -> None:
    path = project.events / "x.json.gz"
    path.write_bytes(DAMAGED["cut in the middle"])
    if project.target != "local":
        project.load("--select", "staging_events", fails=True)
        # Plain files are a load of their own, before the gzip files.
        assert project.query(ITEMS) == [(1,), (2,), (3,)]
    else:
        refused(project, "cannot unzip input/log_data/x.json.gz: ")
    path.write_bytes(gzip.compress(json.dumps(event(4)).encode()))
    loads(project, 1, 2, 3, 4)


def test_a_gzip_of_several_members(project: Project) -> None:
    members = [gzip.compress(json.dumps(event(item)).encode()) for item in (4, 5)]
    (project.events / "x.json.gz").write_bytes(members[0] + gzip.compress(b"") + members[1])
    loads(project, 1, 2, 3, 4, 5)


def test_an_object_with_a_content_encoding(project_on_s3: Project, s3: MisbehavingS3) -> None:
    """It does not matter, as on Redshift: the content does."""
    for item, name, encoding in ((6, "x.json.gz", "gzip"), (7, "y.json", "gzip"), (8, "z", "br")):
        body = gzip.compress(json.dumps(event(item)).encode())
        s3.client.put_object(
            Bucket=BUCKET, Key=f"log_data/{name}", Body=body, ContentEncoding=encoding
        )
    loads(project_on_s3, 1, 2, 3, 4, 5, 6, 7, 8)


# --- files in a folder that change after they were listed ------------------------

CHANGE_MEANWHILE = """
from pathlib import Path

import loader.command

path = Path("input/log_data/2018/11/2018-11-02-events.json")
find_files = loader.command.find_files

def find_then_change(*arguments):
    found = find_files(*arguments)
    {change}
    return found

loader.command.find_files = find_then_change

from loader.command import main

main()
"""

# Root may read every file unless it gives up its capabilities.
AS_ANYBODY = """
import ctypes

version_3, no_capabilities = (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(version_3, no_capabilities) == 0

from loader.command import main

main()
"""


def run_script(project: Project, script: str) -> Run:
    """Runs a script that loads the events."""
    (project.folder / "script.py").write_text(script)
    return project.run("script.py", "--select", "staging_events")


def test_a_file_that_disappears(local_project: Project) -> None:
    run = run_script(local_project, CHANGE_MEANWHILE.format(change="path.unlink()"))
    assert run.code == 1
    assert "2018-11-02-events.json" in run.errors
    assert "Traceback" not in run.errors
    assert local_project.query(ITEMS) == []
    loads(local_project, 1, 2)


@pytest.mark.parametrize(
    ("change", "items"),
    [
        ("path.write_text('')", [1, 2]),
        ("path.write_text(path.read_text().replace('Session\": 3', 'Session\": 9'))", [1, 2, 9]),
    ],
    ids=["emptied", "replaced"],
)
def test_a_file_that_changes(local_project: Project, change: str, items: list[int]) -> None:
    """The content that was read is loaded under the listed fingerprint: the next load notices."""
    run = run_script(local_project, CHANGE_MEANWHILE.format(change=change))
    assert run.code == 0, run.text
    assert local_project.query(ITEMS) == [(item,) for item in items]
    run = local_project.load("--select", "staging_events")
    assert "1 file changed since the load" in run.errors
    assert "2018-11-02-events.json" in run.errors


def test_a_file_that_may_not_be_read(local_project: Project) -> None:
    path = next(local_project.events.rglob("*-02-events.json"))
    path.chmod(0)
    run = run_script(local_project, AS_ANYBODY)
    assert run.code == 1
    assert "2018-11-02-events.json" in run.errors
    assert "Permission denied" in run.errors
    assert local_project.query(ITEMS) == []
    path.chmod(0o644)
    loads(local_project, 1, 2, 3)


# --- on Redshift, which reads S3 itself ------------------------------------------


def test_an_object_that_copy_misses(redshift_on_s3: RedshiftProject, s3: MisbehavingS3) -> None:
    """It is deleted after the listing, while the loader writes its manifest."""
    project = redshift_on_s3
    path = next(project.events.rglob("*-02-events.json"))

    def delete() -> None:
        key = path.relative_to(project.folder / "input").as_posix()
        s3.client.delete_object(Bucket=REDSHIFT_BUCKET, Key=key)

    s3.on(f"PUT /{REDSHIFT_BUCKET}/stage/", after(delete), times=1)
    refused(project, "NoSuchKey", "An object was deleted after it was listed")
    path.unlink()
    loads(project, 1, 2)


def test_an_object_that_copy_may_not_read(
    redshift_on_s3: RedshiftProject, s3: MisbehavingS3
) -> None:
    denied = f"(GET|HEAD) /{REDSHIFT_BUCKET}/log_data/.*-02-events.json"
    s3.on(denied, answer(403, "AccessDenied"))
    run = redshift_on_s3.load("--select", "staging_events", fails=True)
    looked, _, _ = run.errors.splitlines()
    assert "cannot look for keys that no column takes: cannot read s3://" in looked
    assert looked.endswith(DENIED)
    refused(redshift_on_s3, "AccessDenied", "deleted after it was listed", "s3:GetObject")
    run = redshift_on_s3.load("--select", "staging_events", "--join-from", "1", fails=True)
    assert run.errors.rstrip().endswith(DENIED)
    s3.behave()
    loads(redshift_on_s3, 1, 2, 3)


def test_an_object_replaced_before_copy(redshift_on_s3: RedshiftProject, s3: MisbehavingS3) -> None:
    """COPY loads what it finds; the next load notices that it is not what was listed."""
    project = redshift_on_s3

    def replace() -> None:
        project.write_events("2018/11/2018-11-02-events.json", event(9))
        project.upload()

    s3.on(f"PUT /{REDSHIFT_BUCKET}/stage/.*/files.json", after(replace), times=1)
    loads(project, 1, 2, 9)
    run = project.load("--select", "staging_events")
    assert "1 file changed since the load" in run.errors
    assert "2018-11-02-events.json" in run.errors


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_stage_that_recovers(
    redshift_on_s3: RedshiftProject, s3: MisbehavingS3, method: str
) -> None:
    s3.on(f"{method} /{REDSHIFT_BUCKET}/stage/", answer(503, "SlowDown"), times=ATTEMPTS - 1)
    loads(redshift_on_s3, 1, 2, 3)
    assert s3.client.list_objects_v2(Bucket=REDSHIFT_BUCKET, Prefix="stage/")["KeyCount"] == 0


def test_a_stage_that_cannot_be_written(redshift_on_s3: RedshiftProject, s3: MisbehavingS3) -> None:
    s3.on(f"PUT /{REDSHIFT_BUCKET}/stage/.*/files.json", answer(503, "SlowDown"), times=ATTEMPTS)
    refused(
        redshift_on_s3,
        f"cannot write to s3://{REDSHIFT_BUCKET}/stage/, set by DBT_STAGE_LOCATION",
        "SlowDown",
    )
    loads(redshift_on_s3, 1, 2, 3)


def test_a_stage_that_cannot_be_cleared(redshift_on_s3: RedshiftProject, s3: MisbehavingS3) -> None:
    """The load succeeds all the same, and says what it leaves behind."""
    s3.on(f"DELETE /{REDSHIFT_BUCKET}/stage/", answer(403, "AccessDenied"))
    run = redshift_on_s3.load()
    assert f"s3://{REDSHIFT_BUCKET}/stage/, set by DBT_STAGE_LOCATION, could not be" in run.errors
    assert redshift_on_s3.query(ITEMS) == [(1,), (2,), (3,)]
    assert "Nothing new." in redshift_on_s3.load().output
