"""Compares loading many one-object files from S3 with a bare pool of boto3 clients that reads them.

nginx imitates S3, with listings made beforehand: it answers faster than a client can ask. Install
it first (Debian: `apt install nginx-light`).

    python benchmarks/tiny_files.py --files 14896 --repeat 3
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click

PROJECT = Path(__file__).parents[1]
PAGE = 1_000  # objects per page of a listing
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache off;
    client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp; uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
    server {{
        listen {host}:{port};
        root {folder}/buckets;
        location = /music {{ proxy_pass http://127.0.0.1:{listing_port}; }}
        location / {{ default_type application/json; }}
    }}
}}
"""
# The loader's pool of threads is compared with this one.
BARE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import boto3
from botocore.config import Config
client = boto3.client("s3", config=Config(max_pool_connections=32))
def read(key):
    return len(client.get_object(Bucket="music", Key=key)["Body"].read())
with ThreadPoolExecutor(32) as pool:
    print(sum(pool.map(read, json.load(sys.stdin))))
"""


def write_songs(folder: Path, count: int) -> list[str]:
    """Writes one-object files to folder/song_data, as in the public data; returns their keys."""
    keys = []
    for number in range(count):
        letters = "/".join(chr(65 + number // 26**n % 26) for n in range(3))
        key = f"song_data/{letters}/TR{number:016}.json"
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        song = {
            "num_songs": 1,
            "artist_id": f"AR{number % 10_000:016}",
            "artist_latitude": None,
            "artist_longitude": None,
            "artist_location": "Lansing, MI",
            "artist_name": f"Artist {number % 10_000}",
            "song_id": f"SO{number:016}",
            "title": f"Title {number}",
            "duration": 200.5 + number % 100,
            "year": 1960 + number % 60,
        }
        path.write_text(json.dumps(song))
        keys.append(key)
    return sorted(keys)


def listing_pages(folder: Path, keys: list[str]) -> list[bytes]:
    """The answers of S3 to ListObjectsV2, page by page, with nginx's ETags."""
    pages = []
    for first in range(0, len(keys), PAGE):
        contents = []
        for key in keys[first : first + PAGE]:
            stat = (folder / key).stat()
            tag = f"{int(stat.st_mtime):x}-{stat.st_size:x}"
            contents.append(
                f"<Contents><Key>{key}</Key><LastModified>2018-11-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{tag}&quot;</ETag><Size>{stat.st_size}</Size></Contents>"
            )
        following = first + PAGE
        more = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{following}"
            "</NextContinuationToken>"
            if following < len(keys)
            else "<IsTruncated>false</IsTruncated>"
        )
        pages.append(
            f"<ListBucketResult><Name>music</Name><KeyCount>{len(contents)}</KeyCount>"
            f"{more}{''.join(contents)}</ListBucketResult>".encode()
        )
    return pages


def free_port() -> int:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        return unbound.getsockname()[1]


@contextmanager
def served(folder: Path, pages: list[bytes], host: str) -> Iterator[str]:
    """Serves folder/buckets as S3, and yields the endpoint's address."""

    class Listing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = parse_qs(urlsplit(self.path).query).get("continuation-token", ["0"])[0]
            body = pages[int(token) // PAGE]
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    listing = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    threading.Thread(target=listing.serve_forever, daemon=True).start()
    port = free_port()
    configuration = NGINX.format(
        folder=folder, host=host, port=port, listing_port=listing.server_port
    )
    (folder / "tmp").mkdir()
    (folder / "nginx.conf").write_text(configuration)
    folder.chmod(0o755)
    nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")])
    try:
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex((host, port)):
                    break
            if nginx.poll() is not None:
                raise click.ClickException(f"nginx did not start: {folder}/error.log")
            time.sleep(0.05)
        yield f"http://{host}:{port}"
    finally:
        nginx.terminate()
        nginx.wait()
        listing.shutdown()


def read_bare(keys: list[str], environment: dict[str, str], processes: int) -> float:
    """Seconds that processes with 32 threads each take to read all objects."""
    started = time.monotonic()
    pools = [
        subprocess.Popen(
            [sys.executable, "-c", BARE],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for number, pool in enumerate(pools):
        pool.stdin.write(json.dumps(keys[number::processes]))
        pool.stdin.close()
    if any(int(pool.stdout.read()) <= 0 or pool.wait() for pool in pools):
        raise click.ClickException("the bare pool read nothing")
    return time.monotonic() - started


def load(environment: dict[str, str], *options: str) -> tuple[float, str]:
    """Seconds that load_staging.py takes, and its output."""
    started = time.monotonic()
    command = [sys.executable, str(PROJECT / "load_staging.py"), "--select", "staging_songs"]
    run = subprocess.run(
        [*command, "--profiles-dir", environment["PROFILES"], *options],
        env=environment,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise click.ClickException(run.stderr)
    return time.monotonic() - started, run.stdout


@click.command()
@click.option("--files", default=14_896, show_default=True, help="One-object files.")
@click.option("--repeat", default=3, show_default=True, help="Measurements of each.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address for nginx.")
@click.option("--processes", default=os.cpu_count(), show_default=True, help="Of the bare pool.")
def main(files: int, repeat: int, host: str, processes: int) -> None:
    """Measure the load of many small S3 objects, alternating with a bare pool."""
    with tempfile.TemporaryDirectory(prefix="tiny_files_") as name:
        folder = Path(name)
        bucket = folder / "buckets" / "music"
        keys = write_songs(bucket, files)
        shutil.copy(PROJECT / "profiles.yml.example", folder / "profiles.yml")
        with served(folder, listing_pages(bucket, keys), host) as endpoint:
            environment = os.environ | {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-west-2",
                "AWS_ENDPOINT_URL_S3": endpoint,
                "DBT_SONGS_LOCATION": "s3://music/song_data/",
                "DBT_DUCKDB_PATH": str(folder / "tiny.duckdb"),
                "PROFILES": str(folder),
            }
            seconds: dict[str, list[float]] = {"bare": [], "load": [], "nothing new": []}
            for _ in range(repeat):
                seconds["bare"].append(read_bare(keys, environment, processes))
                (folder / "tiny.duckdb").unlink(missing_ok=True)
                taken, output = load(environment)
                if f"{files:,}" not in output.splitlines()[1].split()[2:4]:
                    raise click.ClickException(f"some files were not loaded:\n{output}")
                seconds["load"].append(taken)
                seconds["nothing new"].append(load(environment)[0])
    medians = {what: statistics.median(each) for what, each in seconds.items()}
    for what, median in medians.items():
        click.echo(f"{what:12} {median:7.2f} s  {files / median:7,.0f} files per second")
    bare, whole = medians["bare"], medians["load"]
    click.echo(f"speed of the load, bare pool = 1: {bare / whole:.2f}")
    started = whole - medians["nothing new"]
    click.echo(f"without start-up and listing:     {bare / started:.2f}")


if __name__ == "__main__":
    main()
