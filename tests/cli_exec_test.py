#!/usr/bin/env python3
# `convoy exec` and `convoy report`: what they leave alone (the program's words, signals and exit status, everybody else's
# environment), what they tell, and what they make of files that somebody else wrote.
# Usage: cli_exec_test.py <the convoy program> [test ...]; CONVOY_MIOPEN_CLIENT names a program that uses MIOpen.
import html.parser
import json
import os
import pathlib
import pty
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest

from cli_case import TIMEOUT, TINY, CliCase, main, problem

CLIENT = os.environ.get("CONVOY_MIOPEN_CLIENT", "")
# A sanitizer's runtime must come first in a process, which it does not where only a preloaded library has one.
SANITIZED = os.environ.get("CONVOY_TEST_SANITIZED", "") not in ("", "0")
TERMINAL_KEYS = "\x1b[2J\x07"


def attempt(**changes):
    return {"solver": "miopen", "tier": "vendor", "outcome": "timed_out", "reason": "no answer", "ms": 1500.0, "child": True, **changes}


def statistics(*rows, **changes):
    """What convoy_statistics_json() says of a process, as far as it matters."""
    return {"children_started": 1, "untuned": 2, "kernels": {"compiled": 3, "from_cache": 4, "compile_ms": 5.0},
            "per_problem": list(rows), **changes}


def row(name=TINY, **changes):
    return {"problem": name, "solver": "igemm", "tier": "own", "detail": "g:4", "calls": 7,
            "attempts": [attempt(), attempt(solver="igemm", tier="own", outcome="passed", reason="", ms=20.0, child=False)], **changes}


class ExecCase(CliCase):
    def setUp(self):
        super().setUp()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()

    def tearDown(self):
        self.assertEqual(list(self.temporary.iterdir()), [], "nothing is left in TMPDIR")

    def environment(self, cache="cache", **more):
        return super().environment(cache, **{"TMPDIR": str(self.temporary), **more})

    def exec(self, *words, before=(), options=(), **keywords):
        return self.convoy(*before, "exec", *options, "--", *words, **keywords)

    def python(self, code, *words, **keywords):
        return self.exec(sys.executable, "-c", code, *words, **keywords)


@unittest.skipIf(SANITIZED, "a sanitizer cannot be preloaded into strangers")
class Program(ExecCase):
    def test_its_words_are_its_own(self):
        words = ["[1,2]", "a b", "", "--", "--quiet", "--help", "run", "--set", "x", "--strategy=gold", "'\"$HOME", "{}"]
        told = self.python("import json, sys; print(json.dumps(sys.argv[1:]))", *words)
        self.assertEqual(json.loads(told.stdout), words)

    def test_its_exit_status_is_ours(self):
        for status in (0, 1, 2, 77, 255):
            self.exec("sh", "-c", f"exit {status}", expect=status)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            process = self.exec("sh", "-c", f"ulimit -c 0; kill -{int(number)} $$", expect=128 + number)
            self.assertIn(f"by signal {int(number)}", process.stderr)

    def test_its_streams_are_ours(self):
        process = self.exec("sh", "-c", "cat; echo error >&2", stdin="hello\n", options=["--quiet"])
        self.assertEqual((process.stdout, process.stderr), ("hello\n", "error\n"))

    def test_what_cannot_be_started(self):
        folder = self.folder / "a folder"
        folder.mkdir()
        for word, status, part in [("no-such-program", 127, "No such file"), (folder, 126, "Permission denied")]:
            process = self.exec(word, expect=status)
            self.assertIn(f"convoy: {word}: {part}", process.stderr)

    def test_the_library_is_found_where_it_is_installed(self):
        def convoy(folder, *words, expect):
            program = folder / "bin" / "convoy"
            program.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.program, program)
            done = subprocess.run([program, "exec", *words], env=self.environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False)
            self.assertEqual(done.returncode, expect, done.stderr)
            return done

        folder = self.folder / "prefix"
        places = convoy(folder, "--", "true", expect=2).stderr.strip().split("looked for ")[1].split(", ")
        self.assertEqual(places[0], f"{folder}/bin/libconvoy_miopen.so")
        self.assertRegex(places[1], rf"^{folder}/lib[\w/.-]*/libconvoy_miopen.so$")
        shim = pathlib.Path(self.program).parent / "libconvoy_miopen.so"
        for place in reversed(places):
            pathlib.Path(place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shim, place)
            self.assertEqual(convoy(folder, "--quiet", "--", "sh", "-c", "echo $LD_PRELOAD", expect=0).stdout.strip(), place)
        # The dynamic linker would take such a name apart.
        spaced = self.folder / "pre fix"
        (spaced / "bin").mkdir(parents=True)
        shutil.copy(shim, spaced / "bin")
        self.assertIn("LD_PRELOAD takes no spaces", convoy(spaced, "--", "true", expect=2).stderr)

    def test_help_has_examples(self):
        for command in ("exec", "report"):
            text = self.convoy(command, "--help").stdout
            self.assertIn(f"Usage: convoy {command}", text)
            self.assertIn("Examples:", text)

    def test_wrong_calls_exit_2_before_anything_runs(self):
        mark = self.folder / "mark"
        run = ("--", "touch", mark)
        for words, part in [(("--strategy", "fastest", *run), "implicit_gemm"), (("--set", "no_such=1", *run), "no_such"),
                            (("--set", "threads", *run), "KEY=VALUE"), (("--bogus", *run), "--bogus"),
                            (("touch", mark), "exec -- touch"), ((), "exec -- python main.py"), (("--",), "exec -- python main.py"),
                            (("--report", self.folder / "absent" / "r", *run), "absent/r"), (("--report", self.folder, *run), "directory")]:
            with self.subTest(words):
                process = self.convoy("exec", *words, expect=2)
                self.assertIn(part, process.stderr)
                self.assertLess(len(process.stderr), 400)
                self.assertFalse(mark.exists())
        self.convoy("exec", *run, expect=2, env={"CONVOY_THREADS": "many"})
        self.convoy("exec", *run, expect=2, env={"TMPDIR": str(self.folder / "absent")})
        self.assertFalse(mark.exists())


@unittest.skipIf(SANITIZED, "a sanitizer cannot be preloaded into strangers")
class Environment(ExecCase):
    LOOK = "import json, os; print(json.dumps(dict(os.environ)))"

    def look(self, **keywords):
        return json.loads(self.python(self.LOOK, **keywords).stdout)

    def test_ours_comes_first_and_what_was_preloaded_stays(self):
        other = next(line.split()[2] for line in subprocess.run(["ldd", sys.executable], capture_output=True, text=True, check=True)
                     .stdout.splitlines() if "libm.so" in line or "libc.so" in line)
        names = self.look(env={"LD_PRELOAD": other})["LD_PRELOAD"].split(":")
        self.assertEqual(names[1:], [other])
        self.assertTrue(os.path.isabs(names[0]))
        self.assertTrue(names[0].endswith("/libconvoy_miopen.so"))
        self.assertEqual(len(self.look()["LD_PRELOAD"].split(":")), 1)

    def test_settings_travel(self):
        found = self.look(options=["--strategy", "selective", "--set", "size_threshold=50", "--set", "miopen.find_mode=fast"],
                          before=["--set", "deadline_ms=5000"])
        for name, value in [("CONVOY_STRATEGY", "selective"), ("CONVOY_SIZE_THRESHOLD", "50"), ("MIOPEN_FIND_MODE", "fast"),
                            ("CONVOY_DEADLINE_MS", "5000")]:
            self.assertEqual(found[name], value)

    def test_nothing_else_changes(self):
        names = set(self.look()) - set(self.environment())
        self.assertLessEqual(names, {"LD_PRELOAD", "CONVOY_STATISTICS_DIR", "LC_CTYPE", "PYTHONPATH", "CONVOY_TORCH_PACKAGE"})

    def test_the_caller_s_environment_is_as_it_was(self):
        shell = f"{shlex.quote(self.program)} exec --quiet -- true; env"
        told = subprocess.run(["sh", "-c", shell], env=self.environment(), capture_output=True, text=True, timeout=TIMEOUT, check=True)
        self.assertNotIn("LD_PRELOAD", told.stdout)
        self.assertNotIn("CONVOY_STATISTICS_DIR", told.stdout)

    def test_the_folder_of_statistics_is_private_and_goes(self):
        code = "import os; print(oct(os.stat(os.environ['CONVOY_STATISTICS_DIR']).st_mode & 0o7777))"
        self.assertEqual(self.python(code).stdout, "0o700\n")

    def test_the_folder_goes_whatever_is_in_it(self):
        keep = self.write("keep/file", "precious")
        hostile = ('cd "$CONVOY_STATISTICS_DIR"; mkdir -p a/b; touch a/b/c; ln -s "$1" link; ln -s "$1/file" 7-hip0.json; '
                   'echo "{" > 8-hip0.json; echo garbage > 9-hip0.json; exit 5')
        process = self.exec("sh", "-c", hostile, "sh", str(self.folder / "keep"), expect=5)
        self.assertIn("8-hip0.json", process.stderr)
        self.assertIn("9-hip0.json", process.stderr)
        self.assertEqual(pathlib.Path(keep).read_text(), "precious")

    def test_a_program_without_miopen_is_told_why(self):
        process = self.exec("true")
        self.assertRegex(process.stderr, r"^convoy: in front of MIOpen( and PyTorch)? for true; strategy auto; cache .*/cache/convoy\n")
        for part in ("no process has computed a convolution", "torch.backends.cudnn.enabled", "COMFYUI_ENABLE_MIOPEN=1", "dlsym", "docs/exec.md"):
            self.assertIn(part, process.stderr)
        process = self.exec("true", env={"CONVOY_DISABLE": "1"})
        self.assertEqual(process.stderr, "convoy: switched off (CONVOY_DISABLE); MIOpen and PyTorch are left as they are for true\n")


@unittest.skipIf(SANITIZED, "a sanitizer cannot be preloaded into strangers")
class Signals(ExecCase):
    # Tells of each signal until none has come for a second; the wake-up pipe has one byte a delivery.
    COUNT = ("import os, select, signal, sys\n"
             "ends = os.pipe(); os.set_blocking(ends[1], False); signal.set_wakeup_fd(ends[1])\n"
             "for number in (1, 2, 3, 15): signal.signal(number, lambda *_: None)\n"
             "print('ready', flush=True); count = 0\n"
             "while select.select([ends[0]], [], [], 1.0 if count else 60)[0]:\n"
             "    for one in os.read(ends[0], 9): print('got', one, flush=True); count += 1\n"
             "sys.exit(40 + count)")

    def test_what_only_we_got_is_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number), self.start("exec", "--quiet", "--", sys.executable, "-c", self.COUNT,
                                                  stdout=subprocess.PIPE) as process:
                self.assertEqual(process.stdout.readline(), "ready\n")
                process.send_signal(number)
                self.assertEqual(process.stdout.readline(), f"got {int(number)}\n")
                self.assertEqual(process.wait(TIMEOUT), 41)

    def test_the_terminal_s_reach_the_program_once(self):
        try:
            pid, terminal = pty.fork()
        except OSError as error:
            self.skipTest(f"NOT TESTED: {error}")
        if pid == 0:
            os.execve(self.program, [self.program, "exec", "--quiet", "--", sys.executable, "-c", self.COUNT], self.environment())
        self.addCleanup(os.close, terminal)
        text = b""

        def read_until(part, count):
            nonlocal text
            while text.count(part) < count:
                text += os.read(terminal, 100)

        read_until(b"ready", 1)
        # A second one that came at once could melt into the first: with ten, not all do.
        for i in range(10):
            os.write(terminal, b"\x03")
            read_until(b"got 2\r\n", i + 1)
        status = os.waitpid(pid, 0)[1]
        self.assertEqual(os.waitstatus_to_exitcode(status), 50, text)

    def test_a_program_that_stays_keeps_us_waiting(self):
        code = "import signal, time; signal.signal(2, signal.SIG_IGN); print('ready', flush=True); time.sleep(1.5)"
        with self.start("exec", "--quiet", "--", sys.executable, "-c", code, stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            self.assertIsNone(process.poll())
            self.assertEqual(process.wait(TIMEOUT), 0)

    def test_what_was_ignored_and_blocked_is_inherited(self):
        code = "import signal; print(signal.getsignal(1) == signal.SIG_IGN, signal.getsignal(15) == signal.SIG_DFL, signal.pthread_sigmask(0, []))"
        with self.start("exec", "--quiet", "--", sys.executable, "-c", code, stdout=subprocess.PIPE,
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
            self.assertEqual(process.communicate(timeout=TIMEOUT)[0], "True True set()\n")

    def test_children_that_the_caller_ignores_are_waited_for(self):
        with self.start("exec", "--quiet", "--", "sh", "-c", "exit 9",
                        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)) as process:
            self.assertEqual(process.wait(TIMEOUT), 9)


@unittest.skipIf(SANITIZED, "a sanitizer cannot be preloaded into strangers")
@unittest.skipUnless(CLIENT, "CONVOY_MIOPEN_CLIENT names no program: this build has no simulator")
class Client(ExecCase):
    SHAPE = "n2c8h9w11:k12r3s3:pad1x1:stride1x1:dil1x1:g1"
    PROBLEM = "fwd:f32:nchw:" + SHAPE

    def client(self, *words, options=(), expect=0, shell=None, **environment):
        words = (CLIENT, "--client", "pytorch-2.7", "--shape", self.SHAPE, *words)
        if shell:
            words = ("sh", "-c", shell, "sh", *words)
        return self.exec(*words, options=options, expect=expect,
                         env={"CONVOY_SIM_DEVICES": "gfx1010", "MIOPEN_CUSTOM_CACHE_DIR": str(self.folder / "miopen"), **environment})

    def setUp(self):
        super().setUp()
        try:
            self.client("--repeat", "1")
        except AssertionError as error:
            if "compile" in str(error):
                self.skipTest("nothing compiles for the simulated GPU here")
            raise

    def test_the_summary_names_problem_and_tier(self):
        process = self.client()
        self.assertIn("1 process computed convolutions; 1 problem, ", process.stderr)
        self.assertRegex(process.stderr, rf"\n +\d+ +vendor +miopen .* {self.PROBLEM}\n")
        self.assertNotIn("Fallback", process.stderr)
        self.assertNotIn("computed convolutions", self.client(options=["--quiet"]).stderr)

    def test_the_report(self):
        file = self.folder / "report.json"
        self.client("--direction", "all", options=["--report", file], shell='"$@" & "$@"; wait')
        report = json.loads(file.read_text())
        self.assertEqual(report["processes"], 2)
        self.assertEqual(report["problems"], 3)
        self.assertEqual(sum(report["calls_per_tier"].values()), report["calls"])
        self.assertEqual(report["calls"], sum(one["calls"] for one in report["per_problem"]))
        self.assertEqual({one["problem"][:4] for one in report["per_problem"]}, {"fwd:", "bwd:", "wrw:"})
        self.assertIn(self.PROBLEM, self.convoy("report", file).stdout)

    def test_the_report_on_standard_output(self):
        process = self.client(options=["--json", "-"])
        self.assertEqual(json.loads(process.stdout[process.stdout.index("{\n"):])["processes"], 1)

    def test_a_fallback_is_told_with_its_cause(self):
        process = self.client(CONVOY_SIM_MIOPEN_FAULT="wrong", CONVOY_CACHE_DIR=str(self.folder / "fresh"))
        self.assertRegex(process.stderr, rf"\n +\d+ +own +igemm .* {self.PROBLEM}\n +miopen wrong_result in a child .*element \d+ is")
        self.assertIn("fallback: miopen wrong_result, 1 time", process.stderr)
        self.assertNotIn("MIOpen Fallback Statistics", process.stderr)

    def test_the_processor_s_help_is_told_in_known_words(self):
        fault = {"CONVOY_SIM_MIOPEN_FAULT": "wrong", "CONVOY_CACHE_DIR": str(self.folder / "fresh"),
                 "CONVOY_FAULT": "igemm:error,direct:error"}
        process = self.client(**fault)
        self.assertRegex(process.stderr, r"=== MIOpen Fallback Statistics ===\nCPU fallback attempts: (\d+), successes: \1\n"
                         rf"\[MIOpen Fallback\] Using CPU computation as last resort: {self.PROBLEM}, \1 times\n=+\n")
        self.assertNotIn("last resort", self.client(options=["--strategy", "cpu"]).stderr, "it is the first choice there")

    def test_twenty_problems_are_shown_and_the_rest_is_counted(self):
        shapes = [word for size in range(23) for word in ("--shape", f"n1c1h{size + 4}w5:k1r3s3:pad1x1")]
        process = self.client(*shapes, "--repeat", "1")
        self.assertIn("24 problems", process.stderr)
        self.assertEqual(process.stderr.count(" fwd:f32:nchw:"), 20)
        self.assertIn("  and 4 more (--report FILE writes all)\n", process.stderr)

    def test_the_failing_program_is_told_of_too(self):
        process = self.client(expect=3, shell='"$@"; exit 3')
        self.assertIn(self.PROBLEM, process.stderr)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


class Report(ExecCase):
    def report(self, *texts, **options):
        files = [self.write(f"{i}.json", text if isinstance(text, str) else json.dumps(text)) for i, text in enumerate(texts)]
        return self.convoy("report", *files, **options)

    def page(self, *texts):
        out = self.folder / "page.html"
        files = [self.write(f"{i}.json", json.dumps(text)) for i, text in enumerate(texts)]
        self.convoy("report", *files, "--html", out)
        return Page(out.read_text())

    def test_statistics_of_processes_are_merged(self):
        second = row(calls=5)
        process = self.report(statistics(row(), row(problem(12), calls=100)), statistics(second))
        lines = process.stdout.splitlines()
        self.assertEqual(lines[0], "2 processes, 2 problems, 112 calls")
        self.assertRegex(process.stdout, r"\n +112 +100.0 % +2 +- +own\n")
        at = [i for i, line in enumerate(lines) if line.endswith((TINY, problem(12)))][:2]
        self.assertTrue(lines[at[0]].endswith(problem(12)), "most calls first")
        self.assertRegex(lines[at[1]], rf"^ +12 +own +igemm +3.04 s +{TINY}$")
        self.assertIn("fallback: miopen timed_out, 3 times, 4.50 s lost\n", process.stdout)
        self.assertIn("miopen timed_out in a child (3.00 s), 2 times: no answer", process.stdout)
        self.assertIn("kernels: 6 compiled in 10.00 ms, 8 from the cache\n", process.stdout)
        self.assertIn("trial processes started: 2\n", process.stdout)
        self.assertIn("First runs: 4.56 s in all", process.stdout)

    def test_what_run_writes(self):
        out = self.folder / "out.jsonl"
        self.convoy("run", "--device", "cpu", "--json", out, "--max-gflop", "0.1", TINY, TINY, problem(12), problem(512, 64))
        self.convoy("run", "--device", "cpu", "--set", "memory_limit=1K", "--json", self.folder / "failed", TINY, expect=1)
        process = self.convoy("report", out, self.folder / "failed")
        self.assertIn("2 processes, 2 problems, 3 calls, 1 failed, 1 skipped\n", process.stdout)
        self.assertRegex(process.stdout, rf"\n +2 +[\d.]+ [mu]s +vendor +onednn .* cpu +{TINY}\n")
        self.assertIn("failed: its tensors take", process.stdout)

    def test_its_own_report_says_the_same_again(self):
        first = self.report(statistics(row(), row(problem(12), calls=0, solver="", tier="reference", attempts=[])), statistics(row(calls=5)))
        # What exec writes is made of the same rows: merged counts, processes.
        merged = statistics(row(calls=12, attempts=[attempt(count=2, ms=3000.0), attempt(solver="igemm", outcome="passed", reason="", ms=40.0,
                                                                                        count=2, child=False)]),
                            row(problem(12), calls=0, solver="", tier=None, attempts=[]), processes=2, children_started=2,
                            kernels={"compiled": 6, "from_cache": 8, "compile_ms": 10.0})
        self.assertEqual(self.report(merged).stdout, first.stdout)

    def test_liberal_with_what_is_missing(self):
        for text in [{"per_problem": []}, {"per_problem": None}, {"per_problem": [{"problem": TINY}]}, statistics(row(attempts=None, detail=None)),
                     {"summary": {}}, {"problem": TINY, "status": "failed"}, "\n\n" + json.dumps({"per_problem": []}) + "\n\n",
                     json.dumps(statistics(row()), indent=2)]:
            with self.subTest(text):
                self.report(text)

    def test_errors_name_file_and_place(self):
        line = {"problem": TINY, "status": "completed", "solver": "x", "tier": "own"}
        for text, part in [("", "line 1"), ("garbage", "line 1"), ("[1]", "no report"), ("{}", "no report"), ("null", "no report"),
                           (json.dumps(statistics(row()), indent=1)[:200], "line "), (statistics(row(calls=-1)), "per_problem[0].calls"),
                           (statistics(row(), row(calls=1.5)), "per_problem[1].calls"), (statistics(row(calls="many")), "\"many\""),
                           (statistics(row(calls=2**60)), "a count"), (statistics(row(problem="")), "per_problem[0].problem"),
                           (statistics(row(problem=[])), "a text"), (statistics(row(tier="gold")), "\"gold\""),
                           (statistics(row(attempts={})), "per_problem[0].attempts"), (statistics(row(attempts=[1])), "per_problem[0].attempts[0]"),
                           (statistics(row(attempts=[attempt(outcome="exploded")])), "attempts[0].outcome"),
                           (statistics(row(attempts=[attempt(ms=-1)])), "attempts[0].ms"), (statistics(kernels=[]), "kernels"),
                           (statistics(row(attempts=[attempt(child="no")])), "true or false"), (statistics(row(), children_started=-1), "children_started"),
                           (json.dumps(statistics(row(attempts=[attempt(ms=7777)]))).replace("7777", "1e999"), "number overflow"),
                           (json.dumps(line) + "\n" + json.dumps({**line, "status": "dreamt"}), "line 2: status"),
                           (json.dumps(line) + "\n\n" + json.dumps(line)[:30], "line 3: "), (json.dumps(line) + "\n7\n", "line 2: "),
                           (json.dumps({**line, "attempts": [attempt(reason=1)]}), "line 1: attempts[0].reason"), ("[" * 100000, "line 1"),
                           ('{"per_problem":' + "[" * 100000, "line 1"), ('{"per_problem":' + "[" * 50000 + "]" * 50000 + "}", "[0]: an object")]:
            with self.subTest(str(text)[:300]):
                message = self.report(text, expect=2).stderr
                self.assertIn("0.json: ", message)
                self.assertIn(part, message)
                self.assertLess(len(message), 400)
                self.assertEqual(message.count("\n"), 1)

    def test_a_bad_file_does_not_hide_the_others(self):
        process = self.report(statistics(row()), "garbage", expect=1)
        self.assertIn("1.json", process.stderr)
        self.assertIn(TINY, process.stdout)
        self.assertIn("No such file", self.convoy("report", self.folder / "absent", expect=2).stderr)
        self.convoy("report", "/dev/zero", expect=2)
        self.convoy("report", expect=2)

    def test_terminals_are_not_driven_by_files(self):
        hostile = TERMINAL_KEYS + "\u009b2J\u202e\n"
        text = statistics(row(hostile, solver=hostile, detail=hostile, device=hostile, attempts=[attempt(solver=hostile, reason=hostile * 9)]))
        stdout = self.report(text).stdout
        self.assertRegex(stdout, r"\A[\n -~]*\Z")
        self.assertRegex(self.report(statistics(row(calls=hostile)), expect=2).stderr, r"\A[ -~]*\n\Z")

    def test_sums_do_not_overflow(self):
        most = row(calls=2**53, attempts=[attempt(ms=1.7e308, count=2**53)])
        stdout = self.report(*[statistics(*[most] * 400)] * 3).stdout
        self.assertIn(f" {2**63 - 1} calls", stdout)
        self.assertNotIn("inf", stdout)
        self.assertNotRegex(stdout, r" -\d")

    def test_random_damage(self):
        seed = 20
        random.seed(seed)
        whole = json.dumps(statistics(row(), row(problem(12)), row(problem(14), device="cpu", time_ms=3.5))).encode()
        files = []
        for i in range(300):
            damaged = bytearray(whole)
            for _ in range(random.choice((1, 1, 2, 8))):
                at = random.randrange(len(damaged))
                damaged[at:at + random.randrange(3)] = random.choice((b"", b"9", b"-", b'"', b"\xff", b"\0", b"}", b"[", b"1e400", b"null"))
            path = self.folder / f"damaged-{i}"
            path.write_bytes(damaged)
            files.append(path)
        process = self.convoy("report", *files, "--html", self.folder / "page.html", expect=1)
        self.assertGreater(process.stderr.count("\n"), 50, f"seed {seed}")
        Page((self.folder / "page.html").read_text())

    def test_the_page_escapes_what_files_say(self):
        hostile = "<script>alert('1')</script>\"&amp;<img src=x onerror=y>" + TERMINAL_KEYS
        clean = self.page(statistics(row()))
        found = self.page(statistics(row(hostile, solver=hostile, detail=hostile, device=hostile,
                                         attempts=[attempt(solver=hostile, reason=hostile), attempt(solver=hostile, outcome="quarantined")])))
        self.assertEqual(found.tags.count("script"), 1)
        self.assertEqual(set(found.tags), set(clean.tags) | {"p"})
        self.assertEqual({name for name, _ in found.attributes}, {name for name, _ in clean.attributes})
        self.assertIn("<script>alert('1')</script>\"&amp;<img src=x onerror=y>", found.text)
        self.assertNotIn("\x1b", found.text)

    def test_the_page_stands_alone(self):
        page = self.page(statistics(row(), row(problem(12), solver="", calls=0)))
        self.assertFalse({"link", "img", "iframe", "object", "base"} & set(page.tags))
        self.assertFalse({"src", "href", "action"} & {name for name, _ in page.attributes})
        self.assertIn(("content", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"), page.attributes)
        for part in (TINY, problem(12), "miopen timed_out", "What first runs cost"):
            self.assertIn(part, page.text)

    def test_a_page_that_cannot_be_written(self):
        path = self.write("0.json", json.dumps(statistics(row())))
        process = self.convoy("report", path, "--html", self.folder / "absent" / "page", expect=1)
        self.assertIn("absent/page", process.stderr)
        self.assertIn(TINY, process.stdout)


if __name__ == "__main__":
    main()
