"""Weighing a vision model's votes against the page: what agreement is worth, and when a person must look.

A vote never becomes a value. It can only agree with what the page shows, or not.

Agreement (same date, same amount, same number, same text) raises the confidence, less so when the page itself was read
by the same model: an error of its eyes is in both. A name cut short or off by a letter or two changes nothing.

A contradiction is named by what the page shows about the answer:

- ``MODEL_DIGITS_DRIFTED``: the same value but for one or two characters; one of both is misread
- ``MODEL_SWAPPED_PARTIES``: the value of the other party
- ``MODEL_INVENTED``: the page does not show it anywhere
- ``MODEL_WRONG_SLOT``: the page shows it, but elsewhere
- ``MODEL_WRONG_TYPE``: it cannot be a value of this field at all (free text for an amount)

Taking a value from the wrong place is this model's commonest error by far (about half of its answers in the one
published study of bills), so not every contradiction may cost a person's time. The rule:

1. An answer of the wrong type, or a contradiction about a lesser field (addresses, notes, references), is only noted;
   but digits that drifted are asked about in every field made of digits.
2. A contradiction that the page itself refutes is noted and lowers the confidence: amounts tied by a sum, by the lines
   or by the amount in words are proven whatever the model says; check digits, or a second print of the same value,
   refute drift and invention, but not another place; a tax id that passes its check beats one that does not.
3. An answer that is the value of *another* field is noted, it cannot be both: when page and model agree on that other
   field, or when both values stand right beside a clear label of their own. Parties are excepted from the latter (they
   are often swapped), and amounts from both (the total may also be the amount due).
4. Everything else about a number, a code, a date, a total, a tax id, the currency, a party's name or a bank account
   goes to review with its name.

What only the model's own reading of the page says, without a vote, a sum, a check digit or a second print, keeps less
confidence. A tax id so read that fails its check digits goes to review, also the buyer's; so do sums that miss each
other by cents, as rounding and a misread last digit both make them.

What this cannot see: one misreading of a number or a date in the spotting *and* in the answer, where no sum, no words
and no check digit ties the value down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from hunyuan_ocr.extraction.agreement import Likeness, has_drifted, likeness, readings_of, value_type
from hunyuan_ocr.extraction.ledger import MOST_OTHERS, Ledger
from hunyuan_ocr.extraction.line_items import sum_of
from hunyuan_ocr.extraction.printed import PrintedText
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.extraction.proofs import Proof, amount_of, fails_check, passes_check, proofs_of
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.geometry import Reader

_KEY_FIELDS = frozenset({
    "invoice_number", "cn_invoice_code", "cn_einvoice_number", "issue_date", "due_date", "delivery_date",
    "tax_point_date", "total_with_tax", "total_without_tax", "total_tax", "amount_due", "currency", "seller.name",
    "buyer.name", "seller.tax_id", "buyer.tax_id", "payment.iban_or_account", "preceding_invoice_number",
})  # fmt: skip
_OF_DIGITS = frozenset({ValueType.NUMBER, ValueType.DIGITS, ValueType.MONEY, ValueType.DATE, ValueType.TAX_ID})
_OTHER_PARTY = {"seller": "buyer", "buyer": "seller"}
_DOUBT_LEFT, _DOUBT_LEFT_BY_THE_SAME_EYES = 0.5, 0.7
_CONTRADICTED = 0.9
_UNCONFIRMED = 0.85
_STRONG_LABEL = 0.85
_CENT = Decimal("0.01")


class Dissent(StrEnum):
    """How an answer differs from the page; the codes are stable."""

    DRIFTED = "MODEL_DIGITS_DRIFTED"
    SWAPPED = "MODEL_SWAPPED_PARTIES"
    INVENTED = "MODEL_INVENTED"
    WRONG_SLOT = "MODEL_WRONG_SLOT"
    WRONG_TYPE = "MODEL_WRONG_TYPE"


_SENTENCES = {
    Dissent.DRIFTED: "the page and the model differ by a character or two",
    Dissent.SWAPPED: "the model gives the value of the other party",
    Dissent.INVENTED: "the page does not show the model's answer",
    Dissent.WRONG_SLOT: "the page shows the model's answer in another place",
    Dissent.WRONG_TYPE: "the model's answer is no value of this field",
}
_GRAVITY = tuple(Dissent)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the votes on one field come to: ``SAME`` if any agrees; else the gravest dissent."""

    likeness: Likeness
    dissent: Dissent | None = None
    vote: Candidate | None = None


def weigh_votes(
    ledger: Ledger,
    votes: Sequence[Candidate],
    profile: PromptProfile,
    notes: Mapping[str, Sequence[str]],
) -> None:
    """Put the votes and the notes on answers that are none beside the values of the page, in place."""
    is_read_by_model = any(page.reader is Reader.HUNYUAN for page in ledger.layout.pages)
    if votes or notes or is_read_by_model:
        _Weighing(ledger, votes, profile, notes).settle()


class _Weighing:
    def __init__(
        self,
        ledger: Ledger,
        votes: Sequence[Candidate],
        profile: PromptProfile,
        notes: Mapping[str, Sequence[str]],
    ) -> None:
        self.ledger = ledger
        self.profile = profile
        self.notes = notes
        self.votes: dict[str, list[Candidate]] = defaultdict(list)
        for vote in votes:
            self.votes[vote.field_path].append(vote)
        self.printed = PrintedText(ledger.layout)
        self.proofs = proofs_of(ledger.values, ledger.lines, ledger.layout, profile)
        self.readers = {page.page_no: page.reader for page in ledger.layout.pages}

    def settle(self) -> None:
        standings = {path: self._standing(path, votes) for path, votes in self.votes.items()}
        for path, votes in self.votes.items():
            known = self.ledger.values.get(path)
            if known is None or known.chosen is None:
                self._keep_aside(path, known, votes)
            else:
                self._judge(path, known, known.chosen, standings)
        for path, notes in self.notes.items():
            if path in standings and standings[path].likeness is Likeness.SAME:
                continue
            known = self.ledger.values.get(path) or FieldValue(path, FieldState.ABSENT, None)
            self.ledger.values[path] = replace(known, reason=_joined(known.reason, *notes))
        for path, known in list(self.ledger.values.items()):
            if known.chosen is not None and not path.startswith(("lines[", "tax_breakdown[")):
                is_judged = path in standings and standings[path].dissent is not Dissent.WRONG_TYPE
                self._doubt_lone_reading(path, known, known.chosen, is_judged=is_judged)
        self._doubt_last_cents()

    def _doubt_last_cents(self) -> None:
        """Rounding may leave cents between lines, net, tax and total; so does a misread last digit."""
        amounts = {
            path: abs(amount)
            for path in ("sum_of_lines", "total_without_tax", "total_tax", "total_with_tax")
            if (candidate := self._chosen(path)) is not None
            and self._is_own_reading(candidate)
            and (amount := amount_of(candidate)) is not None
        }
        net, tax, total = (amounts.pop(path, None) for path in ("total_without_tax", "total_tax", "total_with_tax"))
        if net is not None and tax is not None and total is not None and abs(net + tax - total) == _CENT:
            self.ledger.ask("TOTALS_A_CENT_OFF", "net, tax and total differ by a cent: rounding, or a misread digit")
        added = abs(sum_of(self.ledger.lines) or Decimal(0))
        sums = [amount for amount in (net, total, *amounts.values()) if amount is not None]
        gaps = [abs(added - amount) for amount in sums] if added else []
        if gaps and 0 < min(gaps) <= _CENT * max(2, len(self.ledger.lines)):
            self.ledger.ask("LINES_CENTS_OFF", "the lines miss the printed sum by cents: rounding, or a misread digit")

    def _chosen(self, path: str) -> Candidate | None:
        value = self.ledger.values.get(path)
        return value.chosen if value is not None else None

    def _is_own_reading(self, candidate: Candidate) -> bool:
        """True when the value was read from the picture by the model that also voted."""
        return candidate.source is Source.OCR and self.readers.get(candidate.page_no or 0) is Reader.HUNYUAN

    def _standing(self, path: str, votes: Sequence[Candidate]) -> _Standing:
        printed = self._chosen(path)
        if printed is None:
            return _Standing(Likeness.OTHER)
        kind = value_type(path, self.profile)
        found = {self._likeness(path, vote, printed, kind): vote for vote in votes}
        for level in (Likeness.SAME, Likeness.NEAR):
            if level in found:
                return _Standing(level, vote=found[level])
        named = [(self._dissent(path, vote, printed, kind), vote) for vote in votes]
        dissent, vote = min(named, key=lambda pair: _GRAVITY.index(pair[0]))
        return _Standing(Likeness.OTHER, dissent, vote)

    def _other_party_value(self, path: str) -> Candidate | None:
        party, _, tail = path.partition(".")
        return self._chosen(f"{_OTHER_PARTY[party]}.{tail}") if party in _OTHER_PARTY else None

    def _likeness(self, path: str, vote: Candidate, printed: Candidate, kind: ValueType) -> Likeness:
        """Sister companies have nearly the same name: what is exactly the other's is not nearly this one's."""
        found = likeness(vote, printed, kind)
        other = self._other_party_value(path)
        is_the_others = other is not None and likeness(vote, other, kind) is Likeness.SAME
        return Likeness.OTHER if found is Likeness.NEAR and is_the_others else found

    def _dissent(self, path: str, vote: Candidate, printed: Candidate, kind: ValueType) -> Dissent:
        if not readings_of(vote.value_raw, kind):
            return Dissent.WRONG_TYPE
        other = self._other_party_value(path)
        if other is not None and likeness(vote, other, kind) is not Likeness.OTHER:
            return Dissent.SWAPPED
        if has_drifted(vote, printed, kind):
            return Dissent.DRIFTED
        if self.printed.holds(vote.value_raw, kind):
            return Dissent.WRONG_SLOT
        return Dissent.DRIFTED if has_drifted(vote, printed, kind, is_strict=False) else Dissent.INVENTED

    def _judge(self, path: str, known: FieldValue, printed: Candidate, standings: Mapping[str, _Standing]) -> None:
        standing = standings[path]
        others = (*self.votes[path], *known.others)[:MOST_OTHERS]
        confidence, reason = printed.confidence, known.reason
        if standing.likeness is Likeness.SAME:
            left = _DOUBT_LEFT_BY_THE_SAME_EYES if self._is_own_reading(printed) else _DOUBT_LEFT
            confidence = 1 - (1 - confidence) * left
            reason = _joined(reason, "page and model agree")
        elif standing.likeness is Likeness.NEAR:
            reason = _joined(reason, "the model's answer is nearly the same")
        elif standing.dissent is not None and standing.vote is not None:
            why = self._refuted(path, standing.vote, printed, standing.dissent, standings)
            confidence *= _CONTRADICTED
            named = f"{standing.dissent}: {_SENTENCES[standing.dissent]}"
            reason = _joined(reason, f"{named}, {why}" if why else named)
            if not why:
                self.ledger.ask(standing.dissent, f"{path}: {_SENTENCES[standing.dissent]}")
        chosen = replace(printed, confidence=round(confidence, 4))
        self.ledger.values[path] = replace(known, chosen=chosen, others=others, reason=reason)

    def _refuted(
        self,
        path: str,
        vote: Candidate,
        printed: Candidate,
        dissent: Dissent,
        standings: Mapping[str, _Standing],
    ) -> str:
        """Why this contradiction need not be looked at, in words; empty when it must be."""
        if dissent is Dissent.WRONG_TYPE:
            return "which says nothing against the page"
        kind = value_type(path, self.profile)
        proofs = self.proofs.get(path, frozenset())
        if Proof.SUM in proofs:
            return "but the sums of the page prove the printed one"
        is_valid = Proof.CHECK in proofs
        if is_valid and not passes_check(path, vote.value_norm, self.profile):
            return "but the check digits prove the printed one"
        is_unseen = dissent is Dissent.INVENTED or (
            dissent is Dissent.DRIFTED and not self.printed.count(vote.value_raw, kind)
        )
        if Proof.REPEATED in proofs and is_unseen:
            return "but the printed one stands on the page twice"
        if dissent in (Dissent.WRONG_SLOT, Dissent.SWAPPED) and (
            why := self._is_of_another(path, vote, printed, dissent, standings)
        ):
            return why
        if path not in _KEY_FIELDS and not (dissent is Dissent.DRIFTED and kind in _OF_DIGITS):
            return "which is only noted"
        return ""

    def _is_of_another(
        self,
        path: str,
        vote: Candidate,
        printed: Candidate,
        dissent: Dissent,
        standings: Mapping[str, _Standing],
    ) -> str:
        """How the page shows that the answer belongs to another field; empty when it does not.

        An amount may rightly stand in two fields (total and amount due); only the sums tell.
        """
        if value_type(path, self.profile) is ValueType.MONEY:
            return ""
        for other, value in self.ledger.values.items():
            owner = value.chosen
            kind = value_type(other, self.profile)
            if other == path or owner is None or likeness(vote, owner, kind) is not Likeness.SAME:
                continue
            if other in standings and standings[other].likeness is Likeness.SAME:
                return "but page and model agree that it is another field's"
            are_labelled = all(one.label and one.confidence >= _STRONG_LABEL for one in (owner, printed))
            if are_labelled and dissent is Dissent.WRONG_SLOT and other not in standings:
                return "but it stands beside the label of another field"
        return ""

    def _keep_aside(self, path: str, known: FieldValue | None, votes: Sequence[Candidate]) -> None:
        """No evidence on the page: the answers are kept for the clerk, with what the page says about them."""
        kind = value_type(path, self.profile)
        is_printed = any(self.printed.holds(vote.value_raw, kind) for vote in votes)
        why = (
            f"{Dissent.WRONG_SLOT}: the model's answer is printed, but beside no label of this field"
            if is_printed
            else f"{Dissent.INVENTED}: no evidence on the page for the model's answer"
        )
        state = known.state if known is not None else FieldState.ABSENT
        kept = known.others if known is not None else ()
        reason = _joined(known.reason if known is not None else "", why)
        self.ledger.values[path] = FieldValue(path, state, None, (*votes, *kept)[:MOST_OTHERS], reason)

    def _doubt_lone_reading(self, path: str, known: FieldValue, printed: Candidate, *, is_judged: bool) -> None:
        if value_type(path, self.profile) not in _OF_DIGITS or not self._is_own_reading(printed):
            return
        if fails_check(path, printed.value_norm, self.profile):
            self.ledger.ask("TAX_ID_UNSURE", f"{path}: it fails its check digits, and only the model has read it")
        if is_judged or self.proofs.get(path):
            return
        chosen = replace(printed, confidence=round(printed.confidence * _UNCONFIRMED, 4))
        reason = _joined(known.reason, "only the model's own reading says so")
        self.ledger.values[path] = replace(known, chosen=chosen, reason=reason)


def _joined(*parts: str) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if part))
