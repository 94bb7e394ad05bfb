"""The table that people read: per problem, or with a model per layer."""

import dataclasses
import json
import sys

from . import _stats
from ._layers import find_layer
from ._modules import PLAIN, Guarded

_UNWATCHED = "no layer of this model is known: call convoy.watch(model) or convoy.patch_model(model) before it runs"


@dataclasses.dataclass
class ProblemRow:
    """One problem on one device."""

    problem: str
    device: str
    solver: str
    tier: str
    calls: int
    fallbacks: list  # of attempts, as raw_stats() has them


@dataclasses.dataclass
class LayerRow:
    """One convolution of a model."""

    name: str
    kind: str
    forwards: int
    tiers: dict  # tier -> forward runs
    backward_tiers: list
    fallbacks: list
    milliseconds: object = None  # mean of a forward run, None where it was not timed


class Report:
    """str() is the text; rows are ProblemRow or LayerRow."""

    def __init__(self, rows, totals, note=""):
        self.rows, self.totals, self.note = rows, totals, note

    def __str__(self):
        layers = bool(self.rows) and isinstance(self.rows[0], LayerRow)
        lines = _layer_lines(self.rows) if layers else _problem_lines(self.rows)
        return "\n".join([self._head(), *([self.note] if self.note else []), *lines]) + "\n"

    def _head(self):
        totals = self.totals
        tiers = ", ".join(f"{tier} {count}" for tier, count in totals["tiers"].items() if count)
        state = "on" if totals["enabled"] else "off"
        return f"Convoy is {state}: {_counted(totals['calls'], 'call')}" + (f" ({tiers})" if tiers else "")

    def to_dict(self):
        return {"totals": self.totals, "rows": [dataclasses.asdict(row) for row in self.rows]}

    def to_json(self, indent=2):
        return json.dumps(self.to_dict(), indent=indent)


def report(model=None, file=None):
    """Prints what ran where, to `file` or standard output, and returns it as a Report.

    Per problem; with a model, that is watched or patched, per layer.
    """
    raw = _stats.raw_stats()
    totals = _stats.flattened(raw)
    problems = totals.pop("problems")
    rows = [] if model is None else _layer_rows(model, _stats.LayerFinder(raw))
    note = _UNWATCHED if model is not None and not rows else ""
    made = Report(rows or [_problem_row(one) for one in problems], totals, note)
    print(made, end="", file=sys.stdout if file is None else file)
    return made


def _problem_row(one):
    return ProblemRow(**{field.name: one[field.name] for field in dataclasses.fields(ProblemRow)})


def _layer_rows(model, finder):
    rows = []
    for name, module in model.named_modules():
        layer = find_layer(module)
        if layer is None or not isinstance(module, PLAIN) or not (layer.is_named or isinstance(module, Guarded)):
            continue
        found = finder.layer(layer.number)
        rows.append(LayerRow(name or "(model)", type(module).__name__, milliseconds=layer.milliseconds(), **found))
    return rows


def _problem_lines(rows):
    table = [("calls", "tier", "solver", "device", "problem")]
    table += [(str(row.calls), row.tier, row.solver, row.device, row.problem) for row in rows]
    return _with_fallbacks(_aligned(table), rows) if rows else []


def _layer_lines(rows):
    timed = any(row.milliseconds is not None for row in rows)
    table = [("forwards", "tiers", "backward") + (("ms",) if timed else ()) + ("layer",)]
    for row in rows:
        tiers = ", ".join(f"{tier} {count}" for tier, count in row.tiers.items()) or "-"
        cells = (str(row.forwards), tiers, ", ".join(row.backward_tiers) or "-")
        if timed:
            cells += ("-" if row.milliseconds is None else f"{row.milliseconds:.3f}",)
        table.append(cells + (f"{row.name} ({row.kind})",))
    return _with_fallbacks(_aligned(table), rows)


def _aligned(table):
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]) - 1)]
    return ["  ".join([f"{cell:>{width}}" for cell, width in zip(row, widths)] + [row[-1]]) for row in table]


def _with_fallbacks(lines, rows):
    """Each row's failures of PyTorch's own path stand under it."""
    result = lines[:1]
    for line, row in zip(lines[1:], rows):
        result.append(line)
        for attempt in row.fallbacks:
            reason = " ".join(attempt["reason"].split())
            result.append(f"    {attempt['solver']} {attempt['outcome']}: {reason}")
    return result


def _counted(count, noun):
    return f"{count} {noun}" + ("" if count == 1 else "s")
