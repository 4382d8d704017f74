"""What a provider of identities says of somebody: OpenID Connect Core 1.0, authorization code with PKCE."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.access.errors import LoginRefusedError
from gateway.access.secrets import new_secret, same
from gateway.access.settings import OidcTable
from gateway.errors import OutsideError

#: Seconds that somebody has at the provider, and for which its description holds.
PATIENCE = 600.0
DESCRIBED_FOR = 3600.0
MOST_PENDING = 10_000
TIMEOUT = 10.0

#: Seconds by which the clocks of provider and gateway may differ.
LEEWAY = 60

#: Signatures with a key of the provider's alone; those with a shared secret, and none, are not taken.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at the provider.

    Attributes:
        subject: never given to anyone else there.
        claims: what else it says.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """A login that goes on at the provider.

    Attributes:
        url: where the browser goes.
        secret: what the browser keeps meanwhile, so that nobody else can end the login in it.
    """

    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class _Pending:
    secret: str
    nonce: str
    verifier: str
    redirect_uri: str
    target: str
    until: float


class Provider:
    """A provider of identities as the configuration names it.

    Args:
        settings: the table ``[access.oidc]``.
        secret: of this client; None for a public one, which PKCE protects.
        monotonic: s.
        now: s since 1970 UTC, for the validity of what the provider signs.
    """

    def __init__(
        self,
        settings: OidcTable,
        secret: str | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._secret = secret
        self._monotonic = monotonic
        self._now = now
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    async def start(self, *, redirect_uri: str, target: str) -> Started:
        """Begin a login that ends at `redirect_uri` and then leads to `target`.

        Raises:
            OutsideError: the provider does not describe itself.
        """
        described = await self._description()
        state, now = new_secret(), self._monotonic()
        pending = _Pending(new_secret(), new_secret(), new_secret(), redirect_uri, target, now + PATIENCE)
        self._pending[state] = pending
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        url = prepare_grant_uri(
            described["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=" ".join(self.settings.scopes),
            state=state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),
            code_challenge_method="S256",
        )
        return Started(str(url), pending.secret)

    async def finish(self, answer: Mapping[str, str], secret: str) -> tuple[Identity, str]:
        """Return who came back from the provider, and where the login leads.

        Args:
            answer: parameters with which the provider sent the browser back.
            secret: what the browser kept.

        Raises:
            LoginRefusedError: the provider refused, or the answer is of no login of this browser.
            OutsideError: the provider does not answer, or not as it should.
        """
        pending = self._pending.pop(answer.get("state", ""), None)
        if pending is None or pending.until < self._monotonic() or not same(pending.secret, secret):
            raise LoginRefusedError("this login was not begun in this browser, or too long ago")
        described = await self._description()
        if answer.get("iss", described["issuer"]) != described["issuer"]:  # RFC 9207
            raise LoginRefusedError("the answer came from another provider")
        if "error" in answer:
            raise LoginRefusedError(f"the provider refused: {answer['error'][:100]}")
        tokens = await self._tokens(described, answer.get("code", ""), pending)
        claims = await self._verified(described, str(tokens.get("id_token", "")), pending.nonce)
        wanted = {self.settings.name_claim, self.settings.roles_claim}
        if not wanted <= claims.keys() and "userinfo_endpoint" in described:
            claims |= await self._told(described, str(tokens.get("access_token", "")), claims["sub"])
        return Identity(described["issuer"], claims["sub"], claims), pending.target

    async def _description(self) -> dict[str, Any]:
        now = self._monotonic()
        if self._described is not None and now - self._described[0] < DESCRIBED_FOR:
            return self._described[1]
        issuer = self.settings.issuer
        found = await self._get(f"{issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise OutsideError(f"{issuer}: describes itself as {found.get('issuer')!r}")
        for key in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(key), str):
                raise OutsideError(f"{issuer}: expected {key} in its description")
        self._described = (now, found)
        return found

    async def _tokens(self, described: dict[str, Any], code: str, pending: _Pending) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.verifier,
        }
        basic: tuple[str, str] | None = None
        client_id = self.settings.client_id
        ways = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret is None:
            form["client_id"] = client_id
        elif "client_secret_basic" in ways:
            basic = (quote(client_id, safe=""), quote(self._secret, safe=""))  # RFC 6749, 2.3.1
        else:
            form |= {"client_id": client_id, "client_secret": self._secret}
        found = await self._ask("POST", described["token_endpoint"], data=form, auth=basic)
        if "id_token" not in found:
            raise LoginRefusedError(f"the provider refused: {str(found.get('error', 'no identity'))[:100]}")
        return found

    async def _verified(self, described: dict[str, Any], token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an identity token whose signature and claims hold.

        An unknown key is looked for at the provider once more: it may have changed its keys.
        """
        told = described.get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [algorithm for algorithm in ALGORITHMS if algorithm in told]
        try:
            try:
                decoded = jwt.decode(token, await self._key_set(described), algorithms)
            except (InvalidKeyIdError, JoseError):
                self._keys = None
                decoded = jwt.decode(token, await self._key_set(described), algorithms)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": described["issuer"]},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "sub": {"essential": True},
                },
                {"client_id": self.settings.client_id, "nonce": nonce},
            )
            claims.validate(now=int(self._now()), leeway=LEEWAY)
        except (JoseError, ValueError) as error:
            raise LoginRefusedError(f"what the provider says is not valid: {error}") from None
        return dict(claims)

    async def _key_set(self, described: dict[str, Any]) -> KeySet:
        if self._keys is None:
            found = await self._get(described["jwks_uri"])
            try:
                self._keys = KeySet.import_key_set(cast(Any, found))
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise OutsideError(f"{described['jwks_uri']}: expected a set of keys: {error}") from None
        return self._keys

    async def _told(self, described: dict[str, Any], token: str, subject: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        found = await self._ask("GET", described["userinfo_endpoint"], headers=headers)
        return found if found.get("sub") == subject else {}

    async def _get(self, url: str) -> dict[str, Any]:
        return await self._ask("GET", url)

    async def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """Return the object that a request is answered with.

        Raises:
            OutsideError: there is no answer, or not one.
        """
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
                response = await client.request(method, url, **options)
                found = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise OutsideError(f"{url}: {error or type(error).__name__}") from None
        if not isinstance(found, dict) or response.status_code >= 500:
            raise OutsideError(f"{url}: answered {response.status_code}, and not with an object")
        return found
