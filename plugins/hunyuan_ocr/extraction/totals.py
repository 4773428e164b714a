"""Which printed amount is the net total, which the tax, which the total: the labels propose, the arithmetic decides.

Among all labelled amounts the combination is chosen in which net + tax = total (with discount, charges and rounding
where printed), the lines add up, the amount in words agrees, cash less change agrees. A total that only its label
vouches for keeps a lower confidence; two different totals that nothing tells apart are not given at all. What is due
(with an earlier balance, or less what is paid) is never taken for the invoice's total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from hunyuan_ocr.extraction.amounts import ChosenAmount, Option, Support, Totals
from hunyuan_ocr.extraction.leads import Lead

ZERO = Decimal(0)
CENT = Decimal("0.01")
_MOST_OPTIONS = 9
_EARLIER_AMOUNT_IN_ROW = 0.72
_PROVEN = 0.975
_LABEL_ONLY_CAP = 0.9
_RIVAL_FACTOR = 0.5
_CLEAR_LABEL = 0.8
_TOTAL_AS_NET = 0.6


@dataclass(frozen=True, slots=True)
class _Combination:
    total: Option
    net: Option | None
    tax: Option | None
    score: float
    proof: str


def choose_totals(leads: Mapping[str, Sequence[Lead]], support: Support, *, is_credit: bool = False) -> Totals:
    """The totals of the document. Amounts of a credit note are compared without their sign."""
    pool = _Pool(leads, support, is_credit)
    totals = Totals()
    combinations_found = list(pool.combinations())
    if combinations_found:
        best = max(combinations_found, key=lambda combination: combination.score)
        _take(totals, best, combinations_found, pool)
        _take_contradicting(totals, pool)
    _take_due(totals, pool)
    _take_supporting(totals, pool)
    return totals


class _Pool:
    """All options by role, and the scoring of combinations."""

    def __init__(self, leads: Mapping[str, Sequence[Lead]], support: Support, is_credit: bool) -> None:
        self.support = support
        self._absolute = is_credit
        self.by_path = {
            path: self._options(leads.get(path, ()))
            for path in (
                "total_with_tax",
                "amount_due",
                "total_without_tax",
                "sum_of_lines",
                "total_tax",
                "paid_amount",
                "prior_balance",
                "rounding_amount",
                "allowances_total",
                "charges_total",
                "cash_tendered",
                "change_given",
            )
        }
        self.repeats: dict[Decimal, int] = {}
        for options in self.by_path.values():
            for option in options:
                self.repeats[option.amount] = self.repeats.get(option.amount, 0) + 1
        self.totals = self._merged(
            (self.by_path["total_with_tax"], 1.0),
            (self.by_path["amount_due"], 0.8),
            (self.by_path["sum_of_lines"], 0.45),
        )
        pair_nets = [Option(net, None, 0.5) for net, _ in support.pairs]
        pair_taxes = [Option(tax, None, 0.5) for _, tax in support.pairs]
        self.nets = self._merged(
            (self.by_path["total_without_tax"], 1.0), (self.by_path["sum_of_lines"], 0.85), (pair_nets, 1.0)
        )
        known = {option.amount for option in self.nets}
        totals = self._merged((self.by_path["total_with_tax"], _TOTAL_AS_NET))
        self.nets += [option for option in totals if option.amount not in known]
        self.second = self._second_amounts(leads.get("total_without_tax", ()))
        self.taxes = self._merged(
            (self.by_path["total_tax"], 1.0), (self.second, 0.6), (self._tax_sums(), 0.9), (pair_taxes, 1.0)
        )

    def _options(self, leads: Iterable[Lead]) -> list[Option]:
        rows: dict[tuple[str, int], int] = {}
        listed = list(leads)
        for lead in listed:
            key = (lead.label, lead.place[0])
            rows[key] = max(rows.get(key, 0), lead.order)
        options: list[Option] = []
        for lead in listed:
            weight = lead.confidence
            if lead.order < rows[lead.label, lead.place[0]]:
                weight *= _EARLIER_AMOUNT_IN_ROW
            for order, reading in enumerate(lead.readings):
                amount = Decimal(reading)
                if self._absolute:
                    amount = abs(amount)
                options.append(Option(amount, lead, weight * (0.9 if order else 1.0)))
        return options

    def _merged(self, *groups: tuple[Sequence[Option], float]) -> list[Option]:
        best: dict[Decimal, Option] = {}
        counts: dict[Decimal, int] = {}
        for options, factor in groups:
            for option in options:
                weight = option.weight * factor
                counts[option.amount] = counts.get(option.amount, 0) + 1
                known = best.get(option.amount)
                if known is None or weight > known.weight:
                    best[option.amount] = Option(option.amount, option.lead, weight, option.parts)
        merged = [
            Option(o.amount, o.lead, min(1.15, o.weight + 0.05 * min(counts[o.amount] - 1, 3)), o.parts)
            for o in best.values()
        ]
        return sorted(merged, key=lambda option: -option.weight)[:_MOST_OPTIONS]

    def _second_amounts(self, leads: Iterable[Lead]) -> list[Option]:
        """The tax beside the net total in one row of sums (合计 ¥46.62 ¥6.08)."""
        return [
            Option(abs(Decimal(lead.norm)) if self._absolute else Decimal(lead.norm), lead, lead.confidence)
            for lead in leads
            if lead.order > 0
        ]

    def _tax_sums(self) -> list[Option]:
        """Tax printed per rate: the sums of two or three printed rows."""
        rows: dict[int, Option] = {}
        for option in self.by_path["total_tax"]:
            if option.lead is None or option.amount == ZERO:
                continue
            known = rows.get(option.lead.place[0])
            if known is None or option.weight > known.weight:
                rows[option.lead.place[0]] = option
        printed = list(rows.values())[:6]
        sums = []
        for size in (2, 3):
            for group in combinations(printed, size):
                leads = tuple(option.lead for option in group if option.lead is not None)
                weight = min(option.weight for option in group)
                sums.append(Option(sum((option.amount for option in group), ZERO), leads[-1], weight, leads))
        return sums

    def adjustments(self) -> list[tuple[Decimal, str]]:
        """What may stand between net + tax and the total: rounding, charges, discounts, and their sums."""
        steps: list[tuple[Decimal, str]] = [(ZERO, "")]
        for path, sign in (("rounding_amount", 1), ("charges_total", 1), ("allowances_total", -1)):
            options = [option for option in self.by_path[path] if option.amount != ZERO][:2]
            for option in options:
                signed = option.amount if path == "rounding_amount" else sign * abs(option.amount)
                steps += [(base + signed, f"{why} {path}".strip()) for base, why in list(steps) if path not in why]
        return steps[:24]

    def combinations(self) -> Iterable[_Combination]:
        nets: list[Option | None] = [None, *self.nets]
        taxes: list[Option | None] = [None, *self.taxes]
        adjustments = self.adjustments()
        for total in self.totals:
            alone = self._score_total(total)
            for net in nets:
                for tax in taxes:
                    if (
                        net is not None
                        and _is_total(net)
                        and (tax is None or not tax.amount or net.amount == total.amount)
                    ):
                        continue
                    yield self._scored(total, net, tax, alone, adjustments)

    def _score_total(self, total: Option) -> float:
        score = total.weight
        amount = total.amount
        if amount == ZERO and any(option.amount != ZERO for option in self.totals):
            score -= 0.9
        if self.support.in_words is not None:
            score += 1.2 if self.support.in_words == amount else -0.8
        cash = {option.amount for option in self.by_path["cash_tendered"]}
        change = {option.amount for option in self.by_path["change_given"]} or {ZERO}
        if any(abs(paid - back - amount) <= CENT for paid in cash for back in change):
            score += 0.35
        if self.support.line_count and self.support.sum_of_lines == amount:
            score += 0.3
        for option in self.by_path["rounding_amount"]:
            if option.amount != ZERO and any(
                other.amount + option.amount == amount for other in self.totals if other is not total
            ):
                score += 0.4
                break
        if self.is_explained_by_balance(amount):
            score -= 0.5
        return score + 0.06 * min(self.repeats.get(amount, 1) - 1, 3)

    def is_explained_by_balance(self, amount: Decimal) -> bool:
        """True for what is due: another total with an earlier balance added or what was paid taken off."""
        moved = [option.amount for option in self.by_path["prior_balance"] if option.amount != ZERO]
        paid = [-abs(option.amount) for option in self.by_path["paid_amount"] if option.amount != ZERO]
        return any(
            abs(other.amount + step - amount) <= CENT
            for other in self.by_path["total_with_tax"]
            for step in (*moved, *paid)
            if other.amount != amount
        )

    def _scored(
        self,
        total: Option,
        net: Option | None,
        tax: Option | None,
        alone: float,
        adjustments: Sequence[tuple[Decimal, str]],
    ) -> _Combination:
        score = alone
        proof = ""
        if net is not None:
            score += 0.3 * net.weight
        if tax is not None:
            score += 0.3 * tax.weight
        if net is not None and tax is not None:
            gap = total.amount - net.amount - tax.amount
            if gap == ZERO or (abs(gap) <= CENT and abs(total.amount) >= 1):
                is_trivial = tax.amount == ZERO or net.amount == ZERO
                score += 0.35 if is_trivial else 1.2 if gap == ZERO else 1.0
                proof = "net and tax add up to the total"
            elif any(gap == step for step, why in adjustments if why == "rounding_amount"):
                score += 0.7
                proof = "net and tax add up to the total before rounding"
            elif any(abs(gap - step) <= CENT for step, why in adjustments if why):
                score += 0.7
                proof = "net, tax, discount, charges and rounding add up to the total"
            else:
                score -= 1.0
            if 0 < abs(total.amount) < abs(net.amount) and tax.amount * total.amount > 0 and not proof:
                score -= 0.5
        elif net is not None:
            gap = total.amount - net.amount
            if gap == ZERO:
                score += 0.2
            elif any(abs(gap - step) <= CENT for step, why in adjustments if why):
                score += 0.35
                proof = "net, charges and rounding add up to the total"
            else:
                score -= 0.35
        if net is not None and self.support.line_count and self.support.sum_of_lines is not None:
            difference = abs(self.support.sum_of_lines - net.amount)
            if difference <= CENT * max(1, self.support.line_count):
                score += 0.5
        return _Combination(total, net, tax, score, proof)


def _is_total(net: Option) -> bool:
    """ "Total 100, GST 6, Total payable 106": a net that is labelled as a total, which only arithmetic can prove."""
    return net.lead is not None and net.lead.field_path == "total_with_tax"


def _take(totals: Totals, best: _Combination, all_found: Sequence[_Combination], pool: _Pool) -> None:
    rival = max(
        (found for found in all_found if found.total.amount not in (best.total.amount, ZERO)),
        key=lambda found: found.score,
        default=None,
    )
    support = pool.support
    words = support.in_words is not None and support.in_words == best.total.amount
    lines = bool(support.line_count) and support.sum_of_lines is not None and support.sum_of_lines == best.total.amount
    proven = bool(best.proof) or words or (lines and best.total.weight > 0.5)
    confidence = min(best.total.weight, _LABEL_ONLY_CAP)
    reason = best.proof
    if proven:
        confidence = max(confidence, _PROVEN)
        reason = reason or ("the amount in words agrees" if words else "the lines add up to it")
    elif rival is not None and rival.score > best.score - 0.12 and rival.total.weight > 0.6 * best.total.weight:
        confidence *= _RIVAL_FACTOR
        totals.doubts.append("two amounts could be the total and nothing tells them apart")
    if best.total.amount == ZERO and any(option.amount != ZERO for option in (*pool.totals, *pool.nets, *pool.taxes)):
        confidence *= _RIVAL_FACTOR
    others = tuple(option for option in pool.totals if option.amount != best.total.amount)[:4]
    totals.chosen["total_with_tax"] = ChosenAmount(best.total, confidence, proven, others, reason)
    _take_net(totals, best, pool)
    if best.tax is not None and (best.proof or best.tax.lead is not None):
        known = confidence if best.proof else min(best.tax.weight, 0.7)
        if not best.tax.parts or best.proof:
            rest = tuple(option for option in pool.taxes if option.amount != best.tax.amount)[:4]
            totals.chosen["total_tax"] = ChosenAmount(best.tax, known, bool(best.proof), rest, best.proof)


def _take_net(totals: Totals, best: _Combination, pool: _Pool) -> None:
    net = best.net
    if net is None:
        return
    is_subtotal = any(option.amount == net.amount for option in pool.by_path["sum_of_lines"])
    is_net = any(option.amount == net.amount for option in pool.by_path["total_without_tax"])
    adjusted = best.proof.startswith("net, ")
    rest = tuple(option for option in pool.nets if option.amount != net.amount)[:4]
    if best.proof:
        chosen = ChosenAmount(net, _PROVEN, True, rest, best.proof)
    else:
        chosen = ChosenAmount(net, min(net.weight, 0.75), False, rest, "")
    if is_subtotal:
        totals.chosen["sum_of_lines"] = chosen
    if adjusted and not is_net:
        return
    if is_net or best.proof or (best.tax is None and net.amount == best.total.amount and is_net):
        totals.chosen["total_without_tax"] = chosen


def _take_contradicting(totals: Totals, pool: _Pool) -> None:
    """A net or tax that its label clearly names is given also when it does not fit the total: the rules must see it."""
    missing = [
        (path, options)
        for path, options in (
            ("total_without_tax", [*pool.by_path["total_without_tax"]]),
            ("total_tax", [*pool.by_path["total_tax"], *pool.second]),
        )
        if path not in totals.chosen
    ]
    for path, options in missing:
        if not options:
            continue
        best = max(options, key=lambda option: option.weight)
        rivals = {option.amount for option in options if option.weight > 0.9 * best.weight}
        if len(rivals) == 1 and best.weight >= _CLEAR_LABEL:
            reason = "its label names it, but net, tax and total do not add up"
            totals.chosen[path] = ChosenAmount(best, min(best.weight, 0.8), False, (), reason)


def _take_due(totals: Totals, pool: _Pool) -> None:
    total = totals.amount("total_with_tax")
    change = {option.amount for option in pool.by_path["change_given"]} - {total}
    options = [option for option in pool.by_path["amount_due"] if option.amount not in change]
    if not options:
        return
    explained = [option for option in options if pool.is_explained_by_balance(option.amount)]
    same = [option for option in options if option.amount == total]
    if explained:
        best = max(explained, key=lambda option: option.weight)
        chosen = ChosenAmount(best, _PROVEN, True, (), "total, payments and earlier balance add up to it")
    elif same:
        best = max(same, key=lambda option: option.weight)
        chosen = ChosenAmount(best, max(best.weight, 0.9), False, (), "")
    else:
        best = max(options, key=lambda option: option.weight)
        amounts = {option.amount for option in options if option.weight > 0.9 * best.weight}
        chosen = ChosenAmount(best, best.weight * (0.85 if len(amounts) == 1 else _RIVAL_FACTOR), False, (), "")
    totals.chosen["amount_due"] = chosen


def _take_supporting(totals: Totals, pool: _Pool) -> None:
    """Discount, charges, rounding and payments as printed; several different ones of a kind are not told apart."""
    for path in ("allowances_total", "charges_total", "rounding_amount", "paid_amount"):
        options = pool.by_path[path]
        if not options:
            continue
        best = max(options, key=lambda option: option.weight)
        rivals = {option.amount for option in options if option.weight >= 0.95 * best.weight}
        if len(rivals) > 1:
            continue
        totals.chosen[path] = ChosenAmount(best, best.weight * 0.9, False, (), "")
