"""The project as dbt sees it: documented, tested, without deprecations."""

from __future__ import annotations

from collections import defaultdict

import pytest

from .conftest import MARTS, Project, RedshiftProject


@pytest.fixture
def manifest(local_project: Project) -> dict:
    """What dbt makes of the project's files."""
    local_project.with_artifacts()
    parse = local_project.dbt("parse", "--no-partial-parse", "--show-all-deprecations")
    assert "eprecat" not in parse.text
    return local_project.artifact("manifest.json")


def test_all_is_described_and_tested(manifest: dict) -> None:
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
    for name, key in MARTS.items():
        assert ("unique", key) in tests[models[name]["unique_id"]]
        assert must_not_be_null(models[name], key)
    fact = tests[models["fct_songplays"]["unique_id"]]
    for key in ("start_hour", "user_id", "song_id", "artist_id"):
        assert ("relationships", key) in fact
        assert must_not_be_null(models["fct_songplays"], key)
    # Which the log may lack.
    assert {("relationships", "location"), ("relationships", "user_agent")} <= fact
    for table in ("fct_sessions", "dim_user_levels"):
        assert ("relationships", "user_id") in tests[models[table]["unique_id"]]
    assert ("relationships", "artist_id") in tests[models["dim_songs"]["unique_id"]]


def must_not_be_null(model: dict, column: str) -> bool:
    """Whether the engine refuses a null, which is why no test looks for one."""
    constraints = model["columns"][column]["constraints"]
    return model["contract"]["enforced"] and "not_null" in [each["type"] for each in constraints]


def test_models_read_what_their_layer_may(manifest: dict) -> None:
    """Staging alone reads sources, and all models are read or are marts."""
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    read = {parent for model in models for parent in model["depends_on"]["nodes"]}
    for model in models:
        layer = {"stg": "staging", "int": "intermediate", "dim": "marts", "fct": "marts"}
        assert model["fqn"][1] == layer[model["name"].split("_")[0]]
        reads_sources = any(n.startswith("source.") for n in model["depends_on"]["nodes"])
        assert reads_sources == (model["fqn"][1] == "staging")
        assert model["unique_id"] in read or model["fqn"][1] == "marts"


def test_what_redshift_leaves_out(redshift_project: RedshiftProject) -> None:
    """By default unit tests and tests of seeds, at night those of history too: nothing else."""
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


def test_exposures_say_who_reads_the_star(manifest: dict) -> None:
    """Each analysis belongs to one, which depends on the tables that its analyses read."""
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


def test_freshness_is_told(local_project: Project) -> None:
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
