"""The only module that talks to S3; boto3's own configuration sets endpoint and credentials."""

import functools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from botocore.utils import parse_timestamp

from loader import RUN_AGAIN, Unreadable

THREADS = 32
ATTEMPTS = 6  # per request, unless AWS_MAX_ATTEMPTS is set
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30  # seconds
DENIED = " It is gone, or these credentials lack s3:GetObject on it or kms:Decrypt on its key."
CLIENT_LOCK = threading.Lock()
T = TypeVar("T")


@functools.cache
def client():
    """boto3's client, which threads may share."""
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or ATTEMPTS)
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
    )
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=parse_time)
    s3 = boto3.Session(botocore_session=session).client("s3", config=config)
    s3.meta.events.register("before-parse.s3.ListObjectsV2", retry_empty_page)
    return s3


def parse_time(value: str) -> datetime:
    """A timestamp of S3. boto3's own parser takes most of the time of a listing."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return parse_timestamp(value)


def retry_empty_page(response_dict: dict, **_: object) -> None:
    """Makes boto3 retry a page of a listing that broke off before its first byte, which it would
    take for the last page. It retries those that break off later by itself."""
    if response_dict["status_code"] == 200 and not response_dict["body"]:
        response_dict["status_code"] = 500


def is_s3(location: str) -> bool:
    """Whether a location is in S3; otherwise it is a folder or a file."""
    return location.startswith("s3://")


def bucket_and_key(url: str) -> dict[str, str]:
    """The parts of an s3:// address, as boto3's arguments."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def list_objects(prefix: str) -> Iterator[tuple[str, dict]]:
    """The objects under s3://bucket/prefix: address and entry of the listing."""
    bucket, _, key = prefix.removeprefix("s3://").partition("/")
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for entry in page.get("Contents", []):
            yield f"s3://{bucket}/{entry['Key']}", entry


def get_object(url: str, fingerprint: str, read: Callable[[StreamingBody], T], **request: str) -> T:
    """What `read` returns for an object's content. It is retried if the content breaks off, as
    boto3 only retries requests. Raises Unreadable, also if the object has another fingerprint."""
    request |= {**bucket_and_key(url), "IfMatch": f'"{fingerprint}"'}
    with CLIENT_LOCK:  # or all threads would make one at the start
        s3 = client()
    attempts = s3.meta.config.retries["total_max_attempts"]
    attempt = 0
    while True:
        attempt, response = attempt + 1, None
        try:
            response = s3.get_object(**request)
            return read(response["Body"])
        except (BotoCoreError, ClientError) as error:
            if not response or attempt == attempts:
                raise Unreadable(why_unreadable(url, error)) from error
        time.sleep(random.uniform(0, 2 ** (attempt - 1)))


def why_unreadable(url: str, error: Exception) -> str:
    """Why an object cannot be read, and what to do. To those who may not list the whole bucket
    S3 denies access to an object that is gone."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "deleted" if code == "NoSuchKey" else "replaced"
        return f"{url} was {happened} after it was listed. {RUN_AGAIN}"
    return f"cannot read {url}: {error}{DENIED if code == 'AccessDenied' else ''}"
