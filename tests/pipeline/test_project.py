"""The project is whole: each mart has all that belongs to it, and dbt finds nothing missing.

The first tests only read files, so that what a change has forgotten is said in words before any
slow test fails of it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import MARTS, ROOT, Project, RedshiftProject, clean_environment, copy_project
from .expected_marts import expected_marts
from .expected_star import expected_star
from .warm import Runner

MODELS = ROOT / "models"
MART_FILES = {path.stem: path for path in sorted(MODELS.glob("marts/**/*.sql"))}
DIAGRAMS = ("README.md", "docs/querying.md")


def missing_from_mart(name: str, path: Path) -> Iterator[str]:
    """What belongs to a mart and is not there."""
    beside = path.with_suffix(".yml")
    if not beside.exists():
        yield f"{beside.relative_to(ROOT)}"
        return
    models = yaml.safe_load(beside.read_text())["models"]
    model = next((each for each in models if each["name"] == name), {})
    columns = {column["name"]: column for column in model.get("columns", [])}
    if not model.get("description"):
        yield "description"
    if not model.get("config", {}).get("contract", {}).get("enforced"):
        yield "enforced contract"
    for column in columns.values():
        if not column.get("description"):
            yield f"description of its column {column['name']}"

    if name not in MARTS:
        yield "entry in MARTS of tests/pipeline/conftest.py, with its key"
    elif MARTS[name] not in columns:
        yield f"column {MARTS[name]}, its key in MARTS of tests/pipeline/conftest.py"
    else:
        key = columns[MARTS[name]]
        tests = [
            each if isinstance(each, str) else next(iter(each))
            for each in key.get("data_tests", [])
        ]
        if "unique" not in tests:
            yield f"unique test of its key {key['name']}"
        if "not_null" not in [each["type"] for each in key.get("constraints", [])]:
            yield f"not_null constraint on its key {key['name']}"

    if name not in expected_star([]) | expected_marts([]):
        yield "computation in tests/pipeline/expected_star.py or expected_marts.py"
    for file in DIAGRAMS:
        (diagram,) = re.findall(r"^erDiagram\n(.*?)^```", (ROOT / file).read_text(), re.S | re.M)
        if not re.search(rf"\b{name}\b", diagram):
            yield f"place in the diagram of {file}"
    if f"ref('{name}')" not in (MODELS / "exposures.yml").read_text():
        yield "exposure in models/exposures.yml"


def test_each_mart_has_all_that_belongs_to_it() -> None:
    missing = [
        f"the mart {name} has no {what}"
        for name, path in MART_FILES.items()
        for what in missing_from_mart(name, path)
    ]
    missing += [f"the mart {name} in MARTS has no model" for name in MARTS.keys() - MART_FILES]
    assert not missing, "\n".join(missing)


def misnamed() -> Iterator[str]:
    """What is wrong with the names of the project's files."""
    for path in sorted(MODELS.glob("*/**/*")):
        name = path.relative_to(ROOT)
        if path.suffix == ".sql" and not path.with_suffix(".yml").exists():
            yield f"{name} has no {path.stem}.yml beside it"
        if path.suffix == ".yml" and not path.stem.startswith("_"):
            if not path.with_suffix(".sql").exists():
                yield f"{name} has no {path.stem}.sql beside it"
            elif f"- name: {path.stem}\n" not in path.read_text():
                yield f"{name} does not describe {path.stem}"
    for path in sorted((ROOT / "tests" / "data_tests").glob("*.sql")):
        if not path.stem.startswith("assert_"):
            yield f"{path.relative_to(ROOT)} is misnamed: names of data tests begin with assert_"
    for path in sorted((ROOT / "macros").rglob("*.sql")):
        if not re.search(rf"\b(\w+__)?{path.stem}\b", path.read_text()):
            yield f"{path.relative_to(ROOT)} is misnamed: it has no macro of its name"


def test_files_are_named_after_what_they_hold() -> None:
    assert not list(misnamed()), "\n".join(misnamed())


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> dict:
    """dbt's manifest of the project."""
    folder = tmp_path_factory.mktemp("parsed")
    copy_project(folder)
    command = ["dbt", "--warn-error", "parse", "--show-all-deprecations"]
    parse = runner.start(command, folder, clean_environment() | {"DBT_WRITE_JSON": "true"}).wait()
    assert parse.code == 0, parse.text
    assert "eprecat" not in parse.text
    return json.loads((folder / "target" / "manifest.json").read_text())


def test_everything_is_described_and_keys_are_tested(manifest: dict) -> None:
    nodes = manifest["nodes"].values()
    models = {node["name"]: node for node in nodes if node["resource_type"] == "model"}
    seeds = [node for node in nodes if node["resource_type"] == "seed"]
    described = [*models.values(), *seeds, *manifest["sources"].values()]
    missing = [
        f"{node['name']}.{column['name']}"
        for node in described
        for column in [{"name": "", "description": node["description"]}, *node["columns"].values()]
        if not column["description"]
    ]
    assert missing == []
    macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == "sparkify"]
    public = [
        macro["name"]
        for macro in macros
        if "__" not in macro["name"] and not macro["name"].startswith(("_", "test_"))
    ]
    undocumented = [
        macro["name"] for macro in macros if macro["name"] in public and not macro["description"]
    ]
    assert len(public) > 10
    assert undocumented == []

    tests = defaultdict(set)
    for node in nodes:
        if node["resource_type"] == "test" and node.get("test_metadata"):
            tests[node["attached_node"]].add((node["test_metadata"]["name"], node["column_name"]))
    fact = tests[models["fct_songplays"]["unique_id"]]
    for key in ("start_hour", "user_id", "song_id", "artist_id"):
        assert ("relationships", key) in fact
        assert must_not_be_null(models["fct_songplays"], key)
    # The log may lack these.
    assert {("relationships", "location"), ("relationships", "user_agent")} <= fact
    for table in ("fct_sessions", "dim_user_levels"):
        assert ("relationships", "user_id") in tests[models[table]["unique_id"]]
    assert ("relationships", "artist_id") in tests[models["dim_songs"]["unique_id"]]


def must_not_be_null(model: dict, column: str) -> bool:
    """Whether the engine itself refuses nulls in a column."""
    constraints = model["columns"][column]["constraints"]
    return model["contract"]["enforced"] and "not_null" in [each["type"] for each in constraints]


def test_every_model_is_a_mart_or_read_by_another(manifest: dict) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    read = {parent for model in models for parent in model["depends_on"]["nodes"]}
    others = {model["unique_id"] for model in models if model["fqn"][1] != "marts"}
    assert others - read == set()


def test_redshift_leaves_out_only_some_tests(redshift_project: RedshiftProject) -> None:
    """Unit tests and tests of seeds by default, and at night also tests of all history."""
    project = redshift_project

    def listed(*options: str) -> set[str]:
        run = project.run("dbt", "--quiet", "ls", "--target", "redshift", *options)
        assert run.code == 0, run.text
        return set(run.output.split())

    everything = listed("--select", "*", "source:*")
    static = listed("--select", "test_type:unit", "tag:static")
    weekly = listed("--select", "tag:weekly")
    assert len(everything) > 110
    assert listed() == everything - static
    assert listed("--selector", "nightly") == everything - static - weekly
    assert static < set(project.run("dbt", "--quiet", "ls", "--target", "local").output.split())


def test_exposures_name_who_reads_the_star(manifest: dict) -> None:
    """Each analysis belongs to one exposure, which depends on the tables that its analyses read."""
    analyses = {
        node["name"]: set(node["depends_on"]["nodes"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "analysis"
    }
    belonging = []
    for exposure in manifest["exposures"].values():
        names = exposure["config"]["meta"]["analyses"]
        read = set().union(*(analyses[name] for name in names))
        assert set(exposure["depends_on"]["nodes"]) == read
        assert exposure["description"]
        assert exposure["owner"]["email"].endswith("@example.com")
        belonging += names
    assert sorted(belonging) == sorted(analyses)


def test_freshness_is_reported(local_project: Project) -> None:
    local_project.load()
    run = local_project.dbt("source", "freshness")
    assert "PASS freshness of sparkify.staging_events" in run.output


def test_a_catalog_row_without_ids_is_a_warning(local_project: Project) -> None:
    local_project.write_songs("incomplete.json", {"title": "No id", "artist_name": "Artist 1"})
    local_project.load()
    local_project.dbt("run")
    run = local_project.run("dbt", "test", "--select", "assert_catalog_rows_have_ids")
    assert run.code == 0, run.text
    assert "WARN=1" in run.output
