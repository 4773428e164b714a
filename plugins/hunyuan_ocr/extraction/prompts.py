"""Prompt profiles: what a kind of document looks like and which labels stand for which field, *as printed*.

A profile is one YAML file. It serves two readers: label geometry looks for its labels on the page, and a vision model
is asked for them by the same words (``extraction.questions``). A new document kind is one more file, no code. A profile
may also ask for text instead of fields (the parsed or translated document). This module reads and checks the files; it
refuses unknown keys and unknown fields, so that a typing error is found when the file is loaded and not as a value that
silently stays empty.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.answers import Task
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, Party


class ValueType(StrEnum):
    """What a value must look like to be accepted beside a label."""

    TEXT = "text"
    NUMBER = "number"
    DIGITS = "digits"
    MONEY = "money"
    RATE = "rate"
    DATE = "date"
    TAX_ID = "tax_id"
    CURRENCY = "currency"
    CAPITAL_AMOUNT = "capital_amount"


class Where(StrEnum):
    """Where a value may stand, seen from its label."""

    SAME_SPAN = "same_span"
    RIGHT = "right"
    BELOW = "below"


class Language(StrEnum):
    """Languages the model's authors published instructions in, and translates into."""

    CHINESE = "zh"
    ENGLISH = "en"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _label_from_text(entry: object) -> object:
    return {"text": entry} if isinstance(entry, str) else entry


class Label(_Entry):
    """One label as printed. ``weight`` is how surely it stands for its field (1 = says so itself, "Date" is less)."""

    text: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    where: tuple[Where, ...] | None = None


Labels = tuple[Annotated[Label, BeforeValidator(_label_from_text)], ...]


class FieldSpec(_Entry):
    """The labels of one field.

    ``ask`` are the keys a vision model is asked for (default: the first label; empty: it is not asked, because asking
    for what most documents do not print invites inventions). ``lengths`` are the allowed lengths of a ``digits`` value.
    ``patterns`` are regular expressions for values that speak for themselves without a label (the fare on a train
    ticket); each has one group and is tried on every phrase of the page.
    """

    type: ValueType
    labels: Labels = ()
    where: tuple[Where, ...] = (Where.SAME_SPAN, Where.RIGHT, Where.BELOW)
    ask: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    max_length: Annotated[int, Field(ge=1)] = 120
    lengths: tuple[int, ...] = ()
    patterns: tuple[str, ...] = ()

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                groups = re.compile(pattern).groups
            except re.error as problem:
                raise ValueError(f"{pattern!r} is not a regular expression ({problem})") from problem
            if groups != 1:
                raise ValueError(f"{pattern!r} must have exactly one group: the value")
        return patterns

    @property
    def keys(self) -> tuple[str, ...]:
        """What to ask a vision model for: labels as printed on the document, never schema names."""
        return tuple(label.text for label in self.labels[:1]) if self.ask is None else self.ask


class PartySpec(_Entry):
    """Headings under which a party's name and address stand, and labels right before its name."""

    sections: Labels = ()
    names: Labels = ()


class PairedParties(_Entry):
    """Labels that are printed once per party, without saying whose they are; ``order`` is first to last on the page.

    A vision model is asked for the first label of each field as "X的Y", the form its authors use for what is printed
    twice; ``called`` are the X.
    """

    order: tuple[Literal["seller", "buyer"], Literal["seller", "buyer"]]
    labels: dict[str, tuple[str, ...]]
    called: dict[Literal["seller", "buyer"], str] = {"seller": "销售方", "buyer": "购买方"}

    @property
    def keys(self) -> dict[str, str]:
        """What a vision model is asked for, and the path of its field."""
        return {
            f"{self.called[party]}的{texts[0]}": f"{party}.{field}"
            for party in self.order
            for field, texts in self.labels.items()
            if texts and party in self.called
        }

    @field_validator("labels")
    @classmethod
    def _known_fields(cls, labels: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        unknown = sorted(set(labels) - set(Party.model_fields))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such field of a party")
        return labels


class TableSpec(_Entry):
    """Headings of the line item table by line field, and the words that end it."""

    columns: dict[str, tuple[str, ...]] = {}
    stop: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        unknown = sorted(set(columns) - set(Line.model_fields) - {"line_no", "discount"})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such field of an invoice line")
        return columns


class Recognition(_Entry):
    """Words by which the kind of document is told, with weights; words against it count down.

    ``kinds`` maps other document kinds to the titles that show them (an "Avoir" read by the French invoice profile is
    a credit note, a "Devis" is not an invoice at all).
    """

    titles: dict[str, float] = {}
    anchors: dict[str, float] = {}
    against: dict[str, float] = {}
    kinds: dict[DocumentKind, tuple[str, ...]] = {}


class Locale(_Entry):
    """What a document of this kind uses when it does not prove otherwise. Absent means: no assumption."""

    date_order: Literal["DMY", "MDY", "YMD"] | None = None
    decimal_comma: bool | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class Instructions(_Entry):
    """What a vision model is told instead of the official wording of its family (``extraction.questions``).

    Empty means the official wording, which the model was trained on; ``language`` is the one it is given in.
    ``{keys}`` in ``fields`` stands for the list of labels asked for.
    """

    language: Language = Language.CHINESE
    fields: str = ""
    spotting: str = ""
    table: str = ""
    parsing: str = ""
    translation: str = ""

    @field_validator("fields")
    @classmethod
    def _names_the_keys(cls, fields: str) -> str:
        if fields and "{keys}" not in fields:
            raise ValueError("must contain {keys}, where the labels asked for are put")
        return fields


class PromptProfile(_Entry):
    """One document kind: how to recognise it, the labels of its fields, its table, its instructions.

    ``task`` is what the model is for: ``fields`` makes invoices; ``parsing`` and ``translation`` keep its answer as
    text, make none, and are used only where they are named. ``translate_into`` is the language of the translation.
    """

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    version: Annotated[int, Field(ge=1)]
    title: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)]
    task: Literal[Task.FIELDS, Task.PARSING, Task.TRANSLATION] = Task.FIELDS
    translate_into: Language | None = None
    document_kind: DocumentKind = DocumentKind.OTHER
    invoice_type_code: str | None = None
    locale: Locale = Locale()
    also_labels_of: tuple[str, ...] = ()
    instructions: Instructions = Instructions()
    recognise: Recognition = Recognition()
    fields: dict[str, FieldSpec] = {}
    date_after_number: tuple[str, ...] = ()
    seller: PartySpec = PartySpec()
    buyer: PartySpec = PartySpec()
    paired: PairedParties | None = None
    other_sections: Labels = ()
    other_labels: tuple[str, ...] = ()
    company_suffixes: tuple[str, ...] = ()
    table: TableSpec = TableSpec()
    sha256: str = ""

    @model_validator(mode="after")
    def _known_fields(self) -> PromptProfile:
        for path in self.fields:
            if not is_field_path(path):
                raise ValueError(f"fields.{path}: the canonical invoice has no such field")
        return self

    @model_validator(mode="after")
    def _fits_its_task(self) -> PromptProfile:
        of_invoices = ("document_kind", "recognise", "fields")
        if self.task is Task.FIELDS:
            missing = [name for name in of_invoices if name not in self.model_fields_set]
            if missing:
                raise ValueError(f"{', '.join(missing)}: missing; a profile that reads fields needs it")
        else:
            surplus = [name for name in of_invoices if name in self.model_fields_set]
            if surplus:
                raise ValueError(f"{', '.join(surplus)}: not in a profile with task {self.task}, which reads no fields")
        if (self.task is Task.TRANSLATION) != (self.translate_into is not None):
            raise ValueError("translate_into: belongs to task translation, and only to it")
        return self

    @property
    def makes_invoices(self) -> bool:
        """False for a profile whose answer is kept as text."""
        return self.task is Task.FIELDS


def invoice_profiles(profiles: Iterable[PromptProfile]) -> tuple[PromptProfile, ...]:
    """Those a document can be recognised by: the ones that read fields."""
    return tuple(profile for profile in profiles if profile.makes_invoices)


# Amounts that are printed on invoices, are needed to tell the total from its neighbours, but are no terms of it.
SUPPORTING_FIELDS = frozenset({"prior_balance", "cash_tendered", "change_given", "total_ambiguous"})


def is_field_path(path: str) -> bool:
    """True when ``path`` names a field of the invoice, of a party, or an amount that only supports the arithmetic.

    >>> is_field_path("seller.tax_id"), is_field_path("invoice_no")
    (True, False)
    """
    head, _, tail = path.partition(".")
    if head in ("seller", "buyer"):
        return tail in Party.model_fields
    if head == "payment":
        return tail in ("iban_or_account", "bic", "bank_name", "account_name", "remittance")
    return not tail and (head in Invoice.model_fields or head in SUPPORTING_FIELDS)


def load_profile(path: Path) -> PromptProfile:
    """Read one profile.

    :raises ConfigurationError: the file is missing, is not YAML or breaks the schema; names the file and the key.
    """
    import yaml

    class WordLoader(yaml.SafeLoader):
        """YAML 1.1 reads the label ``No`` as false; here only true and false are truth values."""

    WordLoader.yaml_implicit_resolvers = {
        first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        text = path.read_bytes()
        content: Any = yaml.load(text, Loader=WordLoader)  # noqa: S506 - a SafeLoader
    except OSError as problem:
        raise ConfigurationError(f"prompt profile {path}: cannot be read ({problem.strerror}).") from problem
    except yaml.YAMLError as problem:
        where = re.sub(r"\s+", " ", str(problem))
        raise ConfigurationError(f"prompt profile {path}: is not valid YAML ({where}). Mend the file.") from problem
    if not isinstance(content, dict):
        raise ConfigurationError(f"prompt profile {path}: must be a mapping with code, version, fields and so on.")
    content["sha256"] = hashlib.sha256(text).hexdigest()
    try:
        return PromptProfile.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise ConfigurationError(f"prompt profile {path}: key {key}: {first['msg']}. Mend the file.") from problem


def load_profiles(folder: Path) -> tuple[PromptProfile, ...]:
    """All profiles of a folder (``*.yaml``), ordered by code.

    :raises ConfigurationError: the folder has none that reads fields, a file is wrong, two files share a code, or
        ``also_labels_of`` names a profile that is not there or has no labels.
    """
    profiles: dict[str, PromptProfile] = {}
    for path in sorted(folder.glob("*.yaml")):
        profile = load_profile(path)
        if profile.code in profiles:
            raise ConfigurationError(f"prompt profile {path}: code {profile.code} is used by another file. Rename it.")
        profiles[profile.code] = profile
    with_labels = {profile.code for profile in invoice_profiles(profiles.values())}
    if not with_labels:
        raise ConfigurationError(
            f"no prompt profile (*.yaml) that reads fields in {folder}. Name the folder that has them."
        )
    for profile in profiles.values():
        for other in profile.also_labels_of:
            if other not in with_labels:
                raise ConfigurationError(
                    f"prompt profile {profile.code}: also_labels_of: there is no profile {other} with labels."
                )
    return tuple(profiles[code] for code in sorted(profiles))


def names_of_invoice_profiles(folder: Path) -> list[str]:
    """The profiles that make invoices, by file name and without reading YAML: a DAG file must not take its time."""
    keeps_text = re.compile(r"^task:\s*(parsing|translation)\b", re.MULTILINE)
    return sorted(
        path.stem for path in folder.glob("*.yaml") if not keeps_text.search(path.read_text(encoding="utf-8"))
    )


def check_profile(folder: Path, code: str | None) -> None:
    """Refuse a profile that cannot make invoices of what it reads; ``None`` is any.

    :raises ConfigurationError: there is no such profile in ``folder``, or it keeps text (translation, parsing).
    """
    if not code:
        return
    known = {profile.code: profile for profile in load_profiles(folder)}
    if code not in known:
        raise ConfigurationError(
            f"There is no prompt profile {code!r} in {folder}: known are {', '.join(sorted(known))}."
        )
    if not known[code].makes_invoices:
        raise ConfigurationError(
            f"Prompt profile {code} keeps text, not invoices: use it with hunyuan-ocr read or @task.hunyuan_ocr."
        )
