"""``@task.hunyuan_ocr``: a function names documents, the task reads them and writes down what stands on them.

For DAGs of your own that want the reading without the intake. The results go to a file; XCom gets a manifest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import ObjectStoragePath
from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory
from airflow.sdk.exceptions import AirflowFailException

from hunyuan_ocr.exceptions import DocumentError
from hunyuan_ocr.operators.base import engine_settings, no_vain_retry
from hunyuan_ocr.operators.ocr import engine_retries, on_the_engines_worker

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hunyuan_ocr.intake.results import DocumentResult, NamedDocument
    from hunyuan_ocr.settings import Settings

Manifest = dict[str, int | str]


class HunyuanOCRDecoratedOperator(DecoratedOperator):
    """Calls the function for a list of documents, reads each and returns a manifest.

    The function returns local paths, ``file://`` or other object storage addresses (``s3://conn@bucket/key``), as
    ``str``, ``Path`` or ``ObjectStoragePath``. Each document is a PDF or a picture. The manifest counts ``documents``,
    ``pages`` and those ``set_aside``, and names the ``results``: a file with one line of JSON per document, in the
    order of the list, with the canonical ``invoice`` and its ``review_reasons`` (or the ``text``, with a profile that
    makes no invoices), or with ``reason_code`` and ``problem`` for one set aside. A retry writes the same file anew.

    :param engine: rapidocr, vllm, openai_server or transformers; by default what the settings name.
    :param conn_id: the connection of engine openai_server; by default what the settings name.
    :param prompt_profile: read every document with this profile; by default the one found from its pages.
    :param instruction: what HunyuanOCR is asked besides, in plain words.
    :param extra_keys: further labels as printed, whose values HunyuanOCR is asked for.
    :param output_dir: folder of the results, local or object storage; by default ``results`` in the home folder.
    """

    custom_operator_name: ClassVar[str] = "@task.hunyuan_ocr"
    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, "prompt_profile", "instruction", "output_dir")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        engine: str | None = None,
        conn_id: str | None = None,
        prompt_profile: str | None = None,
        instruction: str = "",
        extra_keys: Sequence[str] = (),
        output_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=python_callable, **kwargs)
        self.engine = engine
        self.conn_id = conn_id
        self.prompt_profile = prompt_profile
        self.instruction = instruction
        self.extra_keys = tuple(extra_keys)
        self.output_dir = output_dir
        self._stops: list[Callable[[], None]] = []

    def execute(self, context: Context) -> Manifest:
        from hunyuan_ocr.extraction.prompts import load_profiles
        from hunyuan_ocr.hooks.engine_factory import model_access
        from hunyuan_ocr.intake.reading import Wish, read_documents
        from hunyuan_ocr.intake.results import write_results

        names = _addresses(self.python_callable(*self.op_args, **self._arguments(context)), self.task_id)
        hashes: dict[str, str] = {}
        missing: list[DocumentResult] = []
        with no_vain_retry():
            settings = engine_settings(self.engine, self.conn_id)
            documents = _fetched(names, settings, hashes, missing)
            # What could not be fetched is known, and chained, only after all others were read.
            read = read_documents(
                documents,
                settings,
                load_profiles(settings.prompts_dir),
                model_access(settings, can_be_stopped=self._can_be_stopped),
                Wish(self.prompt_profile or None, self.instruction, self.extra_keys),
                self.log,
            )
            results = chain(read, missing)
            folder, file_name = results_place(context)
            written = write_results(
                results, names, hashes, self.output_dir or str(settings.home / "results" / folder), file_name
            )
        manifest: Manifest = {
            "documents": written.documents,
            "pages": written.pages,
            "set_aside": written.set_aside,
            "results": written.uri,
            "sha256": written.sha256,
        }
        self.log.info("read %s", manifest)
        return manifest

    def on_kill(self) -> None:
        """Stops the engine: a killed task must give the GPU back."""
        for stop in self._stops:
            stop()

    def _can_be_stopped(self, stop: Callable[[], None]) -> None:
        self._stops.append(stop)

    def _arguments(self, context: Context) -> dict[str, Any]:
        return dict(self.determine_kwargs({**context, **self.op_kwargs}))


def hunyuan_ocr_task(
    python_callable: Callable[..., Any] | None = None, *, engine: str | None = None, **kwargs: Any
) -> TaskDecorator:
    """The decorator behind ``@task.hunyuan_ocr``; its arguments are those of ``HunyuanOCRDecoratedOperator``.

    Pool and queue follow from the engine: on the decorator, because a mapped task's are not asked of its operator.
    """
    return task_decorator_factory(
        python_callable,
        decorated_operator_class=HunyuanOCRDecoratedOperator,
        **(on_the_engines_worker(engine) | {"retry_policy": engine_retries(), "engine": engine} | kwargs),
    )


def results_place(context: Context) -> tuple[str, str]:
    """Folder and name of a task's results: the same for every try of the task, another for every other task."""
    task = context["ti"]
    identity = [task.dag_id, task.run_id, task.task_id, str(task.map_index)]
    # Run ids hold colons and plus signs, which file systems and shells dislike; the digest keeps the names apart.
    folder = "/".join(re.sub(r"[^A-Za-z0-9._=-]", "_", part) for part in identity[:3])
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()
    return folder, f"{max(task.map_index or 0, 0)}-{digest[:12]}.jsonl"


def _addresses(listed: object, task_id: str) -> list[str]:
    """The documents of a list, each once."""
    if isinstance(listed, (str, bytes)) or not isinstance(listed, Iterable):
        raise AirflowFailException(
            f"The function of task {task_id} returned {type(listed).__name__}: it must return a list of documents, "
            "each a path or an address."
        )
    addresses = [str(each) if isinstance(each, (PurePath, ObjectStoragePath)) else each for each in listed]
    kinds = {type(each).__name__ for each in addresses if not isinstance(each, str)}
    if kinds:
        raise AirflowFailException(
            f"The function of task {task_id} listed {', '.join(sorted(kinds))}: documents are named by path or address."
        )
    return list(dict.fromkeys(addresses))


def _fetched(
    names: Sequence[str], settings: Settings, hashes: dict[str, str], missing: list[DocumentResult]
) -> Iterator[NamedDocument]:
    """The documents one by one, so that only those under way are in memory; notes what cannot be fetched."""
    from hunyuan_ocr.intake.results import DocumentResult, fetch_document
    from hunyuan_ocr.settings import MEGA

    for name in names:
        try:
            document = fetch_document(name, settings.max_document_megabytes * MEGA)
        except DocumentError as error:
            missing.append(DocumentResult(name, problem=error))
        else:
            hashes[name] = hashlib.sha256(document.raw).hexdigest()
            yield document
