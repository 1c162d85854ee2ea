"""One cluster for all tests; each test has a schema of its own."""

import itertools

import pytest
import redshift_connector

from tests.fake_redshift import BUCKET, USER, FakeRedshift, fixtures

redshift_cluster = fixtures.redshift_cluster
redshift_environment = fixtures.redshift_environment
redshift_faults = fixtures.redshift_faults

_numbers = itertools.count(1)


class Client:
    """A connection of redshift_connector, with shorthands for tests."""

    def __init__(
        self, cluster: FakeRedshift, user: str = USER, password: str | None = None
    ) -> None:
        self.cluster = cluster
        self.connection = cluster.connect(user, password)

    def run(self, sql: str, *arguments: object) -> list[tuple]:
        """Run one statement; its rows, or an empty list if it has none."""
        cursor = self.connection.cursor()
        cursor.execute(sql, arguments or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def value(self, sql: str) -> object:
        return self.run(sql)[0][0]

    def error(self, sql: str) -> dict:
        """Assert that `sql` fails; the fields of the error."""
        with pytest.raises(redshift_connector.error.Error) as caught:
            self.run(sql)
        fields = caught.value.args[0]
        assert isinstance(fields, dict), fields
        return fields

    def refused(self, sql: str, text: str) -> None:
        """Assert that `sql` fails with a message that contains `text`."""
        message = self.error(sql)["M"]
        assert text in message, message

    def put(self, key: str, body: str | bytes, bucket: str = BUCKET) -> str:
        """Write an S3 object; its URL."""
        data = body if isinstance(body, bytes) else body.encode()
        self.cluster.s3.put_object(Bucket=bucket, Key=key, Body=data)
        return f"s3://{bucket}/{key}"

    def close(self) -> None:
        self.connection.close()


@pytest.fixture(scope="session")
def cluster(request, real_cluster):
    """The stand-in, or the cluster of --cluster."""
    return real_cluster or request.getfixturevalue("redshift_cluster")


@pytest.fixture
def connect(cluster, real_cluster):
    """A function that opens another connection in the test's schema."""
    clients = []
    number = next(_numbers)
    schema = real_cluster.schema(number) if real_cluster else f"test_{number}"

    def connect(user: str = USER, password: str | None = None) -> Client:
        client = Client(cluster, user, password)
        clients.append(client)
        if user == USER:
            client.run(f"create schema if not exists {schema}")
        client.run(f"set search_path to {schema}, public")
        client.schema = schema
        return client

    yield connect
    if not real_cluster:
        cluster.faults.clear()
    for client in clients:
        try:
            client.close()
        except Exception:
            continue
    if real_cluster:
        real_cluster.drop_schemas(schema)


@pytest.fixture
def db(connect):
    return connect()
