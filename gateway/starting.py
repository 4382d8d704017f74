"""What a gateway answers over HTTP from its first moment: that it lives, and what it still waits for."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Starting:
    """How a gateway is whose broker or stores are not open yet. Fulfils `gateway.api.views.Health`.

    Attributes:
        waits_for: what has to come before it goes on.
    """

    def __init__(self) -> None:
        self.waits_for = "nothing is open yet"

    def alive(self) -> bool:
        """Whether the process does its work."""
        return True

    def ready(self) -> tuple[bool, str]:
        """Say that it is not ready, and why."""
        return False, f"starting: {self.waits_for}"


class Door:
    """The application that stands in for another until that is there. Its lifespan is the owner's affair."""

    def __init__(self, meanwhile: ASGIApp) -> None:
        self._app = meanwhile

    def open(self, app: ASGIApp) -> None:
        """Let this application answer all requests that come from now on."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self._app(scope, receive, send)
