"""What a model may read is decided by its layer. Read from the SQL files, without dbt."""

from __future__ import annotations

import re

import pytest

from .conftest import ROOT

MAY_READ = {
    "staging": ("sources",),
    "intermediate": ("seeds", "staging", "intermediate"),
    "marts": ("seeds", "intermediate", "marts"),
}
PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}
MOST_LINES = 110
REFERENCE = re.compile(r"\b(ref|source)\(\s*['\"](\w+)['\"](?:\s*,\s*['\"](\w+)['\"])?")

MODELS = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "models").rglob("*.sql")}
LAYER_OF = {file.stem: path.split("/")[1] for path, file in MODELS.items()} | {
    path.stem: "seeds" for path in (ROOT / "seeds").glob("*.csv")
}


def mistakes(path: str, sql: str) -> list[str]:
    """What is wrong with a model, given its path in the project and its SQL."""
    layer, name = path.split("/")[1], path.split("/")[-1]
    if layer not in MAY_READ:
        return [f"{path} belongs to no layer: move it to {' or '.join(MAY_READ)}."]
    found = []
    if not name.startswith(PREFIXES[layer]):
        found.append(f"{path} needs the prefix of its layer, {' or '.join(PREFIXES[layer])}.")
    if (lines := len(sql.splitlines())) > MOST_LINES:
        found.append(f"{path} has {lines} lines: split a model of more than {MOST_LINES}.")
    for function, first, second in REFERENCE.findall(sql):
        read = "sources" if function == "source" else LAYER_OF.get(first, "nothing known")
        if read not in MAY_READ[layer]:
            target = f"{first}.{second}" if second else first
            found.append(
                f"{path} reads {target} ({read}): {layer} may read"
                f" {' and '.join(MAY_READ[layer])} only."
            )
    return found


def test_models_keep_to_their_layers() -> None:
    assert len(MODELS) > 10
    found = [each for path, file in MODELS.items() for each in mistakes(path, file.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "sql", "mistake"),
    [
        ("models/staging/stg_a.sql", "{{ ref('us_states') }}", "reads us_states (seeds)"),
        ("models/intermediate/int_a.sql", "{{ ref('dim_users') }}", "reads dim_users (marts)"),
        ("models/intermediate/int_a.sql", "{{ source('a', 'b') }}", "reads a.b (sources)"),
        ("models/marts/dim_a.sql", '{{ ref("stg_events") }}', "reads stg_events (staging)"),
        ("models/marts/dim_a.sql", "{{ ref('dim_b') }}", "reads dim_b (nothing known)"),
        ("models/marts/int_a.sql", "select 1", "needs the prefix"),
        ("models/reports/dim_a.sql", "select 1", "belongs to no layer"),
        ("models/marts/dim_a.sql", "\n" * 111, "has 111 lines"),
    ],
)
def test_a_mistake_is_named(path: str, sql: str, mistake: str) -> None:
    (found,) = mistakes(path, sql)
    assert found.startswith(f"{path} {mistake}")
