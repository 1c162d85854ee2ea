"""The one seam to S3. boto3's own configuration says where that is and as whom it is reached."""

import functools
import itertools
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

from loader import Unreadable

THREADS = 32
ATTEMPTS = 6  # at each request, unless AWS_MAX_ATTEMPTS says otherwise
CONNECT_SECONDS = 10
SILENT_SECONDS = 30  # that S3 may let pass without a byte
DENIED = (
    " It was deleted after it was listed, or these credentials have no right to s3:GetObject on"
    " it, or to kms:Decrypt on its key."
)
MAKING = threading.Lock()
Made = TypeVar("Made")


@functools.cache
def client():
    """boto3's client; threads may share it."""
    attempts = int(os.environ.get("AWS_MAX_ATTEMPTS") or ATTEMPTS)
    config = Config(
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=SILENT_SECONDS,
    )
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=as_time)
    made = boto3.Session(botocore_session=session).client("s3", config=config)
    made.meta.events.register("before-parse.s3.ListObjectsV2", refuse_empty_page)
    return made


def as_time(value: str) -> datetime:
    """A point in time as S3 tells it. What boto3 uses otherwise knows every form of it, but
    takes most of the time that a listing takes."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return parse_timestamp(value)


def refuse_empty_page(response_dict: dict, **_: object) -> None:
    """Has boto3 ask again for a page of a listing that broke off before its first byte, as it
    does for one that broke off later; it would take it for the last one."""
    if response_dict["status_code"] == 200 and not response_dict["body"]:
        response_dict["status_code"] = 500


def is_s3(location: str) -> bool:
    """Whether a location is in S3; otherwise it is a folder or a file."""
    return location.startswith("s3://")


def bucket_and_key(url: str) -> dict[str, str]:
    """The parts of an s3:// address, as boto3 takes them."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def list_objects(prefix: str) -> Iterator[tuple[str, dict]]:
    """The addresses that begin with s3://bucket/prefix, each with what S3 says of the object."""
    bucket, _, key = prefix.removeprefix("s3://").partition("/")
    for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for entry in page.get("Contents", []):
            yield f"s3://{bucket}/{entry['Key']}", entry


def get_object(
    url: str, fingerprint: str, take: Callable[[StreamingBody], Made], **request: str
) -> Made:
    """What `take` makes of an object's content, taken again if it breaks off: boto3 tries
    requests again, but not to read what answers them. Raises Unreadable if it cannot, or if the
    object is not the one with that fingerprint any more."""
    request |= {**bucket_and_key(url), "IfMatch": f'"{fingerprint}"'}
    with MAKING:  # which takes long enough for all threads to begin it
        s3 = client()
    attempts = s3.meta.config.retries["total_max_attempts"]
    for attempt in itertools.count(1):
        answer = None
        try:
            answer = s3.get_object(**request)
            return take(answer["Body"])
        except (BotoCoreError, ClientError) as error:
            if not answer or attempt == attempts:
                raise Unreadable(unreadable(url, error)) from error
        time.sleep(random.uniform(0, 2 ** (attempt - 1)))


def unreadable(url: str, error: Exception) -> str:
    """Why an object cannot be read, and what to do about it. S3 does not tell those who may list
    parts of a bucket alone that an object is gone: it denies access to it."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "deleted" if code == "NoSuchKey" else "replaced"
        return (
            f"{url} was {happened} after it was listed. Nothing of this batch was loaded; run"
            " load_staging.py again."
        )
    return f"cannot read {url}: {error}{DENIED if code == 'AccessDenied' else ''}"
