"""`python -m tests.fake_redshift`: run the stand-in and say how to reach it."""

import json
import shlex
import signal
import threading
from dataclasses import asdict
from pathlib import Path

import click

from .cluster import FakeRedshift, PortTakenError
from .copy_runner import ERROR_STYLES
from .statement_log import LoggedStatement


@click.command()
@click.option("--port", default=5439, show_default=True, help="Port of the database; 0: any.")
@click.option("--s3-port", default=0, show_default=True, help="Port of the S3 endpoint; 0: any.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Keep the database here.")
@click.option(
    "--statement-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append every statement to this file, one JSON object per line.",
)
@click.option(
    "--upload",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Copy this folder's files into the bucket first.",
)
@click.option("--s3-endpoint", help="Use this S3 endpoint instead of starting one.")
@click.option("--error-style", type=click.Choice(ERROR_STYLES), default=ERROR_STYLES[0])
def main(
    port: int,
    s3_port: int,
    data_dir: Path | None,
    statement_log: Path | None,
    upload: Path | None,
    s3_endpoint: str | None,
    error_style: str,
) -> None:
    """Run a local stand-in for Amazon Redshift until Ctrl-C.

    Prints the variables that its users need as lines to paste into a shell.
    """

    def write(entry: LoggedStatement) -> None:
        with statement_log.open("a") as log:
            log.write(json.dumps(asdict(entry)) + "\n")

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    cluster = FakeRedshift(
        port=port,
        s3_port=s3_port,
        data_dir=data_dir,
        s3_endpoint=s3_endpoint,
        error_style=error_style,
        on_statement=write if statement_log else None,
    )
    try:
        cluster.start()
    except PortTakenError as error:
        option = "--port, or PORT= for make" if error.port == port else "--s3-port"
        raise click.ClickException(f"{error}; choose another with {option}.") from error
    try:
        if upload:
            cluster.upload(upload)
        for name, value in cluster.shell_exports.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo("# Ready: paste these lines into another shell. Ctrl-C stops the stand-in.")
        stopped.wait()
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
