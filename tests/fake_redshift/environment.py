"""The environment variables that a user of a cluster needs.

Those that begin with DBT_ are read by this repository's profile and loader. To use the stand-in
elsewhere, change them here.
"""

from typing import TYPE_CHECKING

from .constants import BUCKET, DATABASE, USER

if TYPE_CHECKING:
    from .cluster import FakeRedshift

_SCHEMA = "sparkify"
# For a shell only: tests choose their own target and locations.
_SHELL_ONLY = {
    "DBT_TARGET": "redshift",
    "DBT_EVENTS_LOCATION": f"s3://{BUCKET}/log_data/",
    "DBT_SONGS_LOCATION": f"s3://{BUCKET}/song_data/",
}


def connection(cluster: "FakeRedshift") -> dict[str, str]:
    """What the profile and boto3 need to reach a cluster and its S3."""
    return {
        "DBT_REDSHIFT_HOST": cluster.host,
        "DBT_REDSHIFT_PORT": str(cluster.port),
        "DBT_REDSHIFT_DATABASE": DATABASE,
        "DBT_REDSHIFT_USER": USER,
        "DBT_REDSHIFT_SCHEMA": _SCHEMA,
        "DBT_ENV_SECRET_REDSHIFT_PASSWORD": cluster.password,
        "DBT_REDSHIFT_SSLMODE": "disable",
        "DBT_COPY_IAM_ROLE": "default",
        "DBT_STAGE_LOCATION": f"s3://{BUCKET}/stage/",
        "AWS_ENDPOINT_URL_S3": cluster.s3_endpoint,
        "AWS_ACCESS_KEY_ID": "fake",
        "AWS_SECRET_ACCESS_KEY": "fake",
        "AWS_DEFAULT_REGION": cluster.region,
    }


def shell_exports(cluster: "FakeRedshift") -> dict[str, str]:
    """The variables to export in a shell: the target and the locations of the input, too."""
    return _SHELL_ONLY | connection(cluster)
