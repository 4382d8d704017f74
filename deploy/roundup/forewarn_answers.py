"""A detector of Roundup (roundup-tracker.org) that tells forewarn what became of an order's issue.

It goes into the tracker's `detectors` folder. `detectors/config.ini` there says where the gateway is and with
what is signed, the secret of the target that mails orders to this tracker:

    [forewarn]
    url = https://forewarn.example.com/api/v1/answers/roundup
    secret = whsec_...

An issue is an order's when its title has the order's number in brackets, as forewarn's mails have. A change
of its status is told by STATES; one that is resolved closes the order, as repaired unless a keyword of the
issue is another outcome. What the technician writes with the change is the note. While the gateway cannot be
told, the change is refused, and may be made again.
"""

import base64
import hashlib
import hmac
import json
import re
import time
import uuid
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from roundup.exceptions import Reject

ORDER = re.compile(r"\[(SO-[A-Z0-9]+)\]")
OUTCOMES = ("no_fault_found", "other_fault", "cancelled")
STATES = {"need-eg": "pending", "deferred": "held", "in-progress": "inProgress", "testing": "inProgress"}
RESOLVED = ("resolved", "done-cbb")
TIMEOUT = 10  # seconds


def answer_of(db, cl, nodeid, before):
    """Return what a change of an issue answers to its order, None when it answers nothing."""
    order = ORDER.search(cl.get(nodeid, "title") or "")
    status = cl.get(nodeid, "status")
    if order is None or status is None or status == before.get("status", status):
        return None
    name = db.status.get(status, "name")
    if name in RESOLVED:
        keywords = {db.keyword.get(each, "name") for each in cl.get(nodeid, "keyword")}
        said = {"outcome": next((each for each in OUTCOMES if each in keywords), "repaired")}
    elif name in STATES:
        said = {"state": STATES[name]}
    else:
        return None
    user = db.getuid()
    who = db.user.get(user, "realname") or db.user.get(user, "username")
    written = [each for each in cl.get(nodeid, "messages") if each not in before.get("messages", [])]
    note = "\n".join(db.msg.get(each, "content") for each in written)
    return {"order_id": order.group(1), "who": who[:100], "note": note[:4000], **said}


def signed(body, secret):
    """Return the headers of Standard Webhooks for a body."""
    identity, at = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    key = base64.b64decode(secret.strip().removeprefix("whsec_"))
    signature = hmac.new(key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def tell(db, cl, nodeid, before):
    """Tell the gateway of a change, before it is committed."""
    answer = answer_of(db, cl, nodeid, before)
    if answer is None:
        return
    body = json.dumps(answer).encode()
    headers = signed(body, db.config.detectors["FOREWARN_SECRET"])
    parts = urlsplit(db.config.detectors["FOREWARN_URL"])
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        told = response.read()
    except (OSError, HTTPException) as error:
        raise Reject(f"forewarn could not be told, please try again: {error}") from None
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        detail = told.decode("utf-8", "replace")[:1000]
        raise Reject(f"forewarn refuses this: {response.status} {detail}")


def init(db):
    """Hear of every change of an issue."""
    db.issue.react("set", tell)
