"""Logging in by a provider of identities: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636)."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.access.access import Access
from gateway.access.errors import LoginRefusedError
from gateway.access.logins import LoggedIn, Logins
from gateway.access.principal import Role
from gateway.access.records import ACCOUNT_NAME, Account
from gateway.access.secrets import key_of, new_secret, same
from gateway.access.settings import OidcTable
from gateway.errors import OutsideError
