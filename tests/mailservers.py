"""A real mail server (aiosmtpd): in the open or in TLS, with an account or without, unwilling as asked."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from servers import free_port


@dataclass(frozen=True)
class Taken:
    """A message that was taken, and over what it came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    over_tls: bool
    account: str | None


class MailServer:
    """Keeps messages; refuses with the given answers first.

    Args:
        refusals: answers to the first messages.
        recipients: answers to mailboxes.
        tls: what it serves with; None for none.
        implicit: TLS from the beginning instead of STARTTLS.
        account: name and password without which nothing is taken.
        silent: how many attempts to log in are never answered.
    """

    def __init__(self, *refusals, recipients=(), tls=None, implicit=False, account=None, silent=0):
        self.messages = []
        self.tried = 0
        self.logins = []
        self.scheme = "smtps" if implicit else "smtp"
        self._refusals = list(refusals)
        self._recipients = dict(recipients)
        self._account = account
        self._silent = silent
        keys = {}
        if tls is not None:
            keys = {"ssl_context": tls} if implicit else {"tls_context": tls}
        if account is not None:
            # aiosmtpd does not see that a connection which was TLS from the beginning is.
            keys |= {"authenticator": self._authenticate, "auth_required": True}
            keys |= {"auth_require_tls": tls is not None and not implicit}
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port(), **keys)

    def _authenticate(self, _server, _session, _envelope, mechanism, data):
        self.logins.append(mechanism)
        if len(self.logins) <= self._silent:
            return AuthResult(success=False)  # which says that the answer has been given
        name, password = self._account
        success = (data.login, data.password) == (name.encode(), password.encode())
        return AuthResult(success=success, handled=False, auth_data=name if success else None)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802  (aiosmtpd's name)
        if address in self._recipients:
            return self._recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  (aiosmtpd's name)
        self.tried += 1
        if self._refusals:
            return self._refusals.pop(0)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        over_tls = server.transport.get_extra_info("ssl_object") is not None
        self.messages.append(
            Taken(envelope.mail_from, envelope.rcpt_tos, message, over_tls, session.auth_data)
        )
        return "250 OK"

    @property
    def port(self):
        return self._controller.port

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def __enter__(self):
        # Its own look whether it is up speaks without TLS; what connects first finds it up all the same.
        self._controller.start()
        return self

    def __exit__(self, *_):
        self._controller.stop()
