"""Where the engine reads what the loader writes for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import note
from loader.fetching import fetch
from loader.files import bucket_and_key, s3_client
from loader.joining import Place, Provided, join
from loader.plan import Batch

PREFIX = "load_staging_"
LEFT_AFTER = 24 * 60 * 60  # seconds, longer than any batch takes


class FolderStage:
    """Where DuckDB reads lists from and objects of S3: a temporary folder."""

    def __enter__(self) -> FolderStage:
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.folder = Path(self._folder.name)
        return self

    def __exit__(self, *raised: object) -> None:
        self._folder.cleanup()

    def provide(self, batch: Batch, columns: list[str], max_rejects: int) -> Provided:
        """A batch where the engine can read it, see join. Raises ClickException."""
        if batch.is_joined:
            return join(batch.files, self.folder, False, columns, max_rejects)
        files = fetch(batch.files, self.folder)
        return Provided(files, [Place(file.path, 1, file.file_name) for file in files])

    def write(self, name: str, texts: Iterable[str]) -> str:
        """Writes texts into a file; where it is. Raises ClickException if it cannot."""
        path = self.folder / name
        try:
            with path.open("w", encoding="utf-8") as stream:
                stream.writelines(texts)
        except OSError as error:
            raise ClickException(
                f"cannot write to the temporary folder {self.folder}, which TMPDIR may set: {error}"
            ) from error
        return str(path)

    def clear_left(self) -> None:
        """Removes what was left by loads that were killed."""
        for folder in self.folder.parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # another load ends
                if folder.stat().st_mtime < time.time() - LEFT_AFTER:
                    shutil.rmtree(folder, ignore_errors=True)  # it may be another user's


class S3Stage:
    """Where Redshift reads lists from, and joined objects: a prefix of its own under
    DBT_STAGE_LOCATION."""

    def __init__(self, location: str):
        self.bucket, key = bucket_and_key(location)
        self.parent = f"{key.rstrip('/')}/{PREFIX}".lstrip("/")
        self.prefix = f"{self.parent}{uuid.uuid4().hex}/"
        self.location = location
        self.client = s3_client()
        self.keys: list[str] = []

    def __enter__(self) -> S3Stage:
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._delete(self.keys)
        except (BotoCoreError, ClientError) as error:
            note(
                f"{self.location}, set by DBT_STAGE_LOCATION, could not be cleared of what is"
                f" under {self.prefix}, which nothing reads again: {error}"
            )

    def provide(self, batch: Batch, columns: list[str], max_rejects: int) -> Provided:
        """A batch where the engine can read it, see join. Raises ClickException."""
        if not batch.is_joined:
            return Provided(batch.files)
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            joined = join(batch.files, Path(folder), True, columns, max_rejects)
            parts = {}
            for path in dict.fromkeys(file.path for file in joined.files):
                with Path(path).open("rb") as stream:
                    parts[path] = self._put(Path(path).name, stream)
        joined.files = [replace(file, path=parts[file.path]) for file in joined.files]
        joined.places = [replace(place, path=parts[place.path]) for place in joined.places]
        return joined

    def write(self, name: str, texts: Iterable[str]) -> str:
        """Writes texts into an object; where it is. Raises ClickException if it cannot."""
        with tempfile.TemporaryFile() as stream:
            stream.writelines(text.encode() for text in texts)
            stream.seek(0)
            return self._put(name, stream)

    def clear_left(self) -> None:
        """Removes what was left by loads that were killed."""
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
                f"{self.location}, set by DBT_STAGE_LOCATION, cannot be searched for what loads"
                f" that were killed have left: {error}"
            )

    def _put(self, name: str, body) -> str:
        key = self.prefix + name
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body)
        except (BotoCoreError, ClientError) as error:
            raise ClickException(
                f"cannot write to {self.location}, set by DBT_STAGE_LOCATION: {error}"
            ) from error
        self.keys.append(key)
        return f"s3://{self.bucket}/{key}"

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.client.delete_object(Bucket=self.bucket, Key=key)
