"""`python -m tests.cluster`: compare the stand-in with a cluster, and remove every trace of it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from .names import is_name, new_name
from .real_cluster import ROOT, RealCluster

REPORT = Path("target", "cluster.md")
TESTS = ("tests/test_fake_redshift", "tests/pipeline")
_SECONDS_TO_END = 120
_ANNOUNCEMENT = """\
This runs the tests of the stand-in and of the pipeline on a cluster:

  {version}
  isolation level: {level}

It creates schemas, users, groups and roles whose names begin with {name}, and objects
under a prefix of that name in the bucket of SPARKIFY_TEST_LOCATION or DBT_STAGE_LOCATION.
It reads and writes nothing else, and removes all of this at the end, also after Ctrl-C.
If it is killed, this removes the rest:

  make test-cluster CLEAN={name}

All tests send more than 40,000 statements and take some hours. The rules of the stand-in
alone, ARGS=tests/test_fake_redshift, send 4,000 and take about one hour. These are estimates.
On Serverless an hour costs about 0.4 US dollars for each RPU in use, so 1.60 with 4 RPUs; on
a provisioned cluster, nothing but its time. S3 costs cents.
"""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--yes", is_flag=True, help="Do not ask before starting.")
@click.option("--clean", metavar="NAME", help="Only remove what the run of this name has left.")
@click.option(
    "--report",
    default=REPORT,
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the table.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(yes: bool, clean: str | None, report: Path, arguments: tuple[str, ...]) -> None:
    """Compare the stand-in for Redshift with a cluster; docs/cluster.md describes it.

    ARGUMENTS are passed to pytest: tests, by default all that concern Redshift, and options
    such as -k or --tb=short. Exits with 1 if something differs.
    """
    if clean is not None:
        if not is_name(clean):
            raise click.UsageError(f"{clean} is not the name of a run: sparkify_test_ and 8 more")
        _remove(RealCluster(clean))
        return
    cluster = RealCluster(new_name())
    facts = cluster.facts()
    click.echo(
        _ANNOUNCEMENT.format(
            version=facts["version"], level=facts["isolation level"], name=cluster.names.name
        )
    )
    if not yes:
        click.confirm("Start?", abort=True)
    cluster.check_s3()
    with _removed_at_the_end(cluster):
        code = _pytest(cluster, report, arguments)
    sys.exit(code)


@contextlib.contextmanager
def _removed_at_the_end(cluster: RealCluster) -> Iterator[None]:
    """Removes what a run has created, whatever happens. Signals cannot interrupt that."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _remove(cluster)


def _remove(cluster: RealCluster) -> None:
    name = cluster.names.name
    click.echo(f"Removing {name}")
    try:
        left = cluster.remove()
    except Exception as error:
        raise click.ClickException(f"{error}\nThen run: make test-cluster CLEAN={name}") from error
    if left:
        listed = ", ".join(left)
        raise click.ClickException(f"left: {listed}. Run: make test-cluster CLEAN={name}")
    click.echo("Nothing is left.")


def _pytest(cluster: RealCluster, report: Path, arguments: tuple[str, ...]) -> int:
    """Runs the tests; returns pytest's exit code. A signal ends them early."""
    has_tests = any(each.startswith("tests/") for each in arguments)
    # Tracebacks and summaries may contain names of the user's.
    options = ["--tb=no", "-q", "-rN", f"--cluster={cluster.names.name}"]
    command = [sys.executable, "-m", "pytest", *options, f"--cluster-report={report.absolute()}"]
    command += [*arguments, *(() if has_tests else TESTS)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True, env=os.environ
    )

    def end(number: int, frame: object) -> None:
        click.echo("Ending the tests")
        process.send_signal(signal.SIGINT)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(_SECONDS_TO_END)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    code = process.wait()
    signal.alarm(0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever it started
    return code


if __name__ == "__main__":
    main()
