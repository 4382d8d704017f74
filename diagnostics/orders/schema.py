"""The service order's JSON Schema, for those who receive orders: ``python -m diagnostics.orders.schema``."""

import json
import sys

from diagnostics.orders.model import ServiceOrder


def schema_text() -> str:
    """Return the JSON Schema (draft 2020-12) of the order's document, as it stands in the docs."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ServiceOrder.model_json_schema(mode="serialization", by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
