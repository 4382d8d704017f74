"""Why something could not be used: the catalogue of the quarantine's reasons."""

from enum import StrEnum


class QuarantineReason(StrEnum):
    """One word a reason, a label of `forewarn_messages_quarantined_total`; `sentence` says it to people."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> "QuarantineReason":
        """Make the member whose value is `word`."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member

    PAYLOAD_TOO_LARGE = "payload_too_large", "The payload is larger than intake.max_payload."
    EMPTY_PAYLOAD = "empty_payload", "The payload is empty where a message was expected."
    NOT_UTF8 = "not_utf8", "The payload is not UTF-8."
    MALFORMED_JSON = "malformed_json", "The payload is not JSON."
    TOO_DEEP = "too_deep", "The payload nests deeper than any message does."
    NOT_AN_OBJECT = "not_an_object", "A JSON object was expected."
    WRONG_TYPE = "wrong_type", "A value has a type that can never stand in its place."
    WRONG_KIND = "wrong_kind", "A value is not of the kind that the catalogue declares for its signal."
    NOT_A_NUMBER = "not_a_number", "A value is nan, which JSON does not have."
    OUT_OF_RANGE = "out_of_range", "A number is infinite or beyond what a float can hold."
    BAD_TEXT = "bad_text", "A text holds a NUL or half of a surrogate pair, which no store can keep."
    TEXT_TOO_LONG = "text_too_long", "A text is longer than 256 characters."
    BAD_TOPIC = "bad_topic", "The topic is neither ROOT/TENANT/CLASS/DEVICE/LEAF nor that of a source."
    UNKNOWN_CLASS = "unknown_class", "The class is not one of phone, pc, server, appliance."
    BAD_IDENTIFIER = (
        "bad_identifier",
        "Tenant or device is not a name of 1 to 64 letters, digits and _ . : - signs.",
    )
    BAD_KEY = "bad_key", "A key is not SIGNAL or SIGNAL@COMPONENT of up to 64 allowed characters each."
    UNEXPECTED_KEY = "unexpected_key", "A key stands where the message's form has no place for it."
    TIMESTAMP_INVALID = "timestamp_invalid", "ts is neither milliseconds since 1970 nor RFC 3339."
    TIMESTAMP_IN_FUTURE = "timestamp_in_future", "ts is more than five minutes ahead of arrival."
    RETAINED_WITHOUT_TIME = "retained_without_time", "Retained telemetry without ts: its age is not known."
    TOO_MANY_SIGNALS = "too_many_signals", "The device named more distinct signals than one device can have."
    TOO_MANY_TEXTS = "too_many_texts", "The device sent more distinct texts than a mode or code can have."
    TOO_MANY_FACTS = "too_many_facts", "The device states more facts than one device can have."
    UNKNOWN_STATE = "unknown_state", "A reply's state is not running, passed, failed, unsupported or error."
    UNKNOWN_PROBE = "unknown_probe", "A reply names a self test that nobody waits for."
    UNKNOWN_CODEC_PAYLOAD = "unknown_codec_payload", "The payload is not of the format of the source's codec."
    WRONG_UNIT = "wrong_unit", "A value comes in a unit that cannot become that of its signal."
    NOT_ANNOUNCED = (
        "not_announced",
        "The message refers to something that its sender announces beforehand and has not.",
    )
    SOURCE_REPORTED_ERROR = (
        "source_reported_error",
        "The program that wrote the payload reports that it failed.",
    )


class Unusable(Exception):  # noqa: N818  (it never leaves gateway.wire; it is a finding, not an error)
    """Carries a reason and a sentence from where something is checked to where it is put aside."""

    def __init__(self, reason: QuarantineReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def shown(value: object, limit: int = 60) -> str:
    """Return a scalar that stood there, shortened, for a detail; lists and objects by their name."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "an integer of more than 19 digits"
    text = repr(value[: limit + 1]) if isinstance(value, str | bytes) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}..."
