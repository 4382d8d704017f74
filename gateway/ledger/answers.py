"""Answers that were given under an ``Idempotency-Key``, for requests that are sent again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.ledger.opening import open_engine, speaking, writing
from gateway.ledger.tables import answers
from gateway.ledger.writing import insert_into
from rules.times import DAY_MS

#: Answers that are kept, and how long; past either the oldest go.
MOST_KEPT = 10_000
KEPT_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    Attributes:
        request: hash of what was asked; another request under the same key is a mistake.
        headers: those that belong to the answer itself.
    """

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class SqlAnswers:
    """The answers in a ledger; any thread may call any method.

    Args:
        url: of the ledger, ``sqlite:///PATH``.
        most: answers that are kept.

    Raises:
        UserError: the URL is none, or what is there is not a ledger, or one of a newer forewarn.
        StoreUnavailableError: the database cannot be reached, or its disk refuses.
    """

    def __init__(self, url: str, *, most: int = MOST_KEPT) -> None:
        self._engine = open_engine(url)
        self._most = most

    def find(self, key: str, now: int) -> Answer | None:
        """Return what was answered under a key within the last 24 h before `now` (ms).

        Raises:
            StoreUnavailableError: nobody can say.
        """
        query = sa.select(answers).where(answers.c.key == key, answers.c.at > now - KEPT_MS)
        with speaking(self._engine), self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Answer(row.request, row.status, json.loads(row.headers), row.body)

    def keep(self, key: str, answer: Answer, now: int) -> None:
        """Keep an answer that was given at `now` (ms); what is too old, or too much, goes.

        Raises:
            StoreUnavailableError: it is not kept.
        """
        row = {
            "key": key,
            "request": answer.request,
            "status": answer.status,
            "headers": json.dumps(dict(answer.headers)),
            "body": answer.body,
            "at": now,
        }
        newest = sa.select(answers.c.at).order_by(answers.c.at.desc()).offset(self._most - 1).limit(1)
        with speaking(self._engine), writing(self._engine).begin() as connection:
            statement = insert_into(connection, answers).values(row)
            changed = {name: value for name, value in row.items() if name != "key"}
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changed))
            oldest = connection.execute(newest).scalar_one_or_none()
            gone = max(now - KEPT_MS, -1 if oldest is None else oldest - 1)
            connection.execute(sa.delete(answers).where(answers.c.at <= gone))

    def close(self) -> None:
        """Release the files."""
        self._engine.dispose()
