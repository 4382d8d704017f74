"""E-mail: a readable message for each event of an order, the order's JSON attached."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from gateway.dispatch.addresses import ForbiddenAddressError, connect
from gateway.dispatch.cloudevent import action_of, public_id, public_name
from gateway.dispatch.sending import NotDeliveredError, Sent, shortened
from gateway.dispatch.targets import Target
from gateway.dispatch.words import subject_of, text_of
from gateway.ports import Owed

_GOODBYE = 2.0  # seconds for a word of farewell
_PERMANENT = 500  # SMTP answers from here on are final (RFC 5321, 4.2.1)


class MailSender:
    """Sends messages by one mail server."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def send(self, owed: Owed) -> Sent:
        """Send a message; all recipients get it, or it is tried again.

        Raises:
            NotDeliveredError: the server did not take it, or not for all recipients.
        """
        target = self._target
        try:
            await self._send(message_of(owed, target))
        except TimeoutError:
            raise NotDeliveredError(f"no answer within {target.timeout:g} s") from None
        except ForbiddenAddressError as error:
            raise NotDeliveredError(str(error)) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            told = "; ".join(f"{refused.recipient}: {_told(refused)}" for refused in error.recipients)
            final = all(refused.code >= _PERMANENT for refused in error.recipients)
            raise NotDeliveredError(f"recipients were refused: {told}", final=final) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise NotDeliveredError(f"was refused: {_told(error)}", final=error.code >= _PERMANENT) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            told = shortened(str(error)) or type(error).__name__
            raise NotDeliveredError(f"no delivery by {target.host}: {told}") from None
        return Sent()

    async def close(self) -> None:
        """Nothing is kept open between messages."""

    async def _send(self, message: EmailMessage) -> None:
        target = self._target
        implicit = target.url.startswith("smtps:")
        must = target.username is not None  # no password over an open line
        server = aiosmtplib.SMTP(
            hostname=target.host,
            use_tls=implicit,
            start_tls=False if implicit else (True if must else None),
            username=target.username,
            password=target.credentials.password,
            tls_context=target.tls,
            timeout=target.timeout,
        )
        try:
            async with asyncio.timeout(target.timeout):
                connection = await connect(target.host, target.port, allow_private=target.allow_private)
                await server.connect(sock=connection)  # from here on it is the server's to close
                refused, _ = await server.send_message(message)
            with contextlib.suppress(TimeoutError, OSError, aiosmtplib.SMTPException):
                async with asyncio.timeout(_GOODBYE):  # the message is taken, whatever becomes of this
                    await server.quit()
        finally:
            server.close()
        if refused:
            told = "; ".join(
                f"{mailbox}: {answer.code} {answer.message}" for mailbox, answer in refused.items()
            )
            # The others have it; when it is tried again it comes to them with the same Message-ID.
            final = all(answer.code >= _PERMANENT for answer in refused.values())
            raise NotDeliveredError(f"some recipients were refused: {shortened(told)}", final=final)


def message_of(owed: Owed, target: Target) -> EmailMessage:
    """Return the message of an event; those of one order stand together in a mailbox."""
    order = json.loads(owed.payload)
    action = action_of(owed)
    domain = target.sender.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = target.sender
    message["To"] = ", ".join(target.to)
    message["Subject"] = subject_of(order, action)
    message["Date"] = format_datetime(datetime.fromtimestamp(owed.created / 1000, UTC))
    message["Message-ID"] = f"<{public_id(owed)}@{domain}>"
    message["References"] = f"<{owed.order_id}@{domain}>"
    if owed.event_id != owed.first_event_id:  # ticket systems go by this, mailboxes by the other
        message["In-Reply-To"] = f"<{public_name(owed.first_event_id)}@{domain}>"
    if target.auto_submitted:
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holidays are told to us
    message.set_content(text_of(order, action))
    message.add_attachment(
        json.dumps(order, ensure_ascii=False, indent=2).encode("utf-8"),
        maintype="application",
        subtype="json",
        filename=f"{owed.order_id}.json",
    )
    return message


def _told(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {shortened(error.message)}"
