"""`jointvos download-weights`: install models, and see which there are."""

from pathlib import Path
from typing import Annotated

import typer

from jointvos.cli import options
from jointvos.cli.console import data
from jointvos.errors import ConfigError, OutputExists


def download_weights(
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Checkpoint of the authors to convert."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="What to install it as, e.g. joint-davis."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Print the installed models, best first.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace an installed model of that name.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Install models, and list them.

    Prints the installed file. Checkpoints of the authors are fetched by browser for now and
    converted with --from; nothing in them is executed.
    """
    if show:
        if source is not None or name is not None:
            raise ConfigError("--list goes alone; leave out --from and --name")
        _list_models()
    elif source is None:
        raise ConfigError(
            "fetching models from the net is not built in yet; fetch the checkpoint from the "
            "authors' project page with a browser, then run "
            "`jointvos download-weights --from FILE --name NAME`"
        )
    elif name is None:
        raise ConfigError("--from needs --name, for example --name joint-davis")
    else:
        _install(source.expanduser(), name, force)


def _list_models() -> None:
    from jointvos.checkpoints.registry import KNOWN, cache_folder, installed

    models = installed()
    for name, path in models.items():
        data(f"{name}\t{path}")
    for model in KNOWN.values():
        if model.name not in models:
            typer.echo(f"not installed: {model.name}, {model.description}", err=True)
    typer.echo(f"models are installed in {cache_folder()}", err=True)


def _install(source: Path, name: str, force: bool) -> None:
    from jointvos.checkpoints.registry import SUFFIX, cache_folder, check_name

    target = cache_folder() / f"{check_name(name)}{SUFFIX}"
    if target.exists() and not force:
        raise OutputExists(f"{target} is there already; replace it with --force")
    from jointvos.checkpoints.convert import convert

    typer.echo(f"converting {source}", err=True)
    data(str(convert(source, name, target.parent)))
