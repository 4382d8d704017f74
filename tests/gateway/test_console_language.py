"""Which language the console speaks."""

import pytest

from gateway.console.language import preferred, t


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de-AT,de;q=0.9", "de"),
        ("fr, zh-CN;q=0.8, en;q=0.3", "zh"),
        ("zh-TW, fr", "en"),
        ("de;q=0, en", "en"),
        ("de;q=nonsense, zh", "zh"),
    ],
)
def test_the_best_of_what_a_browser_asks_for(header, language):
    assert preferred(header) == language


def test_values_are_put_in_by_name_and_texts_without_translation_stay():
    assert t("{number} of {all}", number=3, all=7) == "3 of 7"
    assert t("a { that is one") == "a { that is one"
