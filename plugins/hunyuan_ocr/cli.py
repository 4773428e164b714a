"""The command line: ``hunyuan-ocr read``, ``eval``, ``prompts``, ``model`` and ``db``.

It reads and measures without Airflow, a mailbox or a database; only ``db`` needs the database.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hunyuan_ocr import cli_model
from hunyuan_ocr.exceptions import DocumentError, HunyuanOCRError
from hunyuan_ocr.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from hunyuan_ocr.engines.server_options import ServerOptions
    from hunyuan_ocr.extraction.reconcile import Extraction
    from hunyuan_ocr.intake.reading import Wish
    from hunyuan_ocr.intake.results import DocumentResult

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db_app = typer.Typer(no_args_is_help=True, help="The database of the pipeline store and the staging tables.")
app.add_typer(db_app, name="db")
app.add_typer(cli_model.app, name="model")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Profile = Annotated[str | None, typer.Option(help="Prompt profile; by default it is found from the page.")]


@app.command()
def read(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A PDF or an image.")],
    profile: Profile = None,
    engine: cli_model.EngineOption = None,
    url: cli_model.UrlOption = None,
    served_model: cli_model.ServedModelOption = "",
    instruction: Annotated[str, typer.Option(help="Words HunyuanOCR is asked in place of the official ones.")] = "",
    key: Annotated[list[str] | None, typer.Option(help="A label, as printed, to ask HunyuanOCR for besides.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the invoice in one document with its evidence: where on which page each value stands.

    With a profile that keeps text (translation, parsing) the text is printed.
    """
    from hunyuan_ocr.intake.reading import Wish

    wish = Wish(profile, instruction, tuple(key or ()))
    (result,) = _read_files([file], wish, *cli_model.chosen(engine, url, served_model))
    if result.problem is not None:
        raise result.problem
    if result.text is not None:
        typer.echo(json.dumps({"text": result.text}, ensure_ascii=False) if as_json else result.text)
    elif result.extraction is not None and as_json:
        typer.echo(json.dumps(_as_json(result.extraction), ensure_ascii=False, indent=2))
    elif result.extraction is not None:
        _print_extraction(file.name, result.extraction)


@app.command("eval")
def evaluate_manifest(
    manifest: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A manifest.json with ground truth.")],
    profile: Profile = None,
    engine: cli_model.EngineOption = None,
    url: cli_model.UrlOption = None,
    served_model: cli_model.ServedModelOption = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="List every missing and wrong field.")] = False,
    as_json: AsJson = False,
) -> None:
    """Score the readers over a labelled set: exact, missing, wrong and invented values per field and kind."""
    from hunyuan_ocr.evaluation.manifest import load_manifest
    from hunyuan_ocr.evaluation.report import render
    from hunyuan_ocr.evaluation.run import evaluate
    from hunyuan_ocr.intake.reading import Wish

    settings, server = cli_model.chosen(engine, url, served_model)
    labelled = load_manifest(manifest)
    files = dict.fromkeys(document.path for document in labelled.documents)
    # Lazily, in the order they are scored in; but a model is started once and reads them all, mixed.
    results = _read_files(files, Wish(profile), settings, server)
    done: dict[Path, DocumentResult] = {}

    def read_file(path: Path) -> Extraction:
        while path not in done:
            result = next(results)
            done[Path(result.name)] = result
        result = done[path]
        if result.problem is not None:
            raise result.problem
        assert result.extraction is not None  # noqa: S101 - neither a problem nor text
        return result.extraction

    with _progress() as progress:
        bar = progress.add_task("reading", total=None)

        def tell(done: int, total: int, file: str) -> None:
            progress.update(bar, completed=done, total=total, description=file[-40:])

        report = evaluate(labelled, read_file, tell)
    if as_json:
        typer.echo(report.to_json())
    else:
        typer.echo(render(report, verbose=verbose))


@app.command()
def prompts() -> None:
    """List the prompt profiles: which kinds of documents can be read."""
    from rich.table import Table

    from hunyuan_ocr.extraction.prompts import load_profiles

    table = Table("profile", "makes", "languages", "fields", "file")
    for profile in load_profiles(Settings.load().prompts_dir):
        table.add_row(
            profile.code,
            profile.document_kind if profile.makes_invoices else f"text ({profile.task})",
            ", ".join(profile.languages),
            str(len(profile.fields)),
            profile.sha256[:12],
        )
    _console().print(table)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the current schema (every run does so too)."""
    from hunyuan_ocr.hooks.stores import database_url
    from hunyuan_ocr.staging.repository import Store
    from hunyuan_ocr.staging.schema import HEAD

    with Store.open(database_url(Settings.load())) as store:
        typer.echo(f"{store.engine.url.render_as_string(hide_password=True)} is at schema {HEAD}")


def _read_files(
    files: Iterable[Path], wish: Wish, settings: Settings, server: ServerOptions | None
) -> Iterator[DocumentResult]:
    from hunyuan_ocr.extraction.prompts import load_profiles
    from hunyuan_ocr.hooks.engine_factory import model_access
    from hunyuan_ocr.intake.reading import read_documents
    from hunyuan_ocr.intake.results import NamedDocument
    from hunyuan_ocr.sources.sniff import sniff

    def documents() -> Iterator[NamedDocument]:
        for path in files:
            raw = path.read_bytes()
            yield NamedDocument(str(path), raw, sniff(raw))

    model = model_access(settings, server) if settings.engine.is_model else None
    yield from read_documents(documents(), settings, load_profiles(settings.prompts_dir), model, wish)


def _as_json(extraction: Extraction) -> dict[str, Any]:
    return {
        "profile": extraction.profile,
        "review_reasons": list(extraction.review_reasons),
        "invoice": extraction.invoice.model_dump(mode="json", exclude_none=True),
        "evidence": [
            {
                "field": value.field_path,
                "state": value.state,
                "reason": value.reason,
                **(
                    {
                        "value": value.chosen.value_norm,
                        "printed": value.chosen.value_raw,
                        "source": value.chosen.source,
                        "confidence": round(value.chosen.confidence, 3),
                        "page": value.chosen.page_no,
                        "box": [
                            round(x, 1)
                            for x in (
                                value.chosen.box.x0,
                                value.chosen.box.y0,
                                value.chosen.box.x1,
                                value.chosen.box.y1,
                            )
                        ]
                        if value.chosen.box
                        else None,
                        "label": value.chosen.label or None,
                    }
                    if value.chosen
                    else {}
                ),
            }
            for value in extraction.field_values
        ],
    }


def _print_extraction(name: str, extraction: Extraction) -> None:
    from rich.table import Table

    console = _console()
    if not extraction.field_values:
        console.print(f"{name}: not an invoice ({extraction.invoice.document_kind})")
    table = Table("field", "value", "confidence", "where", "label", title=f"{name}: {extraction.invoice.document_kind}")
    for value in extraction.field_values:
        if value.chosen is None:
            table.add_row(value.field_path, f"[dim]{value.state}[/]", "", "", f"[dim]{value.reason}[/]")
            continue
        box = value.chosen.box
        where = f"page {value.chosen.page_no}" if value.chosen.page_no else ""
        if box:
            where += f" ({box.x0:.0f},{box.y0:.0f})"
        table.add_row(value.field_path, value.chosen.value_norm, f"{value.confidence:.2f}", where, value.chosen.label)
    if extraction.field_values:
        console.print(table)
    for reason in extraction.review_reasons:
        console.print(f"[yellow]review:[/] {reason}")


def _console() -> Any:
    from rich.console import Console

    # Wide enough for a pipe too: a table cut at 80 columns hides the values it was asked for.
    return Console(width=None if sys.stdout.isatty() else 160)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def main() -> None:
    """Entry point: what the user can act on is one sentence, not a traceback."""
    try:
        app()
    except DocumentError as error:
        typer.echo(f"hunyuan-ocr: {str(error).rstrip('.')}. {error.remedy}", err=True)
        raise SystemExit(1) from None
    except HunyuanOCRError as error:
        typer.echo(f"hunyuan-ocr: {error}", err=True)
        raise SystemExit(1) from None
