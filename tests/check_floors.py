#!/usr/bin/env python3
# Who may include whom: checks every #include of the tree against the floors of ARCHITECTURE.md.
# A violation is one line, "file:line: rule", and exit status 1. --self-test shows each rule a sample that breaks it.

import pathlib
import re
import sys
import tempfile

# Folder under src/ -> its floor and the folders it may include beside its own.
FLOORS = {
    "base": (0, ()),
    "problem": (1, ("base",)),
    "device": (1, ("base",)),
    "store": (1, ("base",)),
    "guard": (1, ("base",)),
    "install": (1, ("base",)),
    "solvers": (2, ("base", "problem", "device")),
    "rules": (2, ("base", "problem", "device")),
    "dispatch": (3, ("base", "problem", "device", "store", "guard", "solvers", "rules")),
    "api": (4, ("base", "problem", "dispatch", "public")),
    "cli": (4, ("base", "problem", "device", "store", "guard", "install", "solvers", "rules", "dispatch")),
}
# Outside src/: what comes through a door sees include/convoy ("public") only; sim/ stands in for foreign software and
# knows nothing of Convoy. abi/ holds facts about others' interfaces and is everybody's.
OUTSIDE = {"include": ("public",), "examples": ("public",), "shim": ("public", "shim", "abi"),
           "torch": ("torch", "public", "abi"), "sim": ("sim", "abi"), "abi": ("abi",)}
SUFFIXES = {".h", ".hpp", ".c", ".cc", ".cpp", ".cl", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
TEST_LIBRARIES = ("gtest/", "gmock/", "benchmark/")


def sources(root):
    for top in ("src", *OUTSIDE):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path.relative_to(root)


def solver_ids(root):
    """The first argument of each entry of solvers.inc: MACRO(id, ...)."""
    registry = root / "src/solvers/solvers.inc"
    if not registry.exists():
        return set()
    return set(re.findall(r"^\s*\w+\(\s*(\w+)", registry.read_text(), re.MULTILINE))


def target_of(root, source, quote, name):
    """The folder that an include leads to: a key of FLOORS, "public", "shim", "sim", or None for a foreign library."""
    if quote == '"' and (root / source.parent / name).is_file():
        # Found beside the including file, as the compiler does.
        parts = (root / source.parent / name).resolve().relative_to(root.resolve()).parts
        return {"src": parts[1], "include": "public"}.get(parts[0], parts[0])
    first = name.split("/")[0]
    if first == "convoy":
        return "public"
    if first in FLOORS or (quote == '"' and first in ("shim", "sim", "abi")):
        return first
    return None


def broken_rule(source, target, name):
    """The rule that `source` breaks by including `name` of folder `target`, or None."""
    is_test = source.stem.endswith("_test")
    if name.startswith(TEST_LIBRARIES):
        return None if is_test else f"only tests include {name}"
    if ".." in pathlib.PurePosixPath(name).parts:
        return f'"{name}" climbs out of its folder: name it from src/'
    if target is None:
        return None
    folder = source.parts[1] if source.parts[0] == "src" else source.parts[0]
    if source.parts[0] != "src":
        allowed = OUTSIDE[folder]
        return None if target in allowed else f'{folder}/ may include {words(allowed)}, not "{name}"'
    floor, below = FLOORS[folder]
    if target in (folder, "abi", *below):
        return None
    if is_test and target in FLOORS and FLOORS[target][0] <= floor:
        return None
    return f'{folder} (floor {floor}) may include {words(below)}, not "{name}"'


def words(folders):
    if not folders:
        return "no other floor"
    return "only " + ", ".join("include/convoy" if folder == "public" else folder for folder in folders)


def knows_solver(source, name, ids):
    """Only solvers.inc and the solver's own files (igemm.cc, igemm_test.cc) include a solver's header."""
    header = re.fullmatch(r"(?:solvers/)?(\w+)\.(?:h|inc)", name)
    if not header or header[1] not in ids or source.parts[0] != "src":
        return None
    own = source.parts[:2] == ("src", "solvers") and (
        source.name == "solvers.inc" or re.fullmatch(rf"{header[1]}(_\w+)?", source.stem))
    return None if own else f'only solvers.inc and the solver\'s own files know solver "{header[1]}"'


def check(root):
    ids = solver_ids(root)
    violations = []
    for source in sources(root):
        if source.parts[0] == "src" and len(source.parts) > 2 and source.parts[1] not in FLOORS:
            violations.append((source, 1, f"src/{source.parts[1]} stands on no floor"))
            continue
        text = (root / source).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            include = INCLUDE.match(line)
            if not include:
                continue
            quote, name = include.groups()
            rule = broken_rule(source, target_of(root, source, quote, name), name) or knows_solver(source, name, ids)
            if rule:
                violations.append((source, number, rule))
    return violations


# File, text, and the words of the rule it must break (None: it breaks none).
SAMPLES = [
    ("src/base/a.cc", '#include "base/a.h"\n#include <vector>\n#include <spdlog/spdlog.h>', None),
    ("src/base/b.cc", '#include "problem/problem.h"', "base (floor 0) may include no other floor"),
    ("src/base/c.cc", "#include <problem/problem.h>", "base (floor 0)"),
    ("src/store/a.cc", '#include "guard/watchdog.h"', "store (floor 1) may include only base"),
    ("src/store/a_test.cc", '#include <gtest/gtest.h>\n#include "guard/watchdog.h"', None),
    ("src/store/b_test.cc", '#include "dispatch/dispatcher.h"', "store (floor 1)"),
    ("src/guard/a.cc", "#include <gtest/gtest.h>", "only tests include gtest/gtest.h"),
    ("src/guard/b.cc", '#include "../base/log.h"', "climbs out of its folder"),
    ("src/device/a.cc", '#include "problem/problem.h"', "device (floor 1)"),
    ("src/problem/a.cc", '#include "store/store.h"', "problem (floor 1)"),
    ("src/solvers/solvers.inc", "CONVOY_SOLVER(sample)\nCONVOY_SOLVER(other, 3)", None),
    ("src/solvers/sample.cc", '#include "solvers/sample.h"\n#include "device/device.h"', None),
    ("src/solvers/sample_test.cc", '#include "solvers/sample.h"', None),
    ("src/solvers/other.cc", '#include "sample.h"', 'know solver "sample"'),
    ("src/solvers/a.cc", '#include "store/store.h"', "solvers (floor 2)"),
    ("src/dispatch/a.cc", '#include "solvers/sample.h"', 'know solver "sample"'),
    ("src/dispatch/b.cc", '#include "guard/watchdog.h"\n#include "store/store.h"\n#include "solvers/solver.h"', None),
    ("src/dispatch/c.cc", '#include "cli/command.h"', "dispatch (floor 3)"),
    ("src/api/a.cc", '#include "convoy/convoy.h"\n#include "dispatch/dispatcher.h"', None),
    ("src/api/b.cc", '#include "store/store.h"', "api (floor 4)"),
    ("src/cli/a.cc", '#include "store/store.h"\n#include <CLI/CLI.hpp>', None),
    ("src/cli/b.cc", '#include "api/handle.h"', "cli (floor 4)"),
    ("src/extra/a.cc", "", "src/extra stands on no floor"),
    ("include/convoy/a.hpp", '#include "base/log.h"', "include/ may include only include/convoy"),
    ("shim/miopen/a.cc", '#include "convoy/convoy.h"', None),
    ("shim/miopen/b.cc", '#include "dispatch/dispatcher.h"', "shim/ may include only include/convoy"),
    ("torch/a.cc", "#include <torch/extension.h>\n#include <convoy/convoy.hpp>", None),
    ("torch/b.cc", '#include "base/result.h"', "torch/ may include only torch, include/convoy, abi"),
    ("examples/a.c", '#include "base/result.h"', "examples/ may include only include/convoy"),
    ("sim/hip/a.cc", '#include "sim/amdgpu/decode.h"', None),
    ("sim/hip/b.cc", '#include "convoy/convoy.h"', "sim/ may include only sim"),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text, _ in SAMPLES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = check(root)
    return report_samples(found)


def report_samples(found):
    wrong = 0
    for name, _, expected in SAMPLES:
        rules = [rule for source, _, rule in found if source.as_posix() == name]
        if (expected is None and rules) or (expected is not None and not any(expected in rule for rule in rules)):
            print(f"{name}: expected {expected or 'no violation'}, found {rules or 'none'}")
            wrong += 1
    print(f"{len(SAMPLES)} samples, {wrong} wrong")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent)
    if not any(sources(root)):
        sys.exit(f"{root}: no sources here")
    violations = check(root)
    for source, number, rule in violations:
        print(f"{source}:{number}: {rule}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
