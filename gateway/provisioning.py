"""What a device needs to connect: an account or a certificate, its topics, and files that are ready to use.

A device is called TENANT/CLASS/DEVICE at the broker, and speaks in no other name (deploy/mosquitto/acl).
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import segno
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import OutsideError, UserError
from gateway.mqtt.addresses import BrokerAddress
from rules.symbols import DeviceId

#: mosquitto 2 hashes passwords by PBKDF2 with SHA-512, and its own tool with so many rounds. More would cost
#: the broker time at each login and add nothing: 192 bits of chance are not guessed.
_ROUNDS = 101
_SALT_BYTES = 12
_PASSWORD_BYTES = 24

#: The authority that signs the certificates of devices, in the data folder.
AUTHORITY = "devices-ca"
_AUTHORITY_DAYS = 3_650

#: A name in a certificate has so many letters at most (X.520, ub-common-name).
_LONGEST_COMMON_NAME = 64

_TELEGRAF = """\
# {device}: at the gateway the profile telegraf with topic = "telegraf/+/+/+/+", see docs/provisioning.md
[[outputs.mqtt]]
  servers = ["{server}"]
  topic = "telegraf/{device}/{{{{ .PluginName }}}}"
  client_id = "{device}"
  qos = 1
  data_format = "influx"
{credentials}"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """By what a device logs in: `password`, or `key` and `certificate` in PEM."""

    password: str | None = None
    key: bytes | None = None
    certificate: bytes | None = None

    @classmethod
    def of_chance(cls) -> "Credentials":
        """Return a password that nobody guesses."""
        return cls(password=secrets.token_urlsafe(_PASSWORD_BYTES))


def password_line(username: str, password: str) -> str:
    """Return a line of mosquitto's password file.

    Raises:
        UserError: the name has a colon, at which such a line is taken apart.
    """
    if ":" in username:
        raise UserError(
            f"{username}: expected a name without a colon for a password, or --method certificate"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{username}:$7${_ROUNDS}${'$'.join(encoded)}"


def enter_password(path: Path, username: str, password: str) -> bool:
    """Put an account into a password file, in place of the one of its name; say whether there was one.

    The file is replaced whole or not at all, and keeps its mode and owner.

    Raises:
        UserError: the name cannot stand in such a file.
        OutsideError: the file cannot be read or written.
    """
    line = password_line(username, password)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        others = [one for one in lines if not one.startswith(f"{username}:")]
        before = path.stat() if path.exists() else None
        text = "".join(f"{one}\n" for one in (*others, line))
        write_secret(path, text.encode())
        if before is not None:
            path.chmod(before.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.chown(path, before.st_uid, before.st_gid)
    except (OSError, UnicodeDecodeError) as error:
        raise OutsideError(f"{path}: {error}") from None
    return len(others) < len(lines)


class Authority:
    """A certificate authority of the gateway's own, which signs for devices only."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @property
    def pem(self) -> bytes:
        """Its certificate, which the broker is told to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @classmethod
    def of(cls, folder: Path, now: datetime) -> "Authority":
        """Return the authority of a data folder; the first caller makes it.

        Raises:
            UserError: its files are not those of an authority.
            OutsideError: they cannot be read or written.
        """
        key_path, path = folder / f"{AUTHORITY}.key", folder / f"{AUTHORITY}.crt"
        try:
            if not path.exists():
                key, certificate = _new_authority(now)
                write_secret(key_path, _key_pem(key))
                path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
            loaded = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
            found = x509.load_pem_x509_certificate(path.read_bytes())
        except OSError as error:
            raise OutsideError(f"{error.filename}: {error.strerror}") from None
        except (ValueError, TypeError):
            raise UserError(f"{path}: expected a certificate in PEM, and its key beside it") from None
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise UserError(f"{key_path}: expected a key of an elliptic curve")
        return cls(loaded, found)

    def sign_for(self, username: str, now: datetime, days: int) -> Credentials:
        """Return a new key and a certificate of so many days, whose common name is the device's.

        Raises:
            UserError: the name is too long for a certificate.
        """
        if len(username) > _LONGEST_COMMON_NAME:
            expected = f"a name of at most {_LONGEST_COMMON_NAME} letters for a certificate"
            raise UserError(f"{username}: expected {expected}, got {len(username)}")
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(username))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))  # clocks of devices
            .not_valid_after(min(now + timedelta(days=days), self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return Credentials(key=_key_pem(key), certificate=pem)


def _new_authority(now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("forewarn devices")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def topics_of(device: DeviceId, root: str) -> dict[str, str]:
    """Return a device's topics by what they are for; contract, section 1."""
    leaves = ("telemetry", "facts", "status", "command", "reply")
    return {leaf: "/".join((root, *device, leaf)) for leaf in leaves}


def connection_of(
    device: DeviceId, broker: BrokerAddress, root: str, credentials: Credentials
) -> dict[str, object]:
    """Return all that a device must know to connect, as its ``device.json`` says it."""
    name = "/".join(device)
    return {
        "broker": broker.url,
        "client_id": name,
        "username": name,
        **({"password": credentials.password} if credentials.password else {}),
        **({"key": "device.key", "certificate": "device.crt"} if credentials.certificate else {}),
        "topics": topics_of(device, root),
    }


def write_files(
    folder: Path, device: DeviceId, broker: BrokerAddress, root: str, credentials: Credentials
) -> list[Path]:
    """Write what the device is given into a folder that is its owner's alone; return the files.

    Raises:
        OutsideError: they cannot be written.
    """
    connection = connection_of(device, broker, root, credentials)
    files: dict[str, bytes] = {
        "device.json": json.dumps(connection, indent=1).encode() + b"\n",
        "telegraf.conf": _telegraf(device, broker, credentials).encode(),
    }
    if credentials.password is not None:
        files["password"] = f"{credentials.password}\n".encode()
        if device.device_class in ("pc", "server"):
            files["agent.txt"] = f"{_agent(device, broker, root)}\n".encode()
    if credentials.key is not None and credentials.certificate is not None:
        files |= {"device.key": credentials.key, "device.crt": credentials.certificate}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in files.items():
            write_secret(folder / name, content)
    except OSError as error:
        raise OutsideError(f"{error.filename}: {error.strerror}") from None
    return [folder / name for name in files]


def _agent(device: DeviceId, broker: BrokerAddress, root: str) -> str:
    words = [
        "forewarn agent",
        f"--broker {broker.url} --tenant {device.tenant} --class {device.device_class}",
        f"--device {device.device} --username {'/'.join(device)} --password-file password",
        *([f"--root {root}"] if root != "fw" else []),
    ]
    return " ".join(words)


def _telegraf(device: DeviceId, broker: BrokerAddress, credentials: Credentials) -> str:
    name = "/".join(device)
    told = {"username": name, "password": credentials.password}
    if credentials.certificate is not None:
        told = {"tls_cert": "/etc/telegraf/device.crt", "tls_key": "/etc/telegraf/device.key"}
    lines = "".join(f'  {key} = "{value}"\n' for key, value in told.items())
    server = f"{'ssl' if broker.tls else 'tcp'}://{broker.url.partition('://')[2]}"
    return _TELEGRAF.format(device=name, server=server, credentials=lines)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def qr_text(connection: Mapping[str, object]) -> Sequence[str]:
    """Return a QR code of a connection as lines of half blocks, for a device with a camera.

    It holds `broker`, `username` and `password` as JSON; the topics follow from the name.
    """
    told = {key: connection[key] for key in ("broker", "username", "password") if key in connection}
    code = segno.make(json.dumps(told, separators=(",", ":")), error="m", micro=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=4)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    return [
        "".join(blocks[upper, lower] for upper, lower in zip(rows[at], rows[at + 1], strict=True))
        for at in range(0, len(rows), 2)
    ]


def now_utc(now_ms: int) -> datetime:
    """Return an instant in ms since 1970 UTC as certificates take it."""
    return datetime.fromtimestamp(now_ms // 1000, UTC)
