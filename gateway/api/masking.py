"""Personal data as a viewer sees it: the first letter and ``•••``, in every text that repeats it.

Personal are `customer.owner`, `customer.contact` and `site.address`. They are masked on the order itself, so
that whatever is made of it, API, pages, events, papers or tables, shows no more. Where people wrote them into
a note, their words are masked there as well, also where only a part of the name stands.
"""

import re
from collections.abc import Iterable

from diagnostics.decision import Decision
from diagnostics.orders.changes import OrderChange
from diagnostics.orders.model import Leg, ServiceOrder, Texts

MASK = "•••"

#: Words of names and addresses that are shorter stand in other texts for something else too often.
_SHORTEST_WORD = 4


def mask(text: str) -> str:
    """Return what a viewer sees of a personal text.

    >>> mask("Erika Mustermann")
    'E•••'
    """
    return f"{text[:1]}{MASK}"


def personal_of(order: ServiceOrder) -> list[str]:
    """Return the personal data of an order, as far as it is known."""
    found = (order.customer.owner, order.customer.contact, order.site.address)
    return [text for text in found if text and not is_masked(text)]


def is_masked(text: str) -> bool:
    """Say whether a text is what `mask` returns."""
    return len(text) <= len(MASK) + 1 and text.endswith(MASK)


def masked_order(order: ServiceOrder) -> ServiceOrder:
    """Return an order as a viewer sees it."""
    personal = personal_of(order)
    if not personal:
        return order
    whole, words = Masker(personal), Masker(personal, by_words=True)
    customer, site, diagnosis, logistics = order.customer, order.site, order.diagnosis, order.logistics
    owner, contact, address = (
        mask(it) if it else it for it in (customer.owner, customer.contact, site.address)
    )
    ends = {name: _leg(getattr(logistics, name), whole) for name in ("outbound", "device")}
    return order.model_copy(
        update={
            "customer": customer.model_copy(update={"owner": owner, "contact": contact}),
            "site": site.model_copy(update={"address": address}),
            "diagnosis": diagnosis.model_copy(update={"explanation": whole(diagnosis.explanation)}),
            "logistics": logistics.model_copy(update=ends),
            "texts": _texts(order.texts, whole),
            "missing": [entry.model_copy(update={"why": words(entry.why)}) for entry in order.missing],
            "choices": [entry.model_copy(update={"why": words(entry.why)}) for entry in order.choices],
        }
    )


def _leg(leg: Leg | None, masker: "Masker") -> Leg | None:
    if leg is None:
        return None
    ends = {"origin": leg.origin and masker(leg.origin), "to": leg.to and masker(leg.to)}
    return leg.model_copy(update=ends)


def _texts(texts: Texts | None, masker: "Masker") -> Texts | None:
    if texts is None:
        return None
    said = {"customer": masker(texts.customer), "technician": masker(texts.technician)}
    return texts.model_copy(update=said)


def masked_change(change: OrderChange, personal: list[str]) -> OrderChange:
    """Return a change of an order that holds these personal data as a viewer sees it."""
    return change.model_copy(update={"why": Masker(personal, by_words=True)(change.why)})


def masked_decision(decision: Decision, personal: list[str]) -> Decision:
    """Return a line of the ledger of a case whose order holds these personal data as a viewer sees it."""
    masker = Masker(personal, by_words=True)
    values = {
        name: masker(value) if isinstance(value, str) else value for name, value in decision.values.items()
    }
    return decision.model_copy(update={"text": masker(decision.text), "values": values})


class Masker:
    """Masks personal data wherever they stand in a text, whatever their case and their spaces are.

    Args:
        personal: names, contacts, addresses; their lines count by themselves.
        by_words: also where a word of them stands alone: a surname, a street, a telephone number.
    """

    def __init__(self, personal: Iterable[str], *, by_words: bool = False) -> None:
        wanted = {text.strip() for text in personal} - {""}
        wanted |= {part for text in wanted for part in _parts(text, by_words)}
        # The longest first: of a name within an address the address goes.
        patterns = [_pattern(text) for text in sorted(wanted, key=lambda text: (-len(text), text))]
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def __call__(self, text: str) -> str:
        """Return a text with what is personal in it masked."""
        return text if self._pattern is None else self._pattern.sub(lambda found: mask(found[0]), text)


def _pattern(text: str) -> str:
    inner = r"\s+".join(map(re.escape, text.split()))
    before = r"(?<!\w)" if text[0].isalnum() else ""
    after = r"(?!\w)" if text[-1].isalnum() else ""
    return f"{before}{inner}{after}"


def _parts(text: str, by_words: bool) -> set[str]:
    """Return the lines of a personal text, or its words and numbers too, that say something alone."""
    parts = {part.strip() for part in re.split(r"[,;\n]", text)}
    if by_words:
        parts |= set(re.findall(r"[^\W\d_][\w'\u2019-]*", text))
        parts |= set(re.findall(r"\+?\d[\d /()-]{4,}\d", text))
    return {part for part in parts if len(part) >= _SHORTEST_WORD}
