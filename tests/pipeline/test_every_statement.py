"""A fault at every kind of statement that the commands send to Redshift, one run for each. No
run may end in success with work missing, and the next run without a fault completes the work.

A statement's kind is its sender, its first words, and how many like it came before. Kinds are
found as they come: each run has a fault at the first one that has not had it yet.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest

from tests.fake_redshift import FakeRedshift, RedshiftError

from .conftest import NO_UNIT_TESTS, RedshiftProject, event, input_files, soak_factor, song
from .expected_star import Load
from .test_delete_user import delete
from .test_kill import assert_consistent, assert_loaded_once, write_first_days, write_more_days
from .test_star import assert_star
from .warm import Run

CUT = True  # the connection
# After these errors dbt-redshift sends the statement again, if `retries` allows it.
FAULTS = (
    RedshiftError("could not open relation with OID 12345"),
    RedshiftError("could not complete because of conflict with concurrent transaction"),
    RedshiftError('schema "sparkify_staging" does not exist', "3F000"),
    CUT,
)
READERS = "readers"
Kind = tuple[str, str, int]


class Disturber:
    """Causes one fault in each run, until all kinds of statements have had theirs.

    Usually that is one fault for most kinds at which a model or seed has written and not yet
    committed, and for a twentieth of the others. In `make soak` each kind has every fault.
    """

    def __init__(
        self, project: RedshiftProject, tried: Callable[..., None], senders: dict[str, str]
    ):
        seed = os.environ.get("SPARKIFY_FAULT_SEED") or f"{random.getrandbits(32):08x}"
        print(f"SPARKIFY_FAULT_SEED={seed}")
        self.project, self.tried, self.senders = project, tried, senders
        self.chance = random.Random(seed)
        self.left: dict[Kind, list[RedshiftError | bool]] = {}

    def go(
        self,
        run: Callable[[], Run],
        is_done: Callable[[], bool],
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """Runs a command until a run had no fault. A run that ends in success must have done its
        work. `prepare` makes work for each run."""
        while True:
            prepare()
            self.begin()
            ended = run()
            self.project.cluster.faults.clear()
            assert "Traceback" not in ended.text, ended.text
            if not self.ordered:
                assert ended.code == 0, ended.text
                return
            self.tried("faults")
            fault = "the connection cut" if self.ordered is CUT else self.ordered
            assert ended.code or is_done(), (
                f"{fault} at {self.at}: it ended in success, and work is missing\n{ended.text}"
            )

    def begin(self) -> None:
        """Prepares the fault of the run that begins now."""
        self.ordered: RedshiftError | bool = False
        self.sender, self.words, self.sent = "start", "", Counter()
        self.has_written = False
        self.project.cluster.faults.decide(self.decide)

    def decide(self, sql: str) -> RedshiftError | bool:
        """The fault for a statement, if it is the first in this run that needs one."""
        node = re.search(r'"node_id": "([^"]+)"', sql)
        # BEGIN and COMMIT do not name their sender.
        self.sender = self.senders.get(node[1], node[1]) if node else self.sender
        words = first_words(sql)
        if words != self.words:  # else it is one of a series, such as comments on columns
            self.sent[words] += 1
        self.words = words
        kind = (self.sender, words, self.sent[words])
        if kind not in self.left:
            in_danger = self.has_written and self.sender in self.senders.values()
            usual = self.chance.random() < (0.7 if in_danger else 0.05)
            self.left[kind] = self.chance.sample(FAULTS, 4 if soak_factor() > 1 else usual)
        self.has_written = words not in ("begin", "commit", "rollback") and (
            self.has_written or words.startswith(("alter", "create", "delete", "drop", "insert"))
        )
        if not self.ordered and self.left[kind]:
            self.ordered, self.at = self.left[kind].pop(), kind
            return self.ordered
        return False


def first_words(sql: str) -> str:
    """The first four words of a statement, without the names of relations."""
    sql = re.sub(r"/\*.*?\*/|--[^\n]*", " ", sql, flags=re.DOTALL)
    sql = re.sub(r'(?:"[^"]*?(__dbt_tmp|__dbt_backup)?\d*"\.?)+\w*', r" \1 ", sql)
    return " ".join(re.findall(r"[a-z_]+", sql.lower())[:4])


def run_command(project: RedshiftProject, *command: str) -> Run:
    return project.run(*command, "--target", project.target)


@pytest.fixture
def project(new_project: Callable[..., RedshiftProject]) -> RedshiftProject:
    """A project with some files and a role that may read its marts."""
    project = new_project("redshift", DBT_READER_ROLE=READERS)
    with project.cluster.admin() as connection:
        connection.execute(f"drop role if exists {READERS}")
        connection.execute(f"create role {READERS}")
    write_first_days(project)
    project.upload()
    return project


@dataclass
class Node:
    """A model or a seed, and its relation in the stand-in."""

    name: str
    schema: str
    materialized: str
    cluster: FakeRedshift

    def save(self) -> None:
        """Keeps its rows for `reset`."""
        if self.materialized != "view":
            self._execute(f"create table sparkify_saved.{self.name} as select * from {self}")

    def reset(self) -> None:
        """Restores the saved rows, or drops the relation if none were saved."""
        saved = f"sparkify_saved.{self.name}"
        with self.cluster.admin() as connection:
            ((is_saved,),) = connection.execute(f"select to_regclass('{saved}') is not null")
        if is_saved:
            self._execute(f"delete from {self}; insert into {self} select * from {saved}")
        else:
            kind = "view" if self.materialized == "view" else "table"
            self._execute(f"drop {kind} if exists {self} cascade")

    def state(self) -> tuple:
        """What a build makes: rows, comments and grants, and all keys of the marts."""
        with self.cluster.admin() as connection:
            found = connection.execute(
                "select relacl::text,"
                " (select count(*) from pg_description where objoid = pg_class.oid)"
                f" from pg_class where oid = to_regclass('{self}')"
            ).fetchall()
            keys = connection.execute(
                "select conname from pg_constraint where contype in ('p', 'f') order by 1"
            ).fetchall()
            rows = [] if found else None
            if found:
                rest = "to_jsonb(t) - 'loaded_at' - 'catalog_loaded_at' - 'matched_at'"
                sql = f"select {rest} from {self} as t"
                rows = sorted(json.dumps(row) for (row,) in connection.execute(sql))
        return rows, found, keys

    def _execute(self, sql: str) -> None:
        with self.cluster.admin() as connection:
            connection.execute("create schema if not exists sparkify_saved")
            connection.execute(sql)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def listed_nodes(project: RedshiftProject) -> dict[str, Node]:
    """The seeds and models."""
    keys = ("unique_id", "name", "schema", "config")
    command = ("--quiet", "ls", "--output", "json", "--output-keys", *keys)
    listed = run_command(project, "dbt", *command, "--resource-type", "seed", "model").output
    return {
        node["unique_id"]: Node(
            node["name"], node["schema"], node["config"]["materialized"], project.cluster
        )
        for node in map(json.loads, listed.splitlines())
    }


@pytest.mark.soak
def test_loads(project: RedshiftProject, tried: Callable[..., None]) -> None:
    """The first load, a later one, a full refresh, and the reload without Python."""
    numbers = count(100)

    def is_loaded() -> bool:
        assert_loaded_once(project)
        return True

    def nothing_is_loaded() -> None:
        with project.cluster.admin() as connection:
            connection.execute("drop schema if exists sparkify_raw cascade")

    def add_files() -> None:
        number = next(numbers)
        project.write_events(f"{number}.json", event(number))
        project.write_songs(f"{number}.json", song(number))
        project.upload()

    def wait() -> None:
        time.sleep(1)  # loads of a table are not in the same second

    def disturb(prepare: Callable[[], None], *command: str) -> None:
        disturber = Disturber(project, tried, {})
        is_done = is_loaded if command[0] == "load_staging.py" else lambda: True
        disturber.go(lambda: run_command(project, *command), is_done, prepare)
        assert_consistent(project)

    disturb(nothing_is_loaded, "load_staging.py")
    disturb(add_files, "load_staging.py")
    disturb(wait, "dbt", "run-operation", "load_staging")
    disturb(wait, "load_staging.py", "--full-refresh")
    assert_loaded_once(project)
    project.dbt("build", *NO_UNIT_TESTS)
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))


@pytest.mark.soak
@pytest.mark.parametrize("build", ["first", "later", "full refresh"])
def test_builds(project: RedshiftProject, build: str, tried: Callable[..., None]) -> None:
    """Builds one seed or model at a time: usually one of each materialization, in `make soak`
    all."""
    first = Load(input_files(project.events), input_files(project.songs))
    loads = [first]
    project.load()
    nodes = listed_nodes(project)
    if build != "first":
        project.dbt("run")
        for node in nodes.values():
            node.save()
        write_more_days(project)
        project.load()
        events = [path for path in input_files(project.events) if path not in first.events]
        songs = [path for path in input_files(project.songs) if path not in first.songs]
        loads.append(Load(events, songs))
    project.dbt("run")
    options = ("--full-refresh",) if build == "full refresh" else ()
    senders = {name: node.materialized for name, node in nodes.items()}
    disturber = Disturber(project, tried, senders)
    chosen = disturber.chance.sample(sorted(nodes), len(nodes))
    if soak_factor() == 1:
        chosen = list({senders[name]: name for name in chosen}.values())
    for node in map(nodes.get, chosen):
        built = node.state()

        command = ("dbt", "run", "--select", node.name, *options)
        disturber.go(
            run=lambda: run_command(project, *command),  # noqa: B023
            is_done=lambda: node.state() == built,  # noqa: B023
            prepare=node.reset,
        )
        assert node.state() == built
    assert_star(project, *loads)
    project.dbt("test", *NO_UNIT_TESTS)


@pytest.mark.soak
def test_delete_user(project: RedshiftProject, tried: Callable[..., None]) -> None:
    project.load()
    project.dbt("run")

    def is_deleted() -> bool:
        assert_consistent(project)
        tables = ("staging_events where userid", "fct_songplays where user_id")
        counts = [
            project.query(f"select count(*) from {table} = 7")
            for table in (f"sparkify_raw.{tables[0]}", tables[1])
        ]
        return counts == [[(0,)], [(0,)]]

    def bring_back() -> None:
        if is_deleted():
            project.load("--full-refresh")
            project.dbt("run", "--full-refresh")

    Disturber(project, tried, {}).go(lambda: delete(project, 7), is_deleted, bring_back)
    assert is_deleted()
    for path in input_files(project.events):
        kept = [line for line in path.read_text().splitlines() if json.loads(line)["userId"] != "7"]
        path.write_text("".join(f"{line}\n" for line in kept))
    project.dbt("build", *NO_UNIT_TESTS)
    assert_star(project, Load(input_files(project.events), input_files(project.songs)))


@pytest.mark.parametrize(
    ("given", "commands"),
    [
        (
            "retries: 1",
            [
                ("load_staging.py",),
                ("dbt", "run-operation", "load_staging"),
                ("dbt", "run-operation", "delete_user", "--args", "{user_id: 7}"),
                ("dbt", "build"),
            ],
        ),
        ("", [("dbt", "build")]),
    ],
    ids=["some", "none given"],
)
def test_retries_are_refused(
    redshift_project: RedshiftProject, given: str, commands: list[tuple[str, ...]]
) -> None:
    """Both those of the profile and dbt-redshift's default, if the profile has none."""
    project = redshift_project
    project.load()
    path = project.folder / "profiles.yml"
    assert "retries: 0\n" in path.read_text()
    path.write_text(path.read_text().replace("retries: 0\n", f"{given}\n"))
    project.write_events("new.json", event(9))
    project.upload()
    project.cluster.statements.clear()
    for command in commands:
        run = run_command(project, *command)
        assert run.code != 0, run.text
        said = " ".join(run.text.split())
        assert "The target redshift has retries: 1." in said
        assert "Set `retries: 0` in the target's output in profiles.yml" in said
    sent = [first_words(each.sql) for each in project.cluster.statements]
    assert not [words for words in sent if re.match("create table|insert|copy|delete", words)]
