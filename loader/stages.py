"""Where the engine reads what the loader writes for it."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from loader import note
from loader.files import bucket_and_key, s3_client


class FolderStage:
    """Where DuckDB reads lists from and objects of S3: a temporary folder."""

    def __enter__(self) -> FolderStage:
        self._folder = tempfile.TemporaryDirectory(prefix="load_staging_")
        self.folder = Path(self._folder.name)
        return self

    def __exit__(self, *raised: object) -> None:
        self._folder.cleanup()

    def write(self, name: str, text: str) -> str:
        """Writes a text; where it is. Raises ClickException if it cannot."""
        path = self.folder / name
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ClickException(
                f"cannot write to the temporary folder {self.folder}, which TMPDIR may set: {error}"
            ) from error
        return str(path)


class S3Stage:
    """Where Redshift reads lists from: a prefix of its own under DBT_STAGE_LOCATION."""

    def __init__(self, location: str):
        self.bucket, key = bucket_and_key(location)
        self.prefix = f"{key.rstrip('/')}/load_staging_{uuid.uuid4().hex}/".lstrip("/")
        self.location = location
        self.client = s3_client()
        self.keys: list[str] = []

    def __enter__(self) -> S3Stage:
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            for key in self.keys:
                self.client.delete_object(Bucket=self.bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            note(
                f"{self.location}, set by DBT_STAGE_LOCATION, could not be cleared of the lists"
                f" under {self.prefix}, which nothing reads again: {error}"
            )

    def write(self, name: str, text: str) -> str:
        """Writes a text; where it is. Raises ClickException if it cannot."""
        key = self.prefix + name
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        except (BotoCoreError, ClientError) as error:
            raise ClickException(
                f"cannot write to {self.location}, set by DBT_STAGE_LOCATION: {error}"
            ) from error
        self.keys.append(key)
        return f"s3://{self.bucket}/{key}"
