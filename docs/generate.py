"""Writes the pages of this folder that come from the code: settings, staging tables, rules.

A test fails when a page is not what this script would write, so that the pages cannot go stale.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def settings_page() -> str:
    """``docs/settings.md`` from ``hunyuan_ocr.options``."""
    from hunyuan_ocr.options import OPTIONS, SECTION

    rows = [
        f"| `{option.name}` | {option.type} | {f'`{option.default}`' if option.default else ''} | {_cell(option.description)}"
        f"{f' Example: `{_cell(option.example)}`.' if option.example else ''} |"
        for option in OPTIONS
    ]
    return "\n".join([
        "# Settings",
        "",
        f"All settings stand in section `[{SECTION}]` of `airflow.cfg`, or in environment variables such as "
        f"`AIRFLOW__{SECTION.upper()}__ALERT_TO`. Every one has a default that works. Passwords and keys are not "
        "settings: they live in Airflow connections.",
        "",
        "| setting | type | default | what it does |",
        "|---|---|---|---|",
        *rows,
        "",
    ])


def staging_page() -> str:
    """``docs/staging.md`` from the comments of the staging tables."""
    from hunyuan_ocr.staging.tables.base import metadata

    lines = [
        "# Staging tables",
        "",
        "The contract with the ERP team. Read `v_stg_ready` (invoices that may be booked) and `v_attention` (everything "
        "that may not, with the reason and what to do); the tables behind them are below. Amounts are `NUMERIC(23,8)`, "
        "rates are percent, identifiers are text, dates are dates, times are UTC. `NULL` means *not on the document*.",
        "",
    ]
    tables = [table for table in metadata.sorted_tables if table.name.startswith("stg_")]
    for table in sorted(tables, key=lambda table: table.name):
        lines += [f"## {table.name}", "", table.comment or "", "", "| column | type | meaning |", "|---|---|---|"]
        for column in table.columns:
            key = " **key**" if column.primary_key else ""
            lines.append(f"| `{column.name}`{key} | {_type_name(column)} | {_cell(column.comment or '')} |")
        lines.append("")
    return "\n".join(lines)


def rules_page() -> str:
    """``docs/rules.md`` from the rule registry."""
    from hunyuan_ocr.validation.rules import rules_catalogue

    lines = [
        "# Rules",
        "",
        "What every invoice is checked against. A rule of severity *error* keeps an invoice out of staging, *warn* does so "
        "only when the setting `warnings_to_review` names it, *info* is recorded. A rule whose input is not on the "
        "document is *not applicable*, never passed. `BR-*` are those of EN 16931, `R*` of Peppol BIS 3; `EV-*` are "
        "the project's own: they ask for evidence.",
        "",
        "| rule | severity | what it says |",
        "|---|---|---|",
    ]
    lines += [f"| `{rule.id}` | {rule.severity} | {_cell(rule.explains_en)} |" for rule in rules_catalogue()]
    return "\n".join([*lines, ""])


PAGES = {"settings.md": settings_page, "staging.md": staging_page, "rules.md": rules_page}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _type_name(column: object) -> str:
    from sqlalchemy.dialects import postgresql

    return str(column.type.compile(dialect=postgresql.dialect())).lower()  # type: ignore[attr-defined]


if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/{name}")
