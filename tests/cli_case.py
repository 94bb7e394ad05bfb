# The base of the command line tests: runs the real program in an environment of its own, where it finds no settings and
# no databases but the test's. The program's path is CONVOY_PROGRAM or the first argument.
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TINY = "fwd:f32:nchw:n1c4h10w10:k4r3s3:pad1x1:stride1x1:dil1x1:g1"
TINY_LINE = "./bin/MIOpenDriver conv -n 1 -c 4 -H 10 -W 10 -k 4 -y 3 -x 3 -p 1 -q 1 -F 1"
# Generous: the tests also run under sanitizers and on busy machines.
TIMEOUT = 240


def problem(size=10, channels=1):
    return f"fwd:f32:nchw:n1c{channels}h{size}w{size}:k1r3s3:pad1x1:stride1x1:dil1x1:g1"


class CliCase(unittest.TestCase):
    maxDiff = None
    program = os.environ.get("CONVOY_PROGRAM", "")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="convoy-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return str(path)

    def environment(self, cache="cache", **more):
        # A sanitizer must leave the signal of a crash alone: the tests look at it.
        kept = {name: os.environ.get(name, "") + ":handle_segv=0" for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder),
                "XDG_CACHE_HOME": str(self.folder / cache), "XDG_CONFIG_HOME": str(self.folder / "config"),
                "CONVOY_SYSTEM_CACHE_DIRS": str(self.folder / "system"), "LC_ALL": "C.UTF-8", **kept, **more}

    def start(self, *arguments, cache="cache", env=None, **options):
        return subprocess.Popen([self.program, *map(str, arguments)], env=self.environment(cache, **(env or {})),
                                text=True, **options)

    def convoy(self, *arguments, expect=0, cache="cache", env=None, stdin=None, stdout=subprocess.PIPE):
        """Runs the program to its end and checks its exit status; `expect` None: whatever it is."""
        process = subprocess.run([self.program, *map(str, arguments)], env=self.environment(cache, **(env or {})),
                                 input="" if stdin is None else stdin, stdout=stdout, stderr=subprocess.PIPE,
                                 timeout=TIMEOUT, text=True, check=False)
        self.assertIn(process.returncode, (expect,) if expect is not None else range(128), f"{arguments}\n{process.stdout}\n{process.stderr}")
        return process

    def run_json(self, *arguments, expect=0, **options):
        """`convoy [before --] run ...`: the objects of all problems, and the summary."""
        before = ()
        if "--" in arguments:
            cut = arguments.index("--")
            before, arguments = arguments[:cut], arguments[cut + 1:]
        process = self.convoy(*before, "run", "--json", "-", *arguments, expect=expect, **options)
        objects = [json.loads(line) for line in process.stdout.splitlines()]
        return objects[:-1], objects[-1]["summary"]

    def db(self, **options):
        return json.loads(self.convoy("db", "show", "--json", **options).stdout)

    def assert_right(self, report):
        self.assertEqual(report["status"], "completed")
        self.assertLessEqual(report["error"], report["tolerance"])


def main():
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        CliCase.program = sys.argv.pop(1)
    CliCase.program = os.path.abspath(CliCase.program)
    if not os.access(CliCase.program, os.X_OK) or os.path.isdir(CliCase.program):
        sys.exit(f"usage: {sys.argv[0]} <the convoy program> [test ...]")
    unittest.main()
