"""The API's description as a file: ``python -m gateway.api.openapi > docs/openapi.json``."""

import json
import sys

from gateway.api.app import describe_app


def openapi_text() -> str:
    """Return the OpenAPI document as indented JSON that ends with a newline."""
    return json.dumps(describe_app().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_text())
