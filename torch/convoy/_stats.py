"""What ran where: the library's JSON, and the same flattened for people."""

import collections
import json

from . import _library, _start

_TIERS = ("vendor", "own", "generic", "cpu", "reference")
_baselines = {}  # settings -> {(device, problem): calls} when they were reset: the engine's own counts never go back
_BROKEN = ("wrong_result", "crashed", "timed_out", "failed")


def raw_stats():
    """The library's statistics as it tells them: of the settings in force, by device, problem and layer."""
    library = _library.loaded_library()
    if library is None:
        return {
            "enabled": False,
            "calls": {"forward": 0, "backward": 0},
            "handed_through": {},
            "retries_after_empty_cache": 0,
            "devices": [],
            "layers": {},
        }
    return json.loads(library.statistics())


def reset_stats():
    """Counts of calls and layers begin at zero, under the settings in force; what was learned about problems stays."""
    library = _library.loaded_library()
    if library is None:
        return
    library.reset_statistics()
    calls = collections.Counter()
    for one in _all_problems(raw_stats()):
        calls[one["device"], one["problem"]] += one["calls"]
    _baselines[_start.settings_in_force()] = calls


def stats():
    """Totals over all devices: calls, tiers, fallbacks with their causes, and one entry for each problem."""
    return flattened(raw_stats())


def flattened(raw):
    sums = {name: collections.Counter() for name in ("causes", "quarantined")}
    fallbacks = 0
    for device in raw["devices"]:
        one = device["statistics"] or {}
        fallbacks += one.get("fallbacks", 0)
        for name, counter in sums.items():
            counter.update(one.get(name, {}))
    problems = problems_of(raw)
    tiers = collections.Counter()
    for one in problems:
        tiers[one["tier"]] += one["calls"]
    return {
        "enabled": raw["enabled"],
        "calls": sum(one["calls"] for one in problems),
        "forward_calls": raw["calls"]["forward"],
        "backward_calls": raw["calls"]["backward"],
        "tiers": {tier: tiers[tier] for tier in _TIERS},
        "fallbacks": fallbacks,
        "causes": dict(sums["causes"]),
        "quarantined": dict(sums["quarantined"]),
        "handed_through": dict(raw["handed_through"]),
        "problems": problems,
    }


def to_json(indent=2):
    """stats() as JSON text."""
    return json.dumps(stats(), indent=indent)


def problems_of(raw):
    """One entry for each problem and device: who serves it, and what PyTorch's own path did wrong before."""
    baseline = collections.Counter(_baselines.get(_start.settings_in_force(), {}))
    problems = _all_problems(raw)
    for one in problems:
        key = one["device"], one["problem"]
        before = min(baseline[key], one["calls"])
        baseline[key] -= before
        one["calls"] -= before
    return problems


def _all_problems(raw):
    return [
        {
            "problem": one["problem"],
            "device": device["device"],
            "solver": one["solver"],
            "tier": one["tier"] if one["solver"] else "",
            "calls": one["calls"],
            "fallbacks": [attempt for attempt in one["attempts"] if is_fallback(attempt)],
            "attempts": one["attempts"],
        }
        for device in raw["devices"]
        for one in (device["statistics"] or {}).get("per_problem", [])
    ]


def is_failure(attempt):
    """Whether a solver was tried and broke."""
    return attempt["outcome"] in _BROKEN


def is_fallback(attempt):
    """Whether PyTorch's own path was given up there, not merely passed over."""
    if attempt["solver"] not in ("torch", "miopen"):
        return False
    return is_failure(attempt) or (attempt["outcome"] == "refused" and attempt["tier"] == "vendor")


def _is_taken_over(problem):
    return bool(problem["fallbacks"]) and problem["solver"] not in ("torch", "")


class LayerFinder:
    """Looks layers up in one reading of the statistics."""

    def __init__(self, raw):
        self._layers = raw["layers"]
        self._problems = collections.defaultdict(list)
        for one in problems_of(raw):
            self._problems[one["device"], one["problem"]].append(one)

    def layer(self, number):
        """{forwards, tiers: {tier: forward calls}, backward_tiers: [tier], fallbacks: [attempt]}"""
        found = {"forwards": 0, "tiers": collections.Counter(), "backward_tiers": [], "fallbacks": []}
        layer = self._layers.get(str(number))
        if layer is None:
            return {**found, "tiers": {}}
        found["forwards"] = layer["forwards"]
        for problem, use in layer["problems"].items():
            for one in self._problems[use["device"], problem]:
                found["fallbacks"] += one["fallbacks"]
            found["tiers"][self._tier(use["device"], problem)] += use["calls"]
            for backward in (use.get("backward_data"), use.get("backward_weights")):
                self._add_backward(found, use["device"], backward)
        found["tiers"].pop("", None)
        return {**found, "tiers": dict(found["tiers"])}

    def rescued(self, number):
        """Forward runs of the layer that Convoy took over because PyTorch's own path had failed."""
        layer = self._layers.get(str(number), {"problems": {}})
        return sum(
            use["calls"]
            for problem, use in layer["problems"].items()
            if any(_is_taken_over(one) for one in self._problems[use["device"], problem])
        )

    def _tier(self, device, problem):
        return next((one["tier"] for one in self._problems[device, problem] if one["calls"]), "")

    def _add_backward(self, found, device, problem):
        for one in self._problems.get((device, problem), []):
            found["fallbacks"] += one["fallbacks"]
            if one["calls"] and one["tier"] and one["tier"] not in found["backward_tiers"]:
                found["backward_tiers"].append(one["tier"])
