"""Where the engine reads what the loader writes for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import note
from loader.files import bucket_and_key, s3_client

PREFIX = "load_staging_"
LEFT_AFTER = 24 * 60 * 60  # seconds, longer than any batch takes


class FolderStage:
    """A temporary folder, for DuckDB to read from."""

    part_suffix = ".json"

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.folder = Path(self._folder.name)
        return self

    def __exit__(self, *raised: object) -> None:
        self._folder.cleanup()

    def write(self, name: str, texts: Iterable[str]) -> str:
        """Writes texts into a file; where the engine reads it. Raises ClickException if it
        cannot."""
        path = self.folder / name
        try:
            with path.open("w", encoding="utf-8") as stream:
                stream.writelines(texts)
        except OSError as error:
            raise ClickException(
                f"cannot write to the temporary folder {self.folder}, which TMPDIR may set: {error}"
            ) from error
        return self.give(str(path))

    def give(self, path: str) -> str:
        """Where the engine reads a file of the folder."""
        return path

    def clear_left(self) -> None:
        """Removes what was left by loads that were killed."""
        for folder in self.folder.parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # another load ends
                if folder.stat().st_mtime < time.time() - LEFT_AFTER:
                    shutil.rmtree(folder, ignore_errors=True)  # it may be another user's


class S3Stage(FolderStage):
    """A folder whose files Redshift reads as copies, under a prefix of their own in
    DBT_STAGE_LOCATION."""

    part_suffix = ".json.gz"

    def __init__(self, location: str):
        self.bucket, key = bucket_and_key(location)
        self.parent = f"{key.rstrip('/')}/{PREFIX}".lstrip("/")
        self.prefix = f"{self.parent}{uuid.uuid4().hex}/"
        self.location = f"{location}, set by DBT_STAGE_LOCATION,"
        self.client = s3_client()
        self.keys: list[str] = []

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        try:
            self._delete(self.keys)
        except (BotoCoreError, ClientError) as error:
            note(
                f"{self.location} could not be cleared of what is under {self.prefix}, which"
                f" nothing reads again: {error}"
            )

    def give(self, path: str) -> str:
        """Where Redshift reads a copy of a file. Raises ClickException if it cannot be copied."""
        key = self.prefix + Path(path).name
        try:
            with Path(path).open("rb") as body:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=body)
        except (BotoCoreError, ClientError) as error:
            raise ClickException(f"cannot write to {self.location[:-1]}: {error}") from error
        self.keys.append(key)
        return f"s3://{self.bucket}/{key}"

    def clear_left(self) -> None:
        """Removes what was left by loads that were killed."""
        super().clear_left()
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.parent
            )
            self._delete(
                entry["Key"]
                for page in pages
                for entry in page.get("Contents", [])
                if entry["LastModified"].timestamp() < time.time() - LEFT_AFTER
            )
        except (BotoCoreError, ClientError) as error:
            note(
                f"{self.location} cannot be searched for what loads that were killed have left:"
                f" {error}"
            )

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.client.delete_object(Bucket=self.bucket, Key=key)
