"""The S3 objects that a COPY reads: listed by prefix or manifest, fetched, decompressed."""

import bz2
import codecs
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import botocore.exceptions

from .copy_command import CopyCommand, split_s3_url
from .errors import RedshiftError

_CHUNK = 8 * 1024 * 1024


@dataclass
class SourceFile:
    """One object to load; size and etag are those of the listing."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Source:
    """What one COPY reads from S3. region: the cluster's."""

    def __init__(self, command: CopyCommand, s3: Any, region: str) -> None:
        self._command = command
        self._s3 = s3
        self._region = command.region or region
        self._checked: set[str] = set()

    def files(self) -> list[SourceFile]:
        """The objects to load, in order; raises RedshiftError if there are none."""
        self._check_region(self._command.bucket)
        if "manifest" in self._command.flags:
            return self._manifest()
        found = self._list(self._command.bucket, self._command.key)
        if not found:
            raise RedshiftError(f"The specified S3 prefix '{self._command.key}' does not exist")
        return found

    def json_paths(self) -> list | None:
        """The expressions of the jsonpaths file; None for 'auto'."""
        if not self._command.json.startswith("s3://"):
            return None
        bucket, key = split_s3_url(self._command.json)
        self._check_region(bucket)
        try:
            document = json.loads(self._read(bucket, key))
        except ValueError as error:
            raise RedshiftError("Invalid JSONPath format: not valid JSON") from error
        if not isinstance(document, dict) or "jsonpaths" not in document:
            return None
        return document["jsonpaths"]

    def text(self, file: SourceFile) -> Iterator[str]:
        """The decompressed text of an object in pieces, with surrogates for invalid UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        body = self._call("get_object", file.bucket, Key=file.key)["Body"]
        unpack = _unpacker(self._command.compression)
        chunks = body.iter_chunks(_CHUNK)
        while True:
            try:
                chunk = next(chunks, None)
                if chunk is None:
                    break
                data = unpack(chunk)
            except botocore.exceptions.BotoCoreError as error:
                raise RedshiftError(f"S3 cannot be read: {error}") from error
            except (zlib.error, OSError) as error:
                raise RedshiftError(
                    f"Failed to decompress file {file.url}: {error}", detail="code: 15001"
                ) from error
            if data:
                yield decoder.decode(data)
        if isinstance(unpack, _Members) and not unpack.is_complete:
            raise RedshiftError(
                f"Failed to decompress file {file.url}: unexpected end of file",
                detail="code: 15001",
            )
        yield decoder.decode(b"", final=True)

    def _manifest(self) -> list[SourceFile]:
        text = self._read(self._command.bucket, self._command.key)
        try:
            entries = json.loads(text)["entries"]
            urls = [(entry["url"], entry.get("mandatory", False)) for entry in entries]
        except (ValueError, KeyError, TypeError) as error:
            raise RedshiftError(
                "Manifest file is not in correct json format", detail=self._command.source
            ) from error
        found = []
        for url, mandatory in urls:
            bucket, key = split_s3_url(url)
            self._check_region(bucket)
            try:
                found.append(self._head(bucket, key))
            except RedshiftError as error:
                if mandatory or "NoSuchKey" not in error.message:
                    raise
        if not found:
            raise RedshiftError("No file of the manifest was found", detail=self._command.source)
        return found

    def _list(self, bucket: str, prefix: str) -> list[SourceFile]:
        found = []
        token = {}
        while True:
            page = self._call("list_objects_v2", bucket, Prefix=prefix, **token)
            for item in page.get("Contents", []):
                found.append(
                    SourceFile(
                        bucket,
                        item["Key"],
                        item["Size"],
                        item["ETag"].strip('"'),
                        item["LastModified"],
                    )
                )
            if not page.get("IsTruncated"):
                return found
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _head(self, bucket: str, key: str) -> SourceFile:
        head = self._call("head_object", bucket, Key=key)
        return SourceFile(
            bucket, key, head["ContentLength"], head["ETag"].strip('"'), head["LastModified"]
        )

    def _read(self, bucket: str, key: str) -> bytes:
        try:
            return self._call("get_object", bucket, Key=key)["Body"].read()
        except RedshiftError as error:
            if "NoSuchKey" in error.message:
                raise RedshiftError(
                    f"The specified key does not exist: s3://{bucket}/{key}",
                    detail="code: 8001, a full path of an S3 object is needed",
                ) from error
            raise

    def _check_region(self, bucket: str) -> None:
        if bucket in self._checked:
            return
        self._checked.add(bucket)
        location = self._call("get_bucket_location", bucket).get("LocationConstraint")
        if (location or "us-east-1") != self._region:
            raise RedshiftError(
                "S3ServiceException:The bucket you are attempting to access must be addressed "
                "using the specified endpoint. Please send all future requests to this endpoint.,"
                "Status 301,Error PermanentRedirect"
            )

    def _call(self, operation: str, bucket: str, **arguments) -> dict:
        try:
            return getattr(self._s3, operation)(Bucket=bucket, **arguments)
        except botocore.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            names = {"404": "NoSuchKey", "403": "AccessDenied", "400": "BadRequest"}
            raise RedshiftError(
                f"S3ServiceException:{message},Status {status},Error {names.get(code, code)}"
            ) from error
        except botocore.exceptions.BotoCoreError as error:
            raise RedshiftError(f"S3 cannot be reached: {error}") from error


def _unpacker(compression: str | None):
    if compression is None:
        return lambda chunk: chunk
    if compression == "gzip":
        return _Members(lambda: zlib.decompressobj(31), zlib.error)
    if compression == "bzip2":
        return _Members(bz2.BZ2Decompressor, OSError)
    raise RedshiftError(f"{compression.upper()} is not supported by this stand-in", "0A000")


class _Members:
    """Decompresses a stream of concatenated members."""

    def __init__(self, make, error: type[Exception]) -> None:
        self._make, self._current, self._error = make, make(), error

    def __call__(self, chunk: bytes) -> bytes:
        out = []
        while chunk:
            if self._current.eof:
                self._current = self._make()
            out.append(self._current.decompress(chunk))
            chunk = self._current.unused_data if self._current.eof else b""
        return b"".join(out)

    @property
    def is_complete(self) -> bool:
        """Whether the last member has ended."""
        return self._current.eof
