"""load_staging.py on DuckDB with locations in S3, which is a moto server."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .conftest import Project, event, song


@pytest.fixture
def s3(local_project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """A client for a bucket that the project's locations point to."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    access = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
    }
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(
        Bucket="music", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    local_project.environment |= access
    local_project.environment["DBT_EVENTS_LOCATION"] = "s3://music/log_data"
    local_project.environment["DBT_SONGS_LOCATION"] = "s3://music/song_data/"
    yield client
    bucket = boto3.resource("s3").Bucket("music")
    bucket.objects.delete()
    bucket.delete()
    server.stop()


def put(client, key: str, *objects: dict) -> None:
    body = "\n".join(map(json.dumps, objects)).encode()
    client.put_object(
        Bucket="music", Key=key, Body=gzip.compress(body) if key.endswith(".gz") else body
    )


def test_an_object_is_a_location(local_project: Project, s3) -> None:
    """Also with the schemes of Hadoop. An object with a longer name is another one."""
    put(s3, "log_data/a", event(1))
    put(s3, "log_data/a2", event(2))
    put(s3, "song_data/1.json", song(1))
    items = "select iteminsession from sparkify_raw.staging_events order by 1"
    local_project.load(DBT_EVENTS_LOCATION="s3a://music/log_data/a")
    assert local_project.query(items) == [(1,)]
    for location in ("S3://music/log_data/a", "s3n://music/log_data/a"):
        assert "Nothing new." in local_project.load(DBT_EVENTS_LOCATION=location).output
    run = local_project.load(DBT_EVENTS_LOCATION="s3://music/log_data/b", fails=True)
    assert "holds no file to load" in run.errors


def test_objects_under_the_prefix_are_loaded_once(local_project: Project, s3) -> None:
    s3.put_object(Bucket="music", Key="log_data/", Body=b"")
    s3.put_object(Bucket="music", Key="log_data/2018/", Body=b"")
    put(s3, "log_data/2018/11/2018-11-01-events.json", event(1), event(2))
    put(s3, "log_data/2018/11/2018-11-02-events.json.gz", event(3))
    put(s3, 'log_data/it\'s 100% "odd" ñ ♥.json', event(4))
    put(s3, "log_data_old/old.json", event(90))
    put(s3, "song_data/A/A/A/TRAAA1.json", song(1))
    put(s3, "song_data_old/A/A/A/TRAAA2.json", song(2))
    run = local_project.load()
    items = "select iteminsession from sparkify_raw.staging_events order by 1"
    assert local_project.query(items) == [(1,), (2,), (3,), (4,)]
    assert local_project.query("select count(*) from sparkify_raw.staging_songs") == [(1,)]
    assert "left out" not in run.errors

    ledger = "select file_name, fingerprint from sparkify_raw.loaded_files order by file_name"
    tags = {
        f"s3://music/{entry['Key']}": entry["ETag"].strip('"')
        for entry in s3.list_objects_v2(Bucket="music")["Contents"]
        if entry["Key"].endswith(("json", "gz")) and "_old" not in entry["Key"]
    }
    assert dict(local_project.query(ledger)) == tags

    assert "Nothing new." in local_project.load().output
    put(s3, "log_data/2018/11/2018-11-03-events.json", event(5))
    local_project.load()
    assert local_project.query(items) == [(1,), (2,), (3,), (4,), (5,)]


def test_more_objects_than_a_page_lists(
    local_project: Project, s3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # S3 itself lists 1,000
    for number in range(25):
        put(s3, f"song_data/{number:04}.json", song(number))
    assert s3.list_objects_v2(Bucket="music")["KeyCount"] == 10
    local_project.load("--select", "staging_songs")
    assert local_project.query(
        "select count(*), count(distinct song_id) from sparkify_raw.staging_songs"
    ) == [(25, 25)]


def test_a_bad_object_is_named(local_project: Project, s3) -> None:
    put(s3, "log_data/good.json", event(1))
    put(s3, "log_data/bad.json", event(2, ts="x"))
    run = local_project.load("--select", "staging_events", fails=True)
    said = 'In s3://music/log_data/bad.json, line 1, column ts, value "x": not a number.'
    assert said in run.errors
    s3.put_object(Bucket="music", Key="log_data/bad.json", Body=b'{"ts": ')
    run = local_project.load("--select", "staging_events", fails=True)
    assert "In s3://music/log_data/bad.json, line 1, value " in run.errors
    assert local_project.query("select count(*) from sparkify_raw.staging_events") == [(0,)]


def test_a_missing_bucket(local_project: Project, s3) -> None:
    run = local_project.load(fails=True, DBT_EVENTS_LOCATION="s3://no-such-bucket/log_data/")
    assert "DBT_EVENTS_LOCATION" in run.errors
    assert "NoSuchBucket" in run.errors


def test_a_prefix_without_objects(local_project: Project, s3) -> None:
    run = local_project.load(fails=True)
    assert (
        "the location s3://music/log_data, set by DBT_EVENTS_LOCATION, holds no file" in run.errors
    )


def test_a_dry_run_fetches_nothing(local_project: Project, s3) -> None:
    put(s3, "log_data/a.json", event(1))
    run = local_project.load("--select", "staging_events", "--dry-run")
    assert run.output.count("commit;") == 1
    assert not local_project.database.exists()


class AccessDenied(BaseHTTPRequestHandler):
    """An S3 that denies all access."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


def test_access_denied(local_project: Project, s3) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), AccessDenied)
    threading.Thread(target=server.serve_forever).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        run = local_project.load(fails=True, AWS_ENDPOINT_URL_S3=endpoint)
    finally:
        server.shutdown()
        server.server_close()
    assert "s3://music/log_data, set by DBT_EVENTS_LOCATION, cannot be listed" in run.errors
    assert "AccessDenied" in run.errors
