"""Errors that have a reader: what the user gave is wrong, or something outside failed."""


class ForewarnError(Exception):
    """Base of all errors that are shown as one sentence and never as a traceback."""

    exit_status = 1


class UserError(ForewarnError):
    """What the user gave is wrong: configuration, rule pack, registry file, argument. Exit status 1."""


class OutsideError(ForewarnError):
    """Something outside failed: broker, database, disk. Exit status 3."""

    exit_status = 3


class StoreUnavailableError(OutsideError):
    """A store could not take or give; nothing was changed and the same call may be made again."""
