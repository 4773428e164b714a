"""What every step works with: settings, the archive of raw bytes and the store of rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from hunyuan_ocr import __version__
from hunyuan_ocr.extraction.prompts import PromptProfile, load_profiles
from hunyuan_ocr.intake.run import IntakeRun
from hunyuan_ocr.readers.pages import PixelBudget
from hunyuan_ocr.settings import MEGA, Settings
from hunyuan_ocr.sources.archive import Archive
from hunyuan_ocr.sources.config import SourceConfig, load_sources
from hunyuan_ocr.sources.unpack import UnpackLimits
from hunyuan_ocr.staging.identity import batch_id
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.validation.rules import RULESET_VERSION


@dataclass
class Intake:
    """The stores of one deployment. Nothing is opened before it is needed."""

    settings: Settings
    store: Store
    archive: Archive

    @cached_property
    def profiles(self) -> tuple[PromptProfile, ...]:
        return load_profiles(self.settings.prompts_dir)

    @cached_property
    def sources(self) -> dict[str, SourceConfig]:
        """The declared sources by code; what is still in the ledger of a source since removed keeps its defaults."""
        if not self.settings.sources_file.is_file():
            return {}
        return {config.code: config for config in load_sources(self.settings.sources_file)}

    @property
    def prompt_version(self) -> str:
        """A hash of all prompt profiles: what they say decides what is read."""
        hashes = sorted(profile.sha256 for profile in self.profiles)
        return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]

    @property
    def budget(self) -> PixelBudget:
        return page_budget(self.settings)

    @property
    def unpack_limits(self) -> UnpackLimits:
        return UnpackLimits(
            max_documents=self.settings.max_unpacked_files,
            max_document_size=self.settings.max_document_megabytes * MEGA,
            max_total_size=self.settings.max_unpacked_megabytes * MEGA,
        )

    def batch(self, run: IntakeRun) -> str:
        """The id of the run's batch, which ``assign_shards`` opened."""
        return batch_id(run.dag_id, run.run_id)

    def open_batch(self, run: IntakeRun) -> str:
        return self.store.open_batch(
            run.dag_id,
            run.run_id,
            run_type=run.run_type,
            window=run.window,
            logical_date=run.logical_date,
            plugin_version=__version__,
            prompt_version=self.prompt_version,
            ruleset_version=RULESET_VERSION,
        )


def page_budget(settings: Settings) -> PixelBudget:
    """What the settings let a page and a document cost."""
    return PixelBudget(
        max_pixels=int(settings.render_megapixels * MEGA),
        max_source_pixels=int(settings.max_page_megapixels * MEGA),
        max_pages=settings.max_pages,
    )
