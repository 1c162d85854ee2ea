"""The container image loads and builds with a read-only root, and holds only what that takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_redshift import FakeRedshift, fixtures
from tests.pipeline.conftest import PARTS, ROOT, input_files
from tests.pipeline.expected_marts import expected_marts
from tests.pipeline.expected_star import Load, expected_star

from .engine import Engine, engine_of_this_machine

redshift_cluster = fixtures.redshift_cluster

MOST_BYTES = 320_000_000
# What only builds or tests: commands, packages of Python, names of files. The first of each is
# there, which shows that the search finds what there is.
COMMANDS = ("dbt", "cc", "curl", "gcc", "git", "ld", "make", "pip", "pip3", "wget")
PACKAGES = ("boto3", "duckdb", "ensurepip", "moto", "pip", "pytest")
FILES = ("load_staging.py", "*.deb", "*.whl", "*.duckdb", ".cache", ".git", "*_Packages*")


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The engine that has built the image."""
    if not request.config.getoption("--image"):
        pytest.skip("`make test-infra` builds and runs the container image")
    with engine_of_this_machine() as engine:
        engine.build()
        yield engine


def sh(image: Engine, script: str, read_only: bool = True) -> list[str]:
    """The lines that a shell script prints in a container, its errors included."""
    run = image.run("sh", "-c", f"exec 2>&1; {script}", read_only=read_only)
    return run.stdout.splitlines()


def test_a_night(image: Engine, redshift_cluster: FakeRedshift) -> None:
    """The commands of a night fill the marts; after it nothing is new."""
    sample = ROOT / "sample_data"
    redshift_cluster.upload(sample)
    environment = redshift_cluster.shell_exports
    assert environment.pop("DBT_TARGET") == "redshift"  # As the image has it.
    commands = (
        "python load_staging.py",
        "dbt source freshness",
        "dbt build --selector nightly",
        "python load_staging.py",
    )
    runs = [image.run(*command.split(), **environment) for command in commands]
    for run in runs:
        assert run.returncode == 0, run.stdout + run.stderr
    assert ["Nothing new." in run.stdout for run in runs] == [False, False, False, True]

    load = Load(input_files(sample / "log_data"), input_files(sample / "song_data"))
    with redshift_cluster.connect() as connection:
        cursor = connection.cursor()
        for table, rows in (expected_star([load]) | expected_marts([load])).items():
            cursor.execute(f"select count(*) from sparkify.{table}")
            assert cursor.fetchone()[0] == len(rows) > 0, table


def test_the_user_can_write_to_tmp_only(image: Engine) -> None:
    """On a writable root, too, but for the folders that Debian leaves open to all."""
    assert sh(image, "id -u; id -g; echo $HOME; pwd") == ["10001", "10001", "/tmp", "/app"]
    script = "find / \\( -path /proc -o -path /dev \\) -prune -o ! -type l -writable -print"
    hidden = ": Permission denied"
    for read_only, folders in ((True, {"/tmp"}), (False, {"/run/lock", "/tmp", "/var/tmp"})):
        found = {line for line in sh(image, script, read_only) if not line.endswith(hidden)}
        assert {"/tmp"} <= found <= folders
    assert "Read-only file system" in sh(image, "touch /app/new")[0]


def test_only_the_project_is_in_app(image: Engine) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for part in (*PARTS, "requirements/production.txt")
        for path in (ROOT / part, *(ROOT / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(sh(image, "find . -type f -printf '%P\n'")) == expected | {"profiles.yml"}


def test_nothing_is_left_of_the_installation(image: Engine) -> None:
    commands = "; ".join(f"command -v {each}" for each in COMMANDS)
    assert sh(image, commands) == ["/venv/bin/dbt"]
    python = f"print(*filter(importlib.util.find_spec, {PACKAGES}))"
    assert sh(image, f'python -c "import importlib.util; {python}"') == ["boto3"]
    names = " -o ".join(f"-name '{each}'" for each in FILES)
    found = sh(image, f"find / -xdev \\( {names} \\) -print 2> /dev/null")
    assert found == ["/app/load_staging.py"]


def test_tmp_is_a_volume(image: Engine) -> None:
    """ECS mounts an empty volume that only root may write to, unless the image declares it:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html"""
    assert image.inspect("Config.Volumes") == "map[/tmp:{}]"


def test_the_image_is_small(image: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    size = int(image.inspect("Size"))
    with capsys.disabled():
        print(f"\nThe image has {size / 1e6:.0f} MB.")
    assert size < MOST_BYTES
