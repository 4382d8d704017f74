"""Silences; and cases by fault, model, urgency and who looks after them."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_RANKS = {"critical": 0, "major": 1, "minor": 2}
_AT_ONCE = 1_000


def upgrade() -> None:
    """Create the table of silences, and make the table of cases anew with its further columns.

    They stand before the document: what comes after it is found only by reading past it.
    """
    op.create_table(
        "silences",
        sa.Column("silence_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("starts", sa.BigInteger, nullable=False),
        sa.Column("over_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("silences_newest", "silences", ["created_at", "silence_id"])
    op.create_index("silences_over", "silences", ["over_at"])
    cases = op.create_table(
        "cases_anew",
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("device_class", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("site", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("acknowledged", sa.Boolean, nullable=False),
        sa.Column("has_outcome", sa.Boolean, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("onset", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    _copy(op.get_bind(), cases)
    op.drop_table("cases")
    op.rename_table("cases_anew", "cases")
    op.create_index("cases_newest", "cases", ["onset", "case_id"])
    op.create_index("cases_of_device", "cases", ["tenant", "device_class", "device"])
    op.create_index("cases_state", "cases", ["state"])
    op.create_index("cases_urgent", "cases", ["is_open", "rank", "onset", "case_id"])
    op.create_index(
        "cases_like_model", "cases", ["tenant", "fault", "device_class", "has_outcome", "model", "onset"]
    )
    op.create_index("cases_like_class", "cases", ["tenant", "fault", "device_class", "has_outcome", "onset"])


def _copy(connection: sa.Connection, cases: sa.Table) -> None:
    """Fill the table from the one of before, and the new columns from the documents."""
    before = sa.table("cases", sa.column("case_id"), sa.column("document"))
    last = ""
    while True:
        query = sa.select(before.c.case_id, before.c.document).where(before.c.case_id > last)
        rows = connection.execute(query.order_by(before.c.case_id).limit(_AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1].case_id
        connection.execute(sa.insert(cases), [_row(connection, row.document) for row in rows])


def _row(connection: sa.Connection, document: str) -> dict[str, object]:
    case = json.loads(document)
    model = _model(connection, case)
    place = f"{case['tenant']}/{case['device_class']}/{case['device']}"
    words = (
        place,
        case["component"],
        model,
        case["fault"],
        case["title"],
        case.get("assignee"),
        case["case_id"],
        case.get("order_id"),
    )
    plain = ("case_id", "tenant", "device_class", "device", "state", "severity", "fault", "reason")
    return {name: case[name] for name in (*plain, "onset", "updated")} | {
        "rank": _RANKS[case["severity"]],
        "is_open": case["state"] in ("suspected", "confirmed"),
        "model": model,
        "site": None,
        "assignee": case.get("assignee"),
        "acknowledged": case.get("acknowledged_by") is not None,
        "has_outcome": (case.get("order") or {}).get("outcome") is not None,
        "search": " ".join(word for word in words if word).lower(),
        "order_id": case.get("order_id"),
        "document": json.dumps(case | {"model": model}, separators=(",", ":")),
    }


def _model(connection: sa.Connection, case: dict[str, object]) -> str | None:
    """Return the model that the device of a case says it is."""
    devices = sa.table(
        "devices", *(sa.column(name) for name in ("tenant", "device_class", "device", "facts"))
    )
    query = sa.select(devices.c.facts).where(
        *(devices.c[name] == case[name] for name in ("tenant", "device_class", "device"))
    )
    facts = connection.execute(query).scalar_one_or_none()
    model = json.loads(facts).get("model") if facts else None
    return model if isinstance(model, str) else None
