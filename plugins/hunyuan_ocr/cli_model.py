"""The command line's ``model`` part: fetch the weights, and check an engine before a run depends on it."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.settings import EngineName, Settings

if TYPE_CHECKING:
    from hunyuan_ocr.engines.server_options import ServerOptions

app = typer.Typer(no_args_is_help=True, help="HunyuanOCR: its weights and the engine that runs it.")

EngineOption = Annotated[
    str | None, typer.Option(help="rapidocr, vllm, openai_server or transformers; by default what the settings name.")
]
UrlOption = Annotated[
    str | None,
    typer.Option(help="Address of a server, in place of the Airflow connection; its key is taken from API_KEY."),
]
ServedModelOption = Annotated[
    str, typer.Option(help="The name that server knows the model by; by default the model's id.")
]


@app.command()
def download(
    to: Annotated[Path | None, typer.Option(help="Folder for the weights; by default Hugging Face's cache.")] = None,
) -> None:
    """Fetch the pinned revision of the weights, after the licence was accepted in the settings."""
    from hunyuan_ocr.engines.download import download_model

    settings = Settings.load()
    folder = download_model(settings.model_spec, to, licence_accepted=settings.accept_tencent_licence)
    typer.echo(f"{folder}\nSet [hunyuan_ocr] model to this folder where the engine runs.")


@app.command()
def check(engine: EngineOption = None, url: UrlOption = None, served_model: ServedModelOption = "") -> None:
    """Start the engine as an OCR task would, probe included, and say what it is."""
    settings, server = chosen(engine, url, served_model)
    typer.echo(asyncio.run(_checked(settings, server)))


def chosen(engine: str | None, url: str | None, served_model: str = "") -> tuple[Settings, ServerOptions | None]:
    """The settings with the engine the command line asks for, and the server when it gives an address."""
    settings = Settings.load()
    name = EngineName.of(engine) if engine else EngineName.OPENAI_SERVER if url else settings.engine
    if not url:
        return replace(settings, engine=name), None
    if name is not EngineName.OPENAI_SERVER:
        raise ConfigurationError(f"--url is the address of a server; engine {name} has none.")
    from hunyuan_ocr.engines.server_options import ServerOptions

    # Not an option: what stands on a command line is seen by everybody on the machine.
    key = os.environ.get("API_KEY", "")
    server = ServerOptions((url,), served_model=served_model, api_key=key, connection="--url, API_KEY, --served-model")
    return replace(settings, engine=name), server


async def _checked(settings: Settings, server: ServerOptions | None) -> str:
    from hunyuan_ocr.hooks.engine_factory import open_engine

    started = time.monotonic()
    async with open_engine(settings, server) as engine:
        took = time.monotonic() - started
        return f"{engine.key} answers; up to {engine.capacity} questions at once; started in {took:.1f} s"
