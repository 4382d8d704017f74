"""What the OpenAPI document says beyond the routes' own words: who may, and how it fails."""

from typing import Any

from fastapi import FastAPI

from gateway.access.principal import Role, Scope
from gateway.api.problems import MEDIA_TYPE
from gateway.api.rights import Need, Open, OwnAffairs, api_routes, declared

#: How somebody says who they are. The cookie's name has the prefix ``__Host-`` behind HTTPS.
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A personal token."},
    "session": {"type": "apiKey", "in": "cookie", "name": "forewarn", "description": "A login's session."},
}

_WORDS = {
    400: "The body cannot be read",
    401: "Nobody says who they are, or nobody knows them",
    403: "The caller may not",
    404: "There is no such thing, or it is another tenant's",
    409: "Not as things stand; the detail says what is possible",
    412: "It is another than `If-Match` says",
    422: "Something in the request is wrong",
    429: "Too often; ask again after `Retry-After` seconds",
    503: "The stores or the gateway are not at work; ask again after `Retry-After` seconds",
}
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def described(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document of an application with rights and problems in it."""
    document.setdefault("components", {})["securitySchemes"] = SCHEMES
    needs = {
        (route.path_format, method): declared(route)
        for route in api_routes(app)
        for method in route.methods or ()
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            need = needs.get((path, method.upper()))
            _say_who(operation, need)
            if isinstance(need, Need | OwnAffairs):
                for status in _statuses(path, method.upper(), need):
                    problem = {"description": _WORDS[status], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
                    operation["responses"].setdefault(str(status), problem)
            if path.startswith("/api/v1/"):
                for status in (400, 503) if "requestBody" in operation else (503,):
                    problem = {"description": _WORDS[status], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
                    operation["responses"].setdefault(str(status), problem)
            if "422" in operation["responses"]:
                operation["responses"]["422"] = _own_words(operation["responses"]["422"])
            operation["responses"] = {
                status: _with_problems_typed(response)
                for status, response in sorted(operation["responses"].items())
            }
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def _say_who(operation: dict[str, Any], need: Need | OwnAffairs | Open | None) -> None:
    if isinstance(need, OwnAffairs):
        operation["security"] = [{"bearer": []}, {"session": []}]
        return
    if not isinstance(need, Need):
        operation["security"] = []
        return
    operation["security"] = [{"bearer": [need.scope.value]}, {"session": []}]
    operation["description"] = f"{operation.get('description', '')}\n\n{words_of(need)}".strip()


def words_of(need: Need) -> str:
    """Return who may, in a sentence.

    >>> words_of(Need(Role.ENGINEER, Scope.ACT))
    'Needs the role `engineer` in the tenant; of a token the scope `act`.'
    """
    where = "in all tenants" if need.everywhere else "in the tenant"
    return f"Needs the role `{need.role}` {where}; of a token the scope `{need.scope}`."


def _statuses(path: str, method: str, need: Need | OwnAffairs) -> list[int]:
    """Return what every such request may be answered with when it fails."""
    statuses = [401, 403, 422, 503]
    if isinstance(need, OwnAffairs):
        return [*statuses, 404] if "{" in path else statuses
    if "{" in path:
        statuses.append(404)
    if method in _CHANGING and need.scope is not Scope.INGEST:
        statuses += [400] + ([409, 412] if need.role is not Role.VIEWER and "{" in path else [409])
    return statuses + ([429] if need.scope is Scope.INGEST else [])


def _own_words(response: dict[str, Any]) -> dict[str, Any]:
    """Return a description of wrong input as we answer it, and not as the framework would."""
    schemas = [content.get("schema", {}).get("$ref", "") for content in response.get("content", {}).values()]
    if any(schema.endswith("/HTTPValidationError") for schema in schemas):
        return {"description": _WORDS[422], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    return response


def _with_problems_typed(response: dict[str, Any]) -> dict[str, Any]:
    content = response.get("content", {})
    for media_type in list(content):
        if content[media_type].get("schema", {}).get("$ref", "").endswith("/Problem"):
            content[MEDIA_TYPE] = content.pop(media_type)
    return response
