"""Everything that the console says is translated."""

import pytest

from diagnostics.decision import Reason
from gateway.console.catalogue import misnamed, said_in, texts, unsaid, untranslated
from gateway.console.words import REASONS
from gateway.plainwords import words_of


@pytest.mark.parametrize("language", ["de", "zh"])
def test_every_text_has_its_translation_with_the_same_names(language):
    assert untranslated(language) == {}
    assert misnamed(language) == {}
    assert unsaid(language) == []


def test_texts_are_found_where_they_are_said_and_where_they_are_marked(tmp_path):
    (tmp_path / "page.py").write_text(
        'WORDS = {"a": msg("one")}\n\nprint(t("two {n}", n=3), t(name), u("no"))\n'
    )
    assert [tuple(said) for said in said_in(tmp_path)] == [("one", "page.py:1"), ("two {n}", "page.py:3")]
    assert {"Queue", "{number} new", words_of("too_deep")} <= texts().keys()


def test_every_reason_has_words():
    assert set(REASONS) == set(Reason)
