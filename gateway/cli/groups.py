"""Groups of commands that several files add to."""

import typer


def group_of(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """Return the group of this name; the first caller makes it, and gives it its help text."""
    for known in app.registered_groups:
        if known.name == name and known.typer_instance is not None:
            return known.typer_instance
    group = typer.Typer(help=text, no_args_is_help=True)
    app.add_typer(group, name=name)
    return group
