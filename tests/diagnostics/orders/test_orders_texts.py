import json
import string

import pytest
from orders_world import FAULTS, OPENED_AT, PHONE, PHONE_FACTS, WASHER, WASHER_FACTS, case_of, world

from diagnostics.orders.model import ServiceOrder
from diagnostics.orders.prefill import prefill
from diagnostics.orders.registry import Owner
from diagnostics.orders.texts import SENTENCES
from diagnostics.orders.translations import LANGUAGES, catalogue_of, language_of, parse_po

TITLES = {fault.title for fault in FAULTS if fault.order}
ADVICE = {fault.advice for fault in FAULTS if fault.order and fault.advice}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_sentence_title_and_advice_and_no_other(language: str) -> None:
    assert set(catalogue_of(language)) == {*SENTENCES, *TITLES, *ADVICE}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_names_what_its_original_names(language: str) -> None:
    for original, translated in catalogue_of(language).items():
        assert fields(translated) == fields(original), original


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-CH", "de"),
        ("DE", "de"),
        ("en-GB", "en"),
        ("zh", "zh"),
        ("zh-Hans-CN", "zh"),
        ("zh-TW", None),
        ("zh-Hant", None),
        ("fr", None),
        (None, None),
    ],
)
def test_the_language_of_a_tag(tag: str | None, language: str | None) -> None:
    assert language_of(tag) == language


@pytest.mark.parametrize("line", ["msgid x", 'msgstr[0] "a"', "nonsense", '"a'])
def test_what_is_no_catalogue_is_told_with_its_line(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: expected msgid or msgstr"):
        parse_po(f"# comment\n{line}\n")


def test_a_text_over_several_lines_is_one() -> None:
    text = 'msgid ""\n"two "\n"parts"\nmsgstr "zwei \\"Teile\\""\n\nmsgid "open"\nmsgstr ""\n'
    assert parse_po(text) == {"two parts": 'zwei "Teile"'}


def order_in(language: str | None, fault: str = "washer.not_draining") -> ServiceOrder:
    owners = {"anna": Owner("anna", "Anna {Weber}", "anna@example.org", language, "Europe/Berlin")}
    return prefill(
        case=case_of(WASHER, fault),
        confirmed_by="",
        explanation="",
        confidence=None,
        facts=WASHER_FACTS,
        registry=world(owners=owners),
        faults=FAULTS,
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url=None,
    )


def test_the_customer_reads_in_his_own_language() -> None:
    order = order_in("de-AT")
    assert order.texts is not None
    assert order.texts.language == "de"
    assert order.texts.customer == (
        "Guten Tag Anna {Weber},\n"
        "Ihr Gerät W900 meldet einen Fehler: Pumpt nicht ab.\n"
        "Bis zur Reparatur: Das Sieb erst öffnen, wenn das Wasser abgelassen ist; es kann heiß sein.\n"
        "Vogt Hausgeräte Kassel repariert es bei Ihnen vor Ort.\n"
        "Es soll bis zum 03.01.2026 repariert sein.\n"
        "Die Reparatur zahlt die Garantie."
    )
    assert "Teile: 1 x Drain pump 30 W (ACME-PUMP-1)." in order.texts.technician
    chinese = order_in("zh-CN").texts
    assert chinese is not None
    assert "预计于 2026年01月03日 之前修复。" in chinese.customer


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("fr", "English, since there are no texts in fr"),
        (None, "English, since the customer's language is not known"),
    ],
)
def test_another_language_falls_back_to_english_and_says_so(language: str | None, why: str) -> None:
    order = order_in(language)
    assert order.texts is not None
    assert order.texts.language == "en"
    assert "your device W900 reports a fault: Does not drain." in order.texts.customer
    assert why in {choice.why for choice in order.choices}
    assert not any(choice.field == "texts.language" for choice in order_in("en").choices)


def test_a_title_of_the_users_own_stays_as_it_is_and_says_so() -> None:
    order = order_in("de", "washer.knob_lost")
    assert order.texts is not None
    assert "Title of the rule" in order.texts.customer
    assert "the fault's title is the rule's own and is not translated" in {one.why for one in order.choices}


def test_an_order_kept_before_there_were_texts_still_reads() -> None:
    document = order_in("de").document()
    del document["texts"], document["choices"]
    assert ServiceOrder.model_validate(json.loads(json.dumps(document))).texts is None


def test_danger_is_told_first_to_both() -> None:
    order = prefill(
        case=case_of(PHONE, "battery.swelling_risk"),
        confirmed_by="",
        explanation="",
        confidence=None,
        facts=PHONE_FACTS,
        registry=world(),
        faults=FAULTS,
        opened_at=OPENED_AT,
        reason="confirmed",
        console_url=None,
    )
    assert order.texts is not None
    assert order.texts.customer.splitlines()[2].startswith("Danger: Unplug it")
    assert "Danger: Unplug it" in order.texts.technician
