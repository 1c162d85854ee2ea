"""The names that tests use, as the names of one run on a cluster, and back."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass

from tests.fake_redshift import BUCKET, DATABASE, USER

START = "sparkify_test_"
_NAME = re.compile(rf"{START}[a-z0-9]{{8}}")
_SCHEMA_ENDS = r"(?=(?:_raw|_staging|_intermediate|_saved|_pr)?\b)"
_ROLE = r"iam_role\s+(?:default|'arn:aws:iam::123456789012:role/[^']*')"


def new_name() -> str:
    """A name for a run; the names of all that it creates begin with it."""
    letters = string.ascii_lowercase + string.digits
    return START + "".join(secrets.choice(letters) for _ in range(8))


def is_name(text: str) -> bool:
    """Whether a text is the name of a run, so that what begins with it may be removed."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Names:
    """The names of one run.

    location: the S3 prefix that stands for the stand-in's bucket, with a slash at its end.
    role: what follows IAM_ROLE, as in SQL. region: of the bucket; empty if COPY need not name it.
    """

    name: str
    location: str
    database: str
    user: str
    role: str = "default"
    region: str = ""

    @property
    def _prefix(self) -> str:
        """The location without its bucket."""
        return self.location.removeprefix("s3://").partition("/")[2]

    def schemas(self, text: str) -> str:
        """A text in which the project's schemas, `sparkify` and the like, are the run's."""
        return re.sub(rf"(?i)\bsparkify{_SCHEMA_ENDS}", self.name, text)

    def urls(self, text: str) -> str:
        """A text in which URLs of the stand-in's bucket are the run's."""
        bucket = rf"s3://{BUCKET}(?![\w-])(?!/{re.escape(self._prefix)})"
        return re.sub(bucket, lambda _: self.location.rstrip("/"), text)

    def sql(self, text: str) -> str:
        """A statement with the run's names."""
        text = self.urls(self.schemas(text))
        text = re.sub(rf'\b{DATABASE}\b(?="?\.)', lambda _: self.database, text)
        text = re.sub(rf"authorization {USER}\b", lambda _: f'authorization "{self.user}"', text)
        text = re.sub(_ROLE, lambda _: f"iam_role {self.role}", text, flags=re.IGNORECASE)
        return re.sub(r"region 'us-west-2'", lambda _: f"region '{self.region}'", text)

    def back(self, text: str) -> str:
        """What the cluster answered or a command printed, with the names that the tests use."""
        text = text.replace(self.location.rstrip("/"), f"s3://{BUCKET}").replace(self._prefix, "")
        return re.sub(rf"\b{self.name}{_SCHEMA_ENDS}", "sparkify", text)
