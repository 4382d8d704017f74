"""The gettext catalogues that are shipped: English is the text itself, others stand in .po files."""

import ast
from collections.abc import Mapping
from functools import cache
from importlib import resources

#: Languages of the catalogues, besides English.
LANGUAGES = ("de", "zh")

ENGLISH = "en"

#: Chinese in traditional characters, which the catalogue for ``zh`` is not.
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})


def language_of(tag: str | None) -> str | None:
    """Return the language of a BCP 47 tag that texts are there in, None when they are in none."""
    if tag is None:
        return None
    language, *rest = tag.casefold().split("-")
    if language == "zh" and _TRADITIONAL & set(rest) and "hans" not in rest:
        return None
    return language if language in (ENGLISH, *LANGUAGES) else None


@cache
def catalogue_of(language: str) -> Mapping[str, str]:
    """Return the translations into one of `LANGUAGES`; none for English."""
    if language == ENGLISH:
        return {}
    path = resources.files("diagnostics").joinpath("catalogue", "locale", f"{language}.po")
    return parse_po(path.read_text(encoding="utf-8"))


def parse_po(text: str) -> dict[str, str]:
    """Read the entries of a gettext catalogue; its header, comments and what is not translated are left out.

    Contexts and plural forms are not read.

    Raises:
        ValueError: a line is neither a comment, a keyword with a quoted text nor a quoted text.
    """
    entries: dict[str, str] = {}
    parts: dict[str, str] = {}
    keyword = ""
    for number, line in enumerate([*text.splitlines(), 'msgid ""'], start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        word, _, quoted = stripped.partition(" ")
        if stripped.startswith('"'):
            word, quoted = keyword, stripped
        if word not in ("msgid", "msgstr") or len(quoted) < 2 or quoted[0] + quoted[-1] != '""':
            raise ValueError(f"line {number}: expected msgid or msgstr and a quoted text, got {stripped!r}")
        if word == "msgid" and keyword == "msgstr":
            entries[parts["msgid"]] = parts["msgstr"]
            parts = {}
        keyword = word
        parts[word] = parts.get(word, "") + str(ast.literal_eval(quoted))
    return {original: translated for original, translated in entries.items() if original and translated}
