"""The list of mutations is up to date: each can still be made."""

from __future__ import annotations

from .mutations import MUTATIONS, ROOT


def test_every_mutation_can_be_made() -> None:
    for mutation in MUTATIONS:
        text = (ROOT / mutation.file).read_text(encoding="utf-8")
        assert mutation.made_in(text) != text
