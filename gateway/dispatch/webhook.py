"""Webhooks: a CloudEvent in a POST that is signed by Standard Webhooks."""

from datetime import UTC, datetime

from standardwebhooks import Webhook

from gateway.dispatch.cloudevent import CONTENT_TYPE, cloud_event, public_id
from gateway.dispatch.http import HttpClient
from gateway.dispatch.sending import Sent
from gateway.dispatch.targets import Target
from gateway.ports import Owed


class WebhookSender:
    """Posts events to one URL, signed with each of the target's secrets."""

    def __init__(self, target: Target) -> None:
        self._url = target.url
        self._http = HttpClient(target)
        self._credentials = target.credentials

    async def send(self, owed: Owed) -> Sent:
        """Post an event.

        Raises:
            NotDeliveredError: it was not answered by 2xx.
        """
        body = cloud_event(owed)
        identity, now = public_id(owed), datetime.now(UTC)
        headers = {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(
                Webhook(secret).sign(identity, now, body.decode()) for secret in self._credentials.secrets
            ),
        }
        answer = await self._http.request("POST", self._url, headers=headers, body=body)
        answer.raise_for_status()
        return Sent()

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()
