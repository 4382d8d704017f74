"""A payload as announced templates read it, within the work that one message may cause."""

from gateway.wire.bare import text_of
from gateway.wire.documents import parse_document
from gateway.wire.reasons import QuarantineReason, Unusable
from gateway.wire.templates import NO_DOCUMENT, Templates, readable

MAX_TEMPLATED = 65_536  # bytes of a payload that templates may read
WORK = 4_000_000  # parts of templates times bytes of their payload, of one message
COMPILED = 4_000  # characters of templates that one message may be the first to need


class Templated:
    """A payload, parsed once for all templates that read it."""

    def __init__(self, payload: bytes, templates: Templates) -> None:
        self._bytes = payload
        self._templates = templates
        self._characters = COMPILED
        self._text = text_of(payload)
        self._document: object = None
        self._finding: Unusable | None = None
        self._parsed = False
        self._left = WORK

    def through(self, source: str) -> str:
        """Return what a template makes of the payload; empty where the payload lacks what it asks for.

        Raises:
            Unusable: the template or the payload is of no use to the other.
        """
        if not source:
            return self._text
        if source not in self._templates:
            self._characters -= len(source)
            if self._characters < 0:
                raise Unusable(
                    QuarantineReason.TOO_MANY_SIGNALS,
                    f"expected at most {COMPILED:,} characters of new templates for one message",
                )
        template = self._templates.compiled(source)
        if isinstance(template, str):
            raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"value_template: {template}")
        self._left -= template.weight * (len(self._bytes) + 100)
        if len(self._bytes) > MAX_TEMPLATED or self._left < 0:
            raise Unusable(
                QuarantineReason.PAYLOAD_TOO_LARGE, "the payload is too large for the templates that read it"
            )
        self._parse()
        try:
            text = template.render(self._text, NO_DOCUMENT if self._finding else self._document)
        except ValueError as error:
            raise Unusable(QuarantineReason.UNKNOWN_CODEC_PAYLOAD, f"value_template: {error}") from None
        if self._finding is not None and (not text or text == "None"):
            raise self._finding
        return text or ""

    def _parse(self) -> None:
        if not self._parsed:
            self._parsed = True
            try:
                self._document = readable(parse_document(self._bytes))
            except Unusable as finding:
                self._finding = finding
