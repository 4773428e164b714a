"""What a vision model is asked, word for word: the official instructions, and the key list of a profile.

The model's authors found that changed instructions silently make it worse ("Prompts are FIXED per task type"), and that
Chinese ones work better than English: so their wording is used verbatim, in Chinese unless a profile says otherwise,
and fields are asked for by their labels as printed, never by schema names. A person may still give other words or more
keys; those are cleaned of what would break the question or smuggle in the model's own markers.

Sources: README.md and README_zh.md of github.com/Tencent-Hunyuan/HunyuanOCR for 1.0 (November 2025), its
``inference/utils/hunyuan_tasks.py`` for 1.5 (July 2026). This module asks nobody and reads no answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hunyuan_ocr.engines.base import Prompt, Sampling
from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.layout import key_of
from hunyuan_ocr.extraction.prompts import Language, PromptProfile
from hunyuan_ocr.model.answers import Task

MOST_EXTRA_KEYS = 40
LONGEST_KEY = 60
LONGEST_INSTRUCTION = 1000

_SPOTTING_ZH = "检测并识别图片中的文字，将文本坐标格式化输出。"
_SPOTTING_EN = "Detect and recognize text in the image, and output the text coordinates in a formatted manner."
_FIELDS_EN = "Extract the content of the fields: {keys} from the image and return it in JSON format."
_TRANSLATE_1_0_EN = (
    "First extract the text, then translate the text content into English. If it is a document, ignore the header and "
    "footer. Formulas should be represented in LaTeX format, and tables should be represented in HTML format."
)
_PARSE_1_0_EN = (
    "Extract all information from the main body of the document image and represent it in markdown format, ignoring "
    "headers and footers. Tables should be expressed in HTML format, formulas in the document should be represented "
    "using LaTeX format, and the parsing should be organized according to the reading order."
)

# 1.5 published no wording for fields: its authors' own example (the taxi receipt of README_zh.md) is the one whose
# answer they show. English exists for 1.0 only; where none was published the Chinese one is used.
_CHINESE: dict[Family, dict[Task, str]] = {
    Family.V1_0: {
        Task.SPOTTING: _SPOTTING_ZH,
        Task.FIELDS: "提取图片中的: {keys} 的字段内容，并按照 JSON 格式返回。",
        Task.TABLE: "把图中的表格解析为 HTML。",
        Task.PARSING: "提取文档图片中正文的所有信息用 markdown 格式表示，其中页眉、页脚部分忽略，"
        "表格用 html 格式表达，文档中公式用 latex 格式表示，按照阅读顺序组织进行解析。",
    },
    Family.V1_5: {
        Task.SPOTTING: _SPOTTING_ZH,
        Task.FIELDS: "提取图片中的：{keys}的字段内容，并且按照JSON格式返回。",
        Task.TABLE: "把图中的表格解析为HTML。",
        Task.PARSING: "提取文档图片中正文的所有信息用markdown格式表示，其中页眉、页脚部分忽略，"
        "表格用html格式表达，文档中公式用latex格式表示，按照阅读顺序组织进行解析。",
    },
}
_ENGLISH: dict[Family, dict[Task, str]] = {
    Family.V1_0: {
        Task.SPOTTING: _SPOTTING_EN,
        Task.FIELDS: _FIELDS_EN,
        Task.TABLE: "Parse the table in the image into HTML.",
        Task.PARSING: _PARSE_1_0_EN,
    },
    Family.V1_5: {},
}
# Into Chinese 1.0 has only the words of its demo.
_TRANSLATION: dict[tuple[Family, Language], str] = {
    (Family.V1_0, Language.ENGLISH): "先提取文字，再将文字内容翻译为英文。若是文档，则其中页眉、页脚忽略。"
    "公式用latex格式表示，表格用html格式表示。",
    (Family.V1_0, Language.CHINESE): "将图中文字翻译为中文。",
    (Family.V1_5, Language.ENGLISH): "按照阅读顺序，提取图中文字，公式用latex格式表示，表格用markdown格式表示，"
    "再将文字内容翻译为英文。",
    (Family.V1_5, Language.CHINESE): "按照阅读顺序，提取图中文字，公式用latex格式表示，表格用markdown格式表示，"
    "再将文字内容翻译为中文。",
}

# Fields took 112 to 164 tokens for nine keys in published answers; the rest is room for addresses.
_LEAST_FIELD_TOKENS = 1024
_TOKENS_A_KEY = 48
_MAX_TOKENS = {Task.SPOTTING: 8192, Task.TABLE: 4096, Task.PARSING: 8192, Task.TRANSLATION: 8192}
_PENALTY_OF_1_5 = 1.08

# The model's own markers look like <｜hy_User｜>, with a full-width bar.
_MARKER = re.compile(r"<\s*[｜|]|[｜|]\s*>")
_BREAKS_A_LIST = str.maketrans({"'": "’", '"': "”", "`": "’", "[": "(", "]": ")", "{": "(", "}": ")", "\\": "/"})


@dataclass(frozen=True, slots=True)
class FieldQuestion:
    """The field question of a profile.

    ``keys`` are the labels asked for, in order; ``paths`` says which fields of the invoice each stands for (none for a
    key of the user's that the profile does not know).
    """

    prompt: Prompt
    profile: str
    keys: tuple[str, ...]
    paths: Mapping[str, tuple[str, ...]]


def official_wording(
    task: Task, family: Family, language: Language = Language.CHINESE, *, into: Language = Language.ENGLISH
) -> str:
    """The authors' instruction for a task; ``{keys}`` stands where the key list of fields goes.

    ``language`` is that of the instruction, ``into`` that of a translation. Chinese is given where no English one was
    published.
    """
    if task is Task.TRANSLATION:
        if (family, language, into) == (Family.V1_0, Language.ENGLISH, Language.ENGLISH):
            return _TRANSLATE_1_0_EN
        return _TRANSLATION[family, into]
    words = _ENGLISH[family].get(task, "") if language is Language.ENGLISH else ""
    return words or _CHINESE[family][task]


def sampling_of(task: Task, family: Family, *, key_count: int = 0, value_penalty: float = 1.0) -> Sampling:
    """How an answer to a task is generated.

    1.5 is run with a repetition penalty by its authors. For fields and tables it is ``value_penalty``, by default none:
    a penalty makes a number that is honestly printed twice less likely.
    """
    penalty = _PENALTY_OF_1_5 if family is Family.V1_5 else 1.0
    if task in (Task.FIELDS, Task.TABLE):
        penalty = value_penalty
    most = _MAX_TOKENS.get(task) or max(_LEAST_FIELD_TOKENS, _TOKENS_A_KEY * key_count)
    return Sampling(
        max_tokens=most,
        repetition_penalty=penalty,
        skip_special_tokens=task is not Task.SPOTTING,
    )


def official_prompt(
    task: Task,
    family: Family,
    language: Language = Language.CHINESE,
    *,
    keys: Sequence[str] = (),
    into: Language = Language.ENGLISH,
    value_penalty: float = 1.0,
) -> Prompt:
    """The authors' instruction with its sampling. ``keys`` are needed for fields, and only there (``ValueError``)."""
    if (task is Task.FIELDS) != bool(keys):
        raise ValueError("keys belong to the field question, and it cannot do without")
    words = official_wording(task, family, language, into=into)
    return Prompt(_with_keys(words, keys), sampling_of(task, family, key_count=len(keys), value_penalty=value_penalty))


def page_prompt(
    task: Task,
    family: Family,
    profile: PromptProfile | None = None,
    *,
    instruction: str = "",
    value_penalty: float = 1.0,
) -> Prompt:
    """The prompt of any task but fields: the words of the user, else of the profile, else the official ones."""
    words = clean_instruction(instruction)
    if not words and profile is not None:
        words = {
            Task.SPOTTING: profile.instructions.spotting,
            Task.TABLE: profile.instructions.table,
            Task.PARSING: profile.instructions.parsing,
            Task.TRANSLATION: profile.instructions.translation,
        }[task]
    if not words:
        language = profile.instructions.language if profile is not None else Language.CHINESE
        into = profile.translate_into if profile is not None else None
        words = official_wording(task, family, language, into=into or Language.ENGLISH)
    return Prompt(words, sampling_of(task, family, value_penalty=value_penalty))


def field_question(
    profile: PromptProfile,
    family: Family,
    *,
    extra_keys: Iterable[str] = (),
    instruction: str = "",
    value_penalty: float = 1.0,
) -> FieldQuestion:
    """All keys of a profile, and the user's, in one question.

    ``instruction`` are a person's own words instead of the official ones; the key list is put where they say
    ``{keys}``, else after them.

    :raises ConfigurationError: too many or too long extra keys, too long an instruction, or nothing to ask for.
    """
    by_letters: dict[str, str] = {}
    for key in (*_asked(profile), *clean_keys(extra_keys)):
        by_letters.setdefault(key_of(key), key)
    keys = tuple(by_letters.values())
    if not keys:
        raise ConfigurationError(
            f"prompt profile {profile.code}: has no key to ask for. Give a field a label or ask: [...]."
        )
    words = clean_instruction(instruction)
    if words and "{keys}" not in words:
        words = f"{words}\n{{keys}}"
    words = words or profile.instructions.fields
    words = words or official_wording(Task.FIELDS, family, profile.instructions.language)
    sampling = sampling_of(Task.FIELDS, family, key_count=len(keys), value_penalty=value_penalty)
    return FieldQuestion(Prompt(_with_keys(words, keys), sampling), profile.code, keys, paths_of_keys(profile, keys))


def paths_of_keys(profile: PromptProfile, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each key, asked or answered, the field paths it stands for; empty for one the profile does not know.

    Keys are compared as labels are: letters and digits only. A key that is no question of the profile but one of its
    labels stands for that label's fields; one that is printed once per party stands for both parties'.
    """
    asked: dict[str, list[str]] = {}
    for text, paths in _asked(profile).items():
        asked.setdefault(key_of(text), []).extend(paths)
    labels: dict[str, list[str]] = {}
    for path, spec in profile.fields.items():
        for label in spec.labels:
            labels.setdefault(key_of(label.text), []).append(path)
    for party, spec_of_party in (("seller", profile.seller), ("buyer", profile.buyer)):
        for label in spec_of_party.names:
            labels.setdefault(key_of(label.text), []).append(f"{party}.name")
    if profile.paired is not None:
        for field, texts in profile.paired.labels.items():
            for text in texts:
                labels.setdefault(key_of(text), []).extend(f"{party}.{field}" for party in profile.paired.order)
    return {key: tuple(dict.fromkeys(asked.get(key_of(key)) or labels.get(key_of(key)) or ())) for key in keys}


def _asked(profile: PromptProfile) -> dict[str, list[str]]:
    """The keys of a profile in the order of its fields, with the paths they stand for."""
    paired = profile.paired.keys if profile.paired is not None else {}
    keys: dict[str, list[str]] = {}
    for path, spec in profile.fields.items():
        if path not in paired.values():
            for key in spec.keys:
                keys.setdefault(key, []).append(path)
    for key, path in paired.items():
        keys.setdefault(key, []).append(path)
    return keys


def clean_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """A person's extra keys, fit to stand in the list: no control characters, quotes, brackets or model markers.

    :raises ConfigurationError: more than 40 keys, or one longer than 60 characters.
    """
    cleaned = [key for key in (_clean(text).translate(_BREAKS_A_LIST) for text in keys) if key_of(key)]
    unique = tuple(dict.fromkeys(cleaned))
    if len(unique) > MOST_EXTRA_KEYS:
        raise ConfigurationError(f"extra keys: {len(unique)} are too many; give at most {MOST_EXTRA_KEYS}.")
    for key in unique:
        if len(key) > LONGEST_KEY:
            raise ConfigurationError(
                f"extra key {key[:20]}…: {len(key)} characters are too long; a key is a label as printed, of at most "
                f"{LONGEST_KEY}."
            )
    return unique


def clean_instruction(text: str) -> str:
    """A person's instruction without control characters and model markers.

    :raises ConfigurationError: longer than 1000 characters.
    """
    cleaned = _clean(text)
    if len(cleaned) > LONGEST_INSTRUCTION:
        raise ConfigurationError(
            f"instruction: {len(cleaned)} characters are too long; say it in {LONGEST_INSTRUCTION}."
        )
    return cleaned


def _clean(text: str) -> str:
    printable = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    while _MARKER.search(printable):  # taking one away can join the halves of another
        printable = _MARKER.sub("", printable)
    return " ".join(printable.split())


def _with_keys(words: str, keys: Sequence[str]) -> str:
    # Not str.format: a person's words may hold braces.
    return words.replace("{keys}", str(list(keys)))
