"""The journal of answers: every question put to the vision model about a page, and what it said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hunyuan_ocr.staging.column_types import ExactNumeric, JsonText, LongWords, UtcDateTime, Words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_answer",
        sa.Column("content_sha256", sa.String(length=64), nullable=False, comment="of the document's bytes"),
        sa.Column("page_no", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("reading_key", sa.String(length=200), nullable=False, comment="engine_key of the page's reading"),
        sa.Column(
            "attempt", sa.Integer(), autoincrement=False, nullable=False, comment="which picture of the page, from 1"
        ),
        sa.Column(
            "task", sa.String(length=20), nullable=False, comment="spotting, fields, table, parsing, translation"
        ),
        sa.Column(
            "ask_no",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="from 1, in the order asked, per attempt",
        ),
        sa.Column("prompt_profile", Words(100), nullable=True, comment="prompt profile that gave the labels"),
        sa.Column("keys_json", JsonText(), nullable=False, comment="labels asked for, in order"),
        sa.Column("engine_key", sa.String(length=200), nullable=False, comment="model, revision, runtime and versions"),
        sa.Column("prompt_sha256", sa.String(length=64), nullable=False, comment="of the prompt's words and sampling"),
        sa.Column(
            "answer_key",
            sa.String(length=64),
            nullable=False,
            comment="of engine key, picture and prompt: the same question has the same",
        ),
        sa.Column("picture_width", sa.Integer(), nullable=False, comment="of the picture asked about, pixels"),
        sa.Column("picture_height", sa.Integer(), nullable=False, comment="of the picture asked about, pixels"),
        sa.Column("rotation", sa.Integer(), nullable=False, comment="degrees clockwise the stored page was turned"),
        sa.Column(
            "answer_text",
            LongWords(),
            nullable=True,
            comment="what the model said, word for word; null when it said nothing",
        ),
        sa.Column("finish_reason", sa.String(length=20), nullable=False, comment="stop, length, repetition"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="as the engine counts them, picture included"),
        sa.Column("completion_tokens", sa.Integer(), nullable=False, comment="as the engine counts them"),
        sa.Column("seconds", ExactNumeric(12, 4), nullable=False, comment="from asking to the last token"),
        sa.Column("is_cached", sa.Integer(), nullable=False, comment="1: a cache answered, not the engine"),
        sa.Column("is_kept", sa.Integer(), nullable=False, comment="1: the reading was taken from this attempt"),
        sa.Column(
            "problem",
            sa.String(length=40),
            nullable=True,
            comment="what is wrong with the answer; null when nothing is",
        ),
        sa.Column("created_at", UtcDateTime(), nullable=False, comment="UTC"),
        sa.ForeignKeyConstraint(
            ["content_sha256", "page_no", "reading_key"],
            ["page_reading.content_sha256", "page_reading.page_no", "page_reading.engine_key"],
            name="fk_page_answer_reading",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "content_sha256", "page_no", "reading_key", "attempt", "task", "ask_no", name=op.f("pk_page_answer")
        ),
        comment="What a vision model was asked about a page and what it said; committed with the page's reading.",
    )
    op.create_index("ix_page_answer_key", "page_answer", ["answer_key"], unique=False)


def downgrade() -> None:
    op.drop_table("page_answer")
