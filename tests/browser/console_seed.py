"""A morning at a service desk: 200 devices, ten cases, four orders, written through the real ports."""

import random

from browser.console_courses import (
    COURSES,
    FRIDGE,
    LAPTOP,
    MARKUP,
    MEMORY_PC,
    NOW,
    PHONE,
    RACK,
    SERVER,
    SWELLING,
    WASHER,
    send,
)

from diagnostics.case import Case, CaseEvent, CaseState, Evidence, Probe
from diagnostics.decision import Decision, Reason
from diagnostics.orders.model import ServiceOrder
from gateway.ports import DeviceRecord, History, Ledger, LedgerWrite, Rejected
from rules.symbols import DeviceId, Symbols
from rules.times import DAY_MS, HOUR_MS, MINUTE_MS, to_rfc3339

MODELS = {
    "phone": ["Pixel 9a", "Galaxy A56", "Fairphone 5"],
    "pc": ["ThinkPad T14", "Latitude 7450", "EliteDesk 805"],
    "server": ["PowerEdge R760", "ProLiant DL380"],
    "appliance": ["W900", "KF 86", "AirCool 35"],
}
NAMES = {"phone": "phone", "pc": "pc", "server": "srv", "appliance": "washer"}


def sown(ledger: Ledger, history: History) -> Symbols:
    """Write the whole morning and return the symbols for later readings."""
    symbols = Symbols()
    ledger.commit(LedgerWrite(devices=fleet()))
    for write in story():
        ledger.commit(write)
    ledger.commit(LedgerWrite(rejected=rejected()))
    for device, every, course in COURSES:
        send(history, symbols, device, every, course)
    return symbols


def fleet() -> list[DeviceRecord]:
    chance = random.Random(7)
    records = []
    for device_class, count in (("phone", 60), ("pc", 60), ("server", 40), ("appliance", 40)):
        for number in range(1, count + 1):
            kind = NAMES[device_class]
            if device_class == "appliance" and number > 20:
                kind = "fridge"
            tenant = "nordfrost" if device_class == "appliance" else "acme"
            facts: dict[str, object] = {
                "model": "KF 86" if kind == "fridge" else chance.choice(MODELS[device_class]),
                "serial": f"{chance.randrange(16**8):08X}",
                "firmware": (f"{chance.randrange(1, 6)}.{chance.randrange(10)}.{chance.randrange(10)}"),
            }
            if device_class in ("pc", "server"):
                facts["os"] = "Debian 12" if device_class == "server" else "Windows 11"
                facts["components"] = {
                    "sda": {"model": "ST4000NM0035", "serial": "ZC17LKXB"},
                    "sdb": {"model": "ST4000NM0035", "serial": "ZC17M0Q2"},
                }
            name = f"{kind}-{number:03d}"
            if device_class == "phone":
                name = f"phone-{number * 2:03d}"
            records.append(
                DeviceRecord(
                    DeviceId(tenant, device_class, name),
                    facts,
                    chance.random() > 0.06,
                    NOW - chance.randrange(2_000, 90_000),
                )
            )
    return records


def rejected() -> list[Rejected]:
    topic = "fw/nordfrost/appliance/washer-011/telemetry"
    return [
        Rejected(
            topic,
            "malformed_json",
            "expected JSON, got an unclosed object at byte 31",
            b'{"ts": 1773306000000, "values": ',
            NOW - 40 * MINUTE_MS,
        ),
        Rejected(
            "fw/acme/toaster/t-1/telemetry",
            "unknown_class",
            "expected phone, pc, server or appliance, got 'toaster'",
            b'{"values": {"x": 1}}',
            NOW - 12 * MINUTE_MS,
        ),
        Rejected(
            topic,
            "time_in_the_future",
            "expected a ts at most 5 minutes ahead, got 2100-01-01T00:00:00Z",
            f'{{"ts": 4102444800000, "values": {{"error.code": "{MARKUP}"}}}}'.replace(
                '"window', '\\"window'
            ).encode(),
            NOW - 3 * MINUTE_MS,
        ),
    ]


class Told:
    """One case being told: its events and decisions in order."""

    def __init__(
        self,
        device: DeviceId,
        component: str,
        *,
        fault: str,
        title: str,
        rule: str,
        severity: str,
        onset: int,
    ) -> None:
        self.case = Case(
            case_id=f"case-{device.device}-{fault.replace('.', '-')}",
            tenant=device.tenant,
            device_class=device.device_class,
            device=device.device,
            component=component,
            fault=fault,
            title=title,
            rule=rule,
            severity=severity,
            onset=onset,
            updated=onset,
        )
        self.write = LedgerWrite(cases=[self.case])
        self.step("suspected", onset, Reason.SUSPECTED)

    def step(self, event: str, at: int, reason: Reason) -> None:
        case = self.case
        self.write.events.append(
            CaseEvent(
                event=event,
                at=at,
                tenant=case.tenant,
                device_class=case.device_class,
                device=case.device,
                component=case.component,
                rule=case.rule,
                fault=case.fault,
                case_id=case.case_id,
                reason=reason,
            )
        )
        state = {"suspected": CaseState.SUSPECTED, "reopened": CaseState.SUSPECTED}.get(event)
        case.state = state or CaseState(event)
        case.updated, case.reason = at, reason
        if event == "confirmed":
            case.confirmed_at = at
        if event in ("refuted", "cleared"):
            case.ended_at = at

    def said(self, at: int, outcome: str, reason: Reason, text: str, **values: object) -> None:
        case = self.case
        self.write.decisions.append(
            Decision(
                decision_id=f"{case.case_id}-{len(self.write.decisions)}",
                case_id=case.case_id,
                tenant=case.tenant,
                device_class=case.device_class,
                device=case.device,
                component=case.component,
                fault=case.fault,
                rule=case.rule,
                at=at,
                outcome=outcome,
                reason=reason,
                text=text,
                values={k.replace("__", "."): v for k, v in values.items()},
            )
        )
        case.updated, case.reason = max(case.updated, at), reason

    def saw(self, signal: str, at: int, value: object, limit: object = None) -> None:
        self.case.evidence.append(
            Evidence(rule=self.case.rule, signal=signal, at=at, value=value, limit=limit)
        )

    def asked(self, action: str, at: int, state: str = "sent", answered_at: int | None = None) -> None:
        self.case.probes.append(
            Probe(
                probe_id=f"{self.case.case_id}-{action}",
                rule=self.case.rule,
                action=action,
                component=self.case.component,
                state=state,
                sent_at=at,
                deadline=at + 30 * MINUTE_MS,
                answered_at=answered_at,
                result={"lba_of_first_error": 88213440} if action == "disk.self_test" else {},
            )
        )


def story() -> list[LedgerWrite]:
    """All cases, oldest first."""
    return [
        told.write
        for told in (
            _cleared(),
            _full(),
            _refuted(),
            _disk(),
            _fan(),
            _worn(),
            _warm(),
            _psu(),
            _swelling(),
            _drain(),
        )
    ]


def _disk() -> Told:
    at = NOW - 7 * HOUR_MS
    told = Told(
        SERVER,
        "sdb",
        fault="disk.media_wear",
        title="The disk is wearing out",
        rule="pending_sectors_growing",
        severity="major",
        onset=at,
    )
    told.saw("disk.pending_sectors@sdb", at, 2.0, 0.0)
    told.said(
        at,
        "note",
        Reason.SUSPECTED,
        (
            "Suspected that the disk is wearing out: 2 sectors wait to be replaced, and "
            "more than yesterday, for 10 minutes."
        ),
        disk__pending_sectors=2.0,
    )
    told.asked("disk.self_test", at + 1_000, "failed", at + 14 * MINUTE_MS)
    told.said(
        at + 1_000,
        "pending",
        Reason.PROBE_SENT,
        ("Asked the device for a self test of the disk; waiting for the answer until 03:00."),
    )
    done = at + 14 * MINUTE_MS
    told.saw("disk.reported_uncorrectable@sdb", NOW - 2 * HOUR_MS, 1.0, 0.0)
    told.saw("disk.temperature@sdb", done, 36.8)
    told.step("confirmed", done, Reason.CONFIRMED)
    told.case.order_id = "SO-7F3K2A"
    told.said(
        done,
        "order",
        Reason.CONFIRMED,
        (
            "Opened order SO-7F3K2A: the disk failed its own self test at 02:44, block "
            "88,213,440 cannot be read."
        ),
        lba_of_first_error=88213440.0,
    )
    told.write.orders.append(order_document(told.case, "SO-7F3K2A", done))
    return told


def _warm() -> Told:
    at = NOW - 70 * MINUTE_MS
    told = Told(
        FRIDGE,
        "",
        fault="fridge.warm",
        title="The fridge is too warm",
        rule="warm_with_door_closed",
        severity="critical",
        onset=at,
    )
    told.saw("fridge.temperature", at, 8.6, 8.0)
    told.saw("door.open", at, False)
    told.saw("compressor.power", at, 83.4, 10.0)
    told.said(
        at,
        "note",
        Reason.SUSPECTED,
        (
            "Suspected that the fridge is too warm: above 8 °C for two hours with the door "
            "closed and the compressor running."
        ),
        fridge__temperature=8.6,
    )
    told.asked("fridge.cooling_test", at, "failed", at + 20 * MINUTE_MS)
    told.said(
        at,
        "pending",
        Reason.PROBE_SENT,
        ("Asked the device for a cooling test; waiting for the answer until 08:50."),
    )
    told.step("confirmed", at + 20 * MINUTE_MS, Reason.CONFIRMED)
    told.case.order_id = "SO-9C41QD"
    told.said(
        at + 20 * MINUTE_MS,
        "order",
        Reason.CONFIRMED,
        ("Opened order SO-9C41QD: the cooling test failed, the temperature did not fall in 20 minutes."),
    )
    told.write.orders.append(order_document(told.case, "SO-9C41QD", at + 20 * MINUTE_MS))
    return told


def _drain() -> Told:
    at = NOW - 11 * MINUTE_MS
    told = Told(
        WASHER,
        "",
        fault="washer.not_draining",
        title="The washer does not drain",
        rule="pump_on_level_still",
        severity="major",
        onset=at,
    )
    told.saw("water.level", at, 118.0, 5.0)
    told.saw("drain.pump_on", at, True)
    told.saw("error.code", at, MARKUP)
    told.said(
        at,
        "note",
        Reason.SUSPECTED,
        (
            f"Suspected that the washer does not drain: pump on for 10 minutes, water still "
            f"at 118 mm, code {MARKUP} shown."
        ),
        water__level=118.0,
        error__code=MARKUP,
    )
    told.asked("washer.drain_test", at + 1_000)
    told.said(
        at + 1_000,
        "pending",
        Reason.PROBE_SENT,
        ("Asked the device for a drain test; waiting for the answer until 09:49."),
    )
    told.said(
        at + 1_000,
        "pending",
        Reason.WAITING_CONFIRMATION,
        ("No order yet: one signal alone does not confirm; waiting for the drain test."),
    )
    return told


def _psu() -> Told:
    at = NOW - 35 * MINUTE_MS
    told = Told(
        RACK,
        "1",
        fault="psu.failed",
        title="A power supply has failed",
        rule="psu_not_ok",
        severity="critical",
        onset=at,
    )
    told.saw("psu.ok@1", at, False, True)
    told.saw("psu.input_voltage@1", at, 229.4, 180.0)
    told.said(
        at,
        "note",
        Reason.SUSPECTED,
        (
            "Suspected that a power supply has failed: it calls itself not good although "
            "mains voltage is present."
        ),
    )
    told.step("confirmed", at + 2 * MINUTE_MS, Reason.CONFIRMED)
    told.case.order_id = "SO-4M8ZVE"
    told.said(
        at + 2 * MINUTE_MS,
        "order",
        Reason.CONFIRMED,
        "Opened order SO-4M8ZVE: a second signal agrees, redundancy is lost.",
    )
    told.write.orders.append(order_document(told.case, "SO-4M8ZVE", at + 2 * MINUTE_MS))
    return told


def _swelling() -> Told:
    at = NOW - 19 * MINUTE_MS
    told = Told(
        SWELLING,
        "",
        fault="battery.swelling_risk",
        title="The battery may swell",
        rule="over_voltage",
        severity="critical",
        onset=at,
    )
    told.saw("battery.health", at, "over_voltage", "good")
    told.said(
        at,
        "pending",
        Reason.WAITING_CONFIRMATION,
        ("No order yet: the battery reports over-voltage once; a second report after 30 minutes confirms."),
    )
    return told


def _worn() -> Told:
    at = NOW - 3 * HOUR_MS
    told = Told(
        PHONE,
        "",
        fault="battery.worn",
        title="The battery is worn",
        rule="capacity_below_80",
        severity="minor",
        onset=at,
    )
    told.saw("battery.capacity_ratio", at, 0.7831, 0.8)
    told.saw("battery.cycles", at, 912.0, 800.0)
    told.said(
        at,
        "pending",
        Reason.WAITING_CONFIRMATION,
        "No order yet: three full charges have to agree, one has so far.",
        agreeing_charges=1.0,
    )
    return told


def _refuted() -> Told:
    at = NOW - 9 * HOUR_MS
    told = Told(
        LAPTOP,
        "1",
        fault="fan.stopped",
        title="The fan has stopped",
        rule="zero_rpm_while_hot",
        severity="major",
        onset=at,
    )
    told.saw("fan.rpm@1", at, 0.0, 1.0)
    told.saw("cpu.temperature@0", at, 74.0, 70.0)
    told.asked("fan.test", at, "passed", at + 3 * MINUTE_MS)
    told.step("refuted", at + 3 * MINUTE_MS, Reason.REFUTED_BY_PROBE)
    told.said(
        at + 3 * MINUTE_MS,
        "no_order",
        Reason.REFUTED_BY_PROBE,
        "No order: the fan test passed, the fan reached 3,100 1/min.",
    )
    return told


def _fan() -> Told:
    device = DeviceId("acme", "server", "srv-022")
    at = NOW - 5 * HOUR_MS
    told = Told(
        device,
        "3",
        fault="fan.failed",
        title="A fan has failed",
        rule="fan_below_limit",
        severity="major",
        onset=at,
    )
    told.saw("fan.rpm@3", at, 610.0, 1200.0)
    told.step("confirmed", at + MINUTE_MS, Reason.CONFIRMED)
    told.case.order_id = "SO-2B7HNW"
    told.said(
        at + MINUTE_MS,
        "order",
        Reason.CONFIRMED,
        "Opened order SO-2B7HNW: below its low limit again after 60 seconds.",
    )
    told.write.orders.append(order_document(told.case, "SO-2B7HNW", at + MINUTE_MS))
    return told


def _full() -> Told:
    device = DeviceId("acme", "phone", "phone-076")
    at = NOW - 14 * HOUR_MS
    told = Told(
        device,
        "",
        fault="storage.full",
        title="The storage is full",
        rule="free_below_3_percent",
        severity="minor",
        onset=at,
    )
    told.saw("storage.free_ratio", at, 0.021, 0.03)
    told.said(
        at,
        "no_order",
        Reason.NEVER_AN_ORDER,
        ("No order: the owner frees storage; a message with instructions is enough."),
    )
    return told


def _cleared() -> Told:
    at = NOW - DAY_MS
    told = Told(
        MEMORY_PC,
        "A1",
        fault="memory.failing",
        title="A memory module is failing",
        rule="corrected_rising",
        severity="major",
        onset=at,
    )
    told.saw("memory.corrected_errors@A1", at, 31.0, 24.0)
    told.step("cleared", at + 2 * HOUR_MS, Reason.CLEARED_BEFORE_CONFIRMATION)
    told.said(
        at + 2 * HOUR_MS,
        "no_order",
        Reason.CLEARED_BEFORE_CONFIRMATION,
        "No order: the errors stopped before anything confirmed them.",
    )
    return told


def order_document(case: Case, order_id: str, at: int) -> ServiceOrder:
    """Return an order as the prefill would make it; the site's address and the contact are unknown."""
    appliance = case.device_class == "appliance"
    part = {
        "disk.media_wear": ("HDD-4T-NM", "Hard disk 4 TB, SAS, hot-plug"),
        "fridge.warm": ("KF86-FAN-02", "Evaporator fan with harness"),
        "psu.failed": ("PSU-1100T", "Power supply 1100 W Titanium"),
        "fan.failed": ("FAN-R760-3", "Fan module, high performance"),
    }[case.fault]
    return ServiceOrder.model_validate(
        {
            "order_id": order_id,
            "tenant": case.tenant,
            "state": "submitted",
            "opened_at": to_rfc3339(at),
            "case_id": case.case_id,
            "reason": "confirmed",
            "device": {
                "class": case.device_class,
                "device": case.device,
                "component": case.component or None,
                "model": "KF 86" if appliance else "PowerEdge R760",
                "serial": "7C01D9A4",
                "firmware": "2.4.1",
                "parent": None,
            },
            "fault": {
                "code": case.fault,
                "title": case.title,
                "severity": case.severity,
                "symptom": "Food gets warm" if appliance else "Read errors",
                "iris": None,
            },
            "diagnosis": {
                "confidence": 0.97,
                "causes": [{"cause": part[1].split(",")[0] + " worn out", "probability": 0.9}],
                "explanation": (
                    "Sectors that cannot be read are growing, and the disk's own self test failed."
                )
                if not appliance
                else (
                    "The fridge stays above 8 °C with the door closed while the compressor runs: "
                    "no air is moved."
                ),
                "evidence": [
                    {
                        "rule": e.rule,
                        "signal": e.signal,
                        "at": to_rfc3339(e.at),
                        "value": e.value,
                        "limit": e.limit,
                    }
                    for e in case.evidence
                ],
                "probes": [
                    {"action": p.action, "state": p.state, "at": to_rfc3339(p.answered_at or p.sent_at)}
                    for p in case.probes
                ],
                "remedies": [{"action": "Back up the data before the exchange", "state": "to_do"}],
            },
            "customer": {
                "owner": "Kröger Logistik GmbH",
                "contact": None,
                "language": "de",
                "time_zone": "Europe/Berlin",
            },
            "site": {"address": "Hafenstraße 12, 20457 Hamburg" if not appliance else None, "country": "DE"},
            "entitlement": {
                "status": "in_warranty",
                "coverage": "Parts and labour, next business day",
                "ends": "2027-05-01",
                "contract": None,
            },
            "service": {
                "channel": "on_site",
                "provider": {"id": "rep-hh", "name": "Nordtechnik Hamburg"},
                "skills": ["server hardware"] if not appliance else ["refrigeration", "electrical safety"],
                "minutes": 30,
                "respond_by": to_rfc3339(at + 4 * HOUR_MS),
                "resolve_by": to_rfc3339(at + 30 * HOUR_MS),
            },
            "parts": [
                {"part": part[0], "title": part[1], "quantity": 1, "warehouse": "Hamburg", "in_stock": True}
            ],
            "logistics": {
                "outbound": {"from": "Hamburg", "to": "Nordtechnik Hamburg"},
                "return": {"required": True, "to": "Returns centre Hannover"},
                "customs": None,
            },
            "estimate": {
                "currency": "EUR",
                "parts": 214.0,
                "labour": 65.0,
                "transport": 38.5,
                "payer": "brand",
            },
            "missing": [
                {"field": "customer.contact", "why": "the registry has no contact for this owner"},
                *([{"field": "site.address", "why": "the owner's site is unknown"}] if appliance else []),
                {"field": "device.parent", "why": "the device names none"},
            ],
            "links": {"console": f"http://127.0.0.1:8080/orders/{order_id}"},
        }
    )
