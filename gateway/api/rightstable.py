"""The table of rights in docs/api.md, from the code: ``python -m gateway.api.rightstable``."""

import sys

from gateway.api.app import describe_app
from gateway.api.rights import Need, OwnAffairs, api_routes, declared

HEAD = ("| address | role | where | scope of a token |", "|---|---|---|---|")


def rights_table() -> str:
    """Return the rights of every route as a table in Markdown, sorted by address."""
    lines = {}
    for route in api_routes(describe_app()):
        need = declared(route)
        if not route.include_in_schema:
            continue
        for method in route.methods or ():
            address = f"`{method} {route.path_format}`"
            if isinstance(need, Need):
                where = (
                    "all tenants" if need.everywhere else "the tenant" if "{" in route.path else "any tenant"
                )
                told = f"| {address} | `{need.role}` | {where} | `{need.scope}` |"
            elif isinstance(need, OwnAffairs):
                told = f"| {address} | any | one's own | any |"
            else:
                told = f"| {address} | none | | |"
            lines[route.path_format, method] = told
    return "\n".join((*HEAD, *(lines[key] for key in sorted(lines)))) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rights_table())
