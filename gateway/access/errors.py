"""Why somebody does not get what they ask for; each is shown as one sentence."""

from gateway.errors import UserError


class LoginRefusedError(UserError):
    """Name or password are wrong, or the account may not come in; which of these is not told."""


class LimitedError(UserError):
    """Asked too often.

    Attributes:
        seconds: after which it may be tried again.
    """

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class NotAllowedError(UserError):
    """Whoever asks has not the role for it."""


class NotThereError(UserError):
    """There is no such thing, or none that whoever asks may know of."""
