"""An order in a real ticket system: Roundup, with its mail gateway, its REST API, and our detector in it."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from dispatching import SECRET
from gateways import PATIENCE, Device, gateway, now_ms
from mailservers import MailServer
from pages import ROOT
from servers import free_port, listens, wait_until

pytestmark = pytest.mark.server

BIN = Path(sys.executable).parent
MINUTE = 60_000
#: As under any WSGI server; Roundup's own refuses to run as root, as tests in a container do.
SERVER = """
import sys
from wsgiref.simple_server import make_server
from roundup.cgi.wsgi_handler import RequestDispatcher
make_server("127.0.0.1", int(sys.argv[2]), RequestDispatcher(sys.argv[1])).serve_forever()
"""
DETECTOR = ROOT / "deploy" / "roundup" / "forewarn_answers.py"


class Roundup:
    """A tracker as `roundup-admin` makes it; mails come in by `roundup-mailgw`, people by its REST API."""

    def __init__(self, folder):
        self.home = folder / "tracker"
        self.port = free_port()
        self._folder = folder
        settings = {
            "mail_domain": "example.org",
            "tracker_web": f"http://127.0.0.1:{self.port}/",
            "admin_email": "admin@example.org",
            "mail_debug": folder / "sent",
        }
        self._admin("install", "classic", "sqlite", ",".join(f"{k}={v}" for k, v in settings.items()))
        self._admin("initialise", "s3cret")
        self._admin("create", "user", "username=forewarn", "address=forewarn@example.org", "roles=User")
        people = ("username=moreau", "realname=J. Moreau", "address=moreau@example.org", "roles=User")
        self._admin("create", "user", *people, "password=m0reau")

    def _admin(self, *words):
        command = [BIN / "roundup-admin", "-i", self.home, *words]
        subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True, stdin=subprocess.DEVNULL)

    def tells(self, url):
        """Put our detector in; the tracker's own would open an issue again that gets mail after its end."""
        detectors = self.home / "detectors"
        (detectors / "statusauditor.py").unlink()
        (detectors / DETECTOR.name).write_bytes(DETECTOR.read_bytes())
        (detectors / "config.ini").write_text(f"[forewarn]\nurl = {url}\nsecret = {SECRET}\n")

    @contextlib.contextmanager
    def serving(self):
        log = (self._folder / "roundup.log").open("wb")
        command = [sys.executable, "-c", SERVER, str(self.home), str(self.port)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: listens(self.port), seconds=PATIENCE, what="Roundup's web server")
            yield
        finally:
            process.kill()
            process.wait(PATIENCE)
            log.close()

    def takes(self, content):
        """Hand a mail over as a mail server does; returns whether it was taken."""
        command = [BIN / "roundup-mailgw", self.home]
        told = subprocess.run(command, input=content, timeout=PATIENCE, capture_output=True, check=False)
        return told.returncode == 0

    def request(self, method, path, document=None, **headers):
        url = f"http://127.0.0.1:{self.port}/rest/data/{path}"
        headers |= {"X-Requested-With": "rest", "Origin": f"http://127.0.0.1:{self.port}"}
        return httpx.request(
            method, url, json=document, auth=("moreau", "m0reau"), headers=headers, timeout=PATIENCE
        )

    def ask(self, method, path, document=None):
        return self.request(method, path, document).raise_for_status().json()["data"]

    def issues(self):
        return self.ask("GET", "issue?@fields=title,messages,files,status")["collection"]

    def change(self, issue, **said):
        etag = self.ask("GET", f"issue/{issue}")["@etag"]
        return self.request("PATCH", f"issue/{issue}", said, **{"If-Match": etag})


class Piped(MailServer):
    """A mail server whose mailbox is a tracker."""

    def __init__(self, tracker):
        super().__init__()
        self._tracker = tracker

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  (aiosmtpd's name)
        taken = await asyncio.to_thread(self._tracker.takes, envelope.content)
        return "250 OK" if taken else "451 the tracker did not take it"


def test_an_order_is_worked_on_in_roundup(tmp_path, mosquitto):
    tracker = Roundup(tmp_path)
    with (
        contextlib.ExitStack() as stack,
        Piped(tracker) as mail,
        gateway(
            tmp_path,
            mosquitto.url,
            f'[[dispatch]]\nname = "roundup"\nkind = "email"\nurl = "{mail.url}"\nsecret = "{SECRET}"\n'
            'sender = "forewarn@example.org"\nto = ["issue_tracker@example.org"]\nallow_private = true\n'
            'auto_submitted = false\ntimeout = "60s"\n',
        ) as running,
        Device(mosquitto.url, "acme/appliance/wm") as device,
    ):
        tracker.tells(f"{running.url}/api/v1/answers/roundup")
        stack.enter_context(tracker.serving())
        begun = now_ms() - 60 * MINUTE
        for minute in range(20):
            device.measure(begun + minute * MINUTE, {"leak.detected": minute > 3})
        (issue,) = wait_until(tracker.issues, seconds=PATIENCE, what="the order as an issue")
        (order,) = running.items("orders")
        assert issue["title"].startswith(f"[{order['order_id']}] opened: ")
        (message,) = issue["messages"]
        said = tracker.ask("GET", f"msg/{message['id']}?@verbose=3")["attributes"]["content"]
        assert "wm" in said
        assert order["fault"]["title"] in said
        assert [each["id"] for each in issue["files"]], "the order's JSON is attached"

        held = {"state": "held", "note": "a part is on its way"}
        httpx.post(f"{running.url}/api/v1/orders/{order['order_id']}/state", json=held).raise_for_status()
        wait_until(lambda: len(tracker.issues()[0]["messages"]) == 2, seconds=PATIENCE, what="its update")

        word = tracker.ask("POST", "msg", {"content": "hose was worn, replaced", "author": "moreau"})
        messages = [*(each["id"] for each in tracker.issues()[0]["messages"]), word["id"]]
        tracker.change(issue["id"], status="resolved", messages=messages).raise_for_status()
        file = running.get(f"/api/v1/orders/{order['order_id']}").json()
        last = file["changes"][-1]
        assert (file["state"], last["outcome"]) == ("closed", "repaired")
        assert (last["who"], last["by"]) == ("J. Moreau (roundup)", "repairer")
        assert last["why"] == "hose was worn, replaced"
        wait_until(
            lambda: tracker.issues()[0]["title"].startswith(f"[{order['order_id']}] closed: "),
            seconds=PATIENCE,
            what="the end in the same issue",
        )
        assert len(tracker.issues()) == 1

        before = tracker.ask("GET", f"issue/{issue['id']}")["attributes"]["status"]
        refused = tracker.change(issue["id"], status="deferred")  # no door leads from closed to held
        assert refused.is_error, refused.text
        assert "possible: none" in refused.text
        assert tracker.ask("GET", f"issue/{issue['id']}")["attributes"]["status"] == before
        running.terminate()
