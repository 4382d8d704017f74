"""Targets in the configuration, and the addresses to which nothing leaves."""

import ipaddress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from dispatching import SECRET
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import load_config
from gateway.dispatch.addresses import ForbiddenAddressError, is_public, resolve
from gateway.dispatch.circuit import Circuit
from gateway.dispatch.http import LONGEST_RETRY_AFTER, retry_after
from gateway.dispatch.targets import is_secret
from gateway.errors import UserError
from gateway.loading import load_targets
from gateway.pauses import Pauses, pause_after

WEBHOOK = '[[dispatch]]\nname = "a"\nkind = "webhook"\nurl = "https://crm.example.com/in"\n'
SIGNED = f'{WEBHOOK}secret = "{SECRET}"\n'
MAIL = '[[dispatch]]\nname = "m"\nkind = "email"\nurl = "smtp://mail.example.com"\n'


def loaded(tmp_path, text):
    path = tmp_path / "forewarn.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {})


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (WEBHOOK, 1, "secret: expected it or secret_file with kind 'webhook', but neither is there"),
        (f'{WEBHOOK}secret = "whsec_c2hvcnQ="\n', 5, "secret: expected whsec_ and 24 to 64 random bytes"),
        (f'{WEBHOOK}secret = "{SECRET[6:]}"\n', 5, "secret: expected whsec_ and 24 to 64 random bytes"),
        (f"{SIGNED}\n{SIGNED}", 8, "name: expected a name of its own, got 'a' again"),
        (f'{SIGNED}folder = "out"\n', 6, "folder: not a key of kind 'webhook'"),
        (f"{SIGNED}attempts = 0\n", 6, "attempts: expected at least 1, got 0"),
        (f'{SIGNED}paused = "perhaps"\n', 6, "paused: expected true or false, got 'perhaps'"),
        (f'{SIGNED}timeout = "0s"\n', 6, "timeout: expected at least 1s, got '0s'"),
        (f'{SIGNED}headers = {{ "X A" = "b" }}\n', 6, "headers.X A: expected the name of an HTTP header"),
        (f'{SIGNED}headers = {{ webhook-id = "b" }}\n', 6, "headers.webhook-id: this header is set by"),
        (f'{SIGNED}headers = {{ A = "b\\nC: d" }}\n', 6, "headers.A: expected printable ASCII"),
        (SIGNED.replace("https", "ftp"), 4, "url: expected https://HOST or http://HOST, got 'ftp://"),
        (SIGNED.replace("crm.ex", "u:pw@crm.ex"), 4, "url: expected no user or password in it"),
        (
            SIGNED.replace("crm.example.com", "10.0.0.7"),
            4,
            "url: expected a public address, or allow_private",
        ),
        (SIGNED.replace("crm.example.com", "[::1]"), 4, "url: expected a public address, or allow_private"),
        (f'{SIGNED}poll = "5s"\n', 6, "poll: not a key of kind 'webhook'"),
        (MAIL, 1, "sender: expected with kind 'email', but it is not there"),
        (f'{MAIL}sender = "x"\nto = ["a@b.de"]\n', 5, "sender: expected a mailbox such as"),
        (f'{MAIL}sender = "x@b.de"\nto = ["a@b.de, c@d.de"]\n', 6, "to: expected a mailbox such as"),
        (f'{MAIL}sender = "x@b.de"\nto = []\n', 6, "to: expected at least one mailbox, got []"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path, text, line, said):
    with pytest.raises(UserError) as refused:
        loaded(tmp_path, text)
    shown = str(refused.value).splitlines()
    assert any(f"forewarn.toml:{line}: dispatch." in problem and said in problem for problem in shown), shown
    for secret in (SECRET, SECRET[6:], "c2hvcnQ=", "pw@"):
        assert secret not in str(refused.value)


def test_secrets_come_from_files_several_at_a_time(tmp_path):
    other = "whsec_" + "A" * 40
    (tmp_path / "new").write_text(f"{SECRET}\n{other}\n")
    text = f'{WEBHOOK}secret_file = "{tmp_path}/new"\n'
    (target,) = load_targets(loaded(tmp_path, text))
    assert target.credentials.secrets == (SECRET, other)
    assert SECRET not in repr(target)
    (tmp_path / "new").write_text("hunter2\n")
    with pytest.raises(
        UserError, match=r"forewarn.toml:5: dispatch.0.secret_file: expected whsec_"
    ) as refused:
        load_targets(loaded(tmp_path, text))
    assert "hunter2" not in str(refused.value)
    (tmp_path / "new").unlink()
    with pytest.raises(UserError, match=r"forewarn.toml:5: dispatch.0.secret_file: No such file"):
        load_targets(loaded(tmp_path, text))


def test_certificates_that_cannot_be_used_are_pointed_at(tmp_path):
    text = f'{SIGNED}ca_file = "{tmp_path}/ca.pem"\n'
    with pytest.raises(UserError, match=r"forewarn.toml:6: dispatch.0.ca_file: No such file"):
        load_targets(loaded(tmp_path, text))
    (tmp_path / "ca.pem").write_text("no certificate\n")
    with pytest.raises(UserError, match=r"forewarn.toml:6: dispatch.0.ca_file: expected certificates in PEM"):
        load_targets(loaded(tmp_path, text))


def test_a_secret_has_enough_bytes():
    assert is_secret(SECRET)
    assert not is_secret("whsec_")
    assert not is_secret("whsec_" + "A" * 28)
    assert not is_secret("whsec_" + "é" * 32)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "no address",
    ],
)
def test_no_public_address(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_in_another_s_clothes_is_judged_as_itself(address):
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    translated = ipaddress.IPv6Address(ipaddress.IPv6Address("64:ff9b::").packed[:12] + address.packed)
    assert is_public(str(mapped)) == is_public(str(translated)) == is_public(str(address))


async def test_a_name_that_leads_inside_is_refused():
    with pytest.raises(ForbiddenAddressError, match=r"localhost leads to .*, no public address"):
        await resolve("localhost", 80, allow_private=False)
    assert await resolve("localhost", 80, allow_private=True)
    # However it is written.
    for written in ("2130706433", "0x7f000001", "127.1"):
        with pytest.raises(ForbiddenAddressError):
            await resolve(written, 80, allow_private=False)


def test_retry_after_is_read_as_number_and_as_date():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after("120", now) == 120.0
    assert retry_after(format_datetime(now + timedelta(minutes=5), usegmt=True), now) == 300.0
    assert retry_after(format_datetime(now - timedelta(minutes=5), usegmt=True), now) == 0.0
    assert retry_after("9" * 400, now) == LONGEST_RETRY_AFTER


@given(st.none() | st.text())
def test_a_retry_after_of_any_kind_gives_seconds_or_none(text):
    found = retry_after(text, datetime(2026, 1, 1, tzinfo=UTC))
    assert found is None or 0 <= found <= LONGEST_RETRY_AFTER


def test_a_circuit_opens_probes_and_closes():
    circuit = Circuit(4, 3, Pauses(10.0, 40.0))
    assert [circuit.room(0.0, under_way) for under_way in (0, 3, 4, 5)] == [4, 1, 0, 0]
    assert [circuit.failed(1.0), circuit.failed(1.0)] == [None, None]
    assert circuit.room(1.0, 0) == 4
    pause = circuit.failed(1.0)
    assert 0 <= pause <= 10
    assert circuit.is_open
    assert circuit.failed(1.0 + pause / 2) is None, "it began before the circuit was open"
    assert circuit.room(1.0 + pause / 2, 0) == 0
    probing = 1.0 + pause
    assert [circuit.room(probing, under_way) for under_way in (0, 1)] == [1, 0]
    longest = max(circuit.failed(1000.0 * number) for number in range(1, 200))
    assert 20 < longest <= 40
    assert circuit.answered()
    assert not circuit.answered(), "it is closed already"
    circuit.hold(1e9, 60.0)
    assert (circuit.room(1e9 + 59, 0), circuit.room(1e9 + 60, 0)) == (0, 4)


@given(st.integers(1, 10_000))
def test_pauses_grow_to_their_longest(failed):
    assert 0 <= pause_after(failed, 2.0, 3600.0) <= min(2.0 ** min(failed, 64), 3600.0)


def test_pauses_are_spread_over_all_of_their_length():
    pauses = [pause_after(5, 1.0, 100.0) for _ in range(1000)]
    assert min(pauses) < 2
    assert 14 < max(pauses) <= 16
