#!/usr/bin/env python3
# The rules of CONTRIBUTING.md that neither the compiler nor clang-tidy knows. Naming is in .clang-tidy, the include rules
# in check_floors.py. A violation is one line, "file:line: rule", and exit status 1. --self-test breaks each rule once.

import os
import pathlib
import re
import sys
import tempfile

MAX_LINES = 600
CODE_FOLDERS = ("src", "include", "shim", "sim", "torch", "examples", "tests", "bench")
LIBRARY_FLOORS = ("base", "problem", "device", "store", "guard", "install", "solvers", "dispatch", "api")
CODE = {".h", ".hpp", ".c", ".cc", ".cpp", ".cl", ".inc"}
# What is text but not named so.
TEXT_NAMES = {"LICENSE", "run", "build", "test", "demo", "tidy", "package"}
TEXT = CODE | {".py", ".sh", ".sql", ".syms", ".cmake", ".in", ".txt", ".md", ".json", ".tsv", ".map"}

EMPTY_NAME = re.compile(r"(common|core|util(itie)?s?|managers?|helpers?)")
EMPTY_CLASS = re.compile(r"\b(?:class|struct)\s+(\w*(?:Common|Core|Utils?|Manager|Helper))\b")
GETENV = re.compile(r"\b(?:secure_)?getenv\b")
# _exit is not here: it ends a child of ours, never the host program.
PRINTS_OR_DIES = re.compile(
    r"std::(?:cout|cerr|clog)\b|fmt::print\b"
    r"|\b(?:v?f?printf|f?puts|f?putc|putchar|perror|abort|quick_exit|exit|terminate)\s*\(")
# The brackets keep a pattern from matching its own line.
UNWANTED = [
    (re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b"), "unfinished work belongs in an issue, not in a comment"),
    (re.compile(r"(?<![\w.-])/wor[k]/|\.\./share[d]\b"), "a path that exists on one machine only"),
    (re.compile(r"^(?:<{7}|>{7}|={7})(?: |$)"), "a merge conflict's mark"),
    (re.compile(r"[ \t]$"), "white space at the end of the line"),
    (re.compile(r"\t"), "a tab"),
]
# A table's columns are separated by tabs, Markdown breaks a line with two spaces.
UNWANTED_EXCEPT = {".tsv": "a tab", ".md": "white space at the end of the line"}

# The last one is a character, which a digit separator (1'000) is not.
TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r'|(?<![0-9A-Za-z_])\'(?:\\.|[^\'\\\n])\'', re.DOTALL)


def without_comments_and_strings(text):
    """The code alone, each line where it was."""
    return TOKENS.sub(lambda token: "\n" * token[0].count("\n"), text)


def project_files(root):
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders
                               if not name.startswith("build") and name not in (".git", "__pycache__"))
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if path.suffix in TEXT or name in TEXT_NAMES:
                yield path.relative_to(root)


def check_names(source):
    """Folders say what they are about; none of these names says anything."""
    for part in source.parent.parts:
        if EMPTY_NAME.fullmatch(part):
            yield 1, f'a folder called "{part}" says nothing: name what it is about'


def check_text(source, lines):
    for number, line in enumerate(lines, 1):
        for pattern, rule in UNWANTED:
            if pattern.search(line) and UNWANTED_EXCEPT.get(source.suffix) != rule:
                yield number, rule


def check_code(source, text):
    lines = text.splitlines()
    if not text.startswith(("//", "/*")):
        yield 1, "a file opens with a comment: what it is for, what to know before editing"
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines; split files above {MAX_LINES}"
    ours = source.parts[0] == "src" and not source.stem.endswith("_test")
    reads_environment = source.as_posix() == "src/base/settings.cc"
    in_library = ours and source.parts[1] in LIBRARY_FLOORS
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        if name := EMPTY_CLASS.search(line):
            yield number, f'a class called "{name[1]}" says nothing: name what it does'
        if ours and not reads_environment and GETENV.search(line):
            yield number, "only src/base/settings.cc reads the environment"
        if in_library and PRINTS_OR_DIES.search(line):
            yield number, "the library never prints, aborts or exits: log() and Result<T> are for that"


def check(root):
    violations = []
    for source in project_files(root):
        text = (root / source).read_text(encoding="utf-8", errors="replace")
        found = [*check_names(source), *check_text(source, text.splitlines())]
        if source.suffix in CODE and source.parts[0] in CODE_FOLDERS:
            found += check_code(source, text)
        violations += [(source, number, rule) for number, rule in found]
    return violations


# File, text, and the words of the rule it must break (None: it breaks none).
SAMPLES = [
    ("src/base/good.cc", '// A comment with abort() and getenv.\nint x = f("printf(%d)", \'"\', 1\'000, R"x(exit(1))x");', None),
    ("src/base/silent.cc", "int x;", "opens with a comment"),
    ("src/base/long.cc", "// Long." + "\nint x;" * MAX_LINES, f"{MAX_LINES + 1} lines"),
    ("src/base/just_right.cc", "// Long." + "\nint x;" * (MAX_LINES - 1), None),
    ("src/base/settings.cc", "// Settings.\nauto x = getenv(name);", None),
    ("src/device/env.cc", "// Device.\nauto x = std::getenv(name);", "reads the environment"),
    ("src/cli/env.cc", "// Command.\nauto x = secure_getenv(name);", "reads the environment"),
    ("src/cli/print.cc", "// Command.\nvoid f() { std::printf(text); exit(1); }", None),
    ("src/guard/print.cc", "// Guard.\nvoid f() { std::printf(text); }", "never prints"),
    ("src/guard/format.cc", "// Guard.\nvoid f() { snprintf(b, n, text); atexit(g); _exit(1); }", None),
    ("src/store/cerr.cc", "// Store.\nvoid f() { std::cerr << 1; }", "never prints"),
    ("src/api/abort.cc", "// Api.\nvoid f() { std::abort (); }", "never prints"),
    ("src/api/exit.cc", "// Api.\nvoid f() { exit(3); }", "never prints"),
    ("src/api/exit_test.cc", "// Test.\nvoid f() { exit(3); }", None),
    ("src/store/helper/a.cc", "// A.", 'a folder called "helper"'),
    ("src/utils/a.py", "", 'a folder called "utils"'),
    ("src/base/manager.h", "// A.\nclass CacheManager {};", 'a class called "CacheManager"'),
    ("docs/open.md", "TOD" + "O: say more", "unfinished work"),
    ("docs/place.md", "Data lie in /wor" + "k/data.", "one machine only"),
    ("docs/conflict.md", "<<<<<<< HEAD", "merge conflict"),
    ("docs/spaces.md", "a line break  \nhere", None),
    ("scripts/test", "x=1 ", "white space"),
    ("src/base/tab.cc", "// A.\n\tint x;", "a tab"),
    ("shapes/a.tsv", "a\tb", None),
    ("build/generated.cc", "\tabort();", None),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text, _ in SAMPLES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = check(root)
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
    if not (root / "src").is_dir():
        sys.exit(f"{root}: no sources here")
    violations = check(root)
    for source, number, rule in violations:
        print(f"{source}:{number}: {rule}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
