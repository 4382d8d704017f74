"""The key with which hand-overs are signed: Ed25519 (RFC 8032), made on first use, for its owner's eyes."""

import os
from pathlib import Path
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import UserError

#: In the data folder, PKCS 8 in PEM, mode 0600.
KEY_FILE = "handover.key"


class SigningKey:
    """Signs bytes, and gives the public key that checks them."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def of(cls, folder: Path) -> "SigningKey":
        """Return the key of a data folder; the first caller makes it.

        Raises:
            UserError: the key cannot be read or made, or is none.
        """
        path = folder / KEY_FILE
        try:
            if not path.exists():
                _make(path)
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        try:
            private = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise UserError(f"{path}: expected an Ed25519 private key in PEM")
        return cls(private)

    @property
    def public_pem(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in PEM."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        """Return the signature of 64 bytes."""
        return self._private.sign(data)


def _make(path: Path) -> None:
    """Make the key whole or not at all; whoever comes second finds the first one's."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def is_signed(public_pem: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature over data is that of a public key; a key that is none has signed nothing."""
    try:
        public = serialization.load_pem_public_key(public_pem)
    except ValueError:
        return False
    if not isinstance(public, Ed25519PublicKey):
        return False
    try:
        public.verify(signature, data)
    except InvalidSignature:
        return False
    return True
