#!/usr/bin/env python3
# The convoy program as a user meets it: what it reads, what it prints, how it ends. Faults, signals and terminals are in
# cli_fault_test.py. Usage: cli_test.py <the convoy program> [test ...]
import base64
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import time
import unittest

from cli_case import TIMEOUT, TINY, TINY_LINE, CliCase, main, problem

REPORT_KEYS = ["problem", "source", "count", "device", "status", "tier", "solver", "detail", "time_ms", "gflops", "error",
               "tolerance", "attempts"]

CODE = b"machine code"
CODE_XXH3 = "08730a669c50d5ea"  # what `xxhsum -H3` says


def kernel_line(**changes):
    """A kernel as `convoy db export --with-kernels` writes it. The zstd frame (RFC 8878) holds one raw block: content size in
    one byte, block header with the bit of the last block."""
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(CODE)]) + (len(CODE) << 3 | 1).to_bytes(3, "little") + CODE
    return json.dumps({"kind": "kernel", "key": "0123abcd", "name": "igemm", "architecture": "gfx906", "bytes": len(CODE),
                       "compile_ms": 812.5, "created": 1700000000, "checksum": CODE_XXH3,
                       "code": base64.b64encode(frame).decode(), **changes}) + "\n"


class Usage(CliCase):
    def test_help_of_every_command_says_something(self):
        for command in ((), ("run",), ("tune",), ("db",), ("settings",), ("devices",)):
            with self.subTest(command):
                text = self.convoy(*command, "--help").stdout
                self.assertIn("Usage: convoy", text)
                if command not in (("settings",), ("devices",)):
                    self.assertIn("Examples:", text)
        for command in ("list", "show", "verify", "export", "import", "prune", "forget"):
            self.assertIn("Usage: convoy db", self.convoy("db", command, "--help").stdout)

    def test_the_probe_is_hidden(self):
        self.assertNotIn("probe", self.convoy("--help").stdout)

    def test_version(self):
        self.assertRegex(self.convoy("--version").stdout, r"^\d+\.\d+\.\d+\n$")

    def test_wrong_calls_exit_2_and_name_what_was_wrong(self):
        for arguments, part in [((), "subcommand"), (("walk",), "walk"), (("run",), "input"), (("--fast", "run", TINY), "--fast"),
                                (("run", "--fast", TINY), "--fast"), (("run", "--strategy", "fastest", TINY), "implicit_gemm"),
                                (("run", "--verify", "twice", TINY), "sample"), (("run", "--fault", "onednn:boom", TINY), "onednn:boom"),
                                (("run", "--fault", "nobody:hang", TINY), "nobody"), (("run", "--limit", "0", TINY), "--limit"),
                                (("run", "--limit", "many", TINY), "--limit"), (("run", "--max-gflop", "-1", TINY), "--max-gflop"),
                                (("run", "--max-gflop", "nan", TINY), "--max-gflop"), (("run", "--max-bytes", "lots", TINY), "lots"),
                                (("run", "--device", "toaster", TINY), "unknown device 'toaster'"),
                                (("run", "--device", "sim", TINY), "sim:"), (("db", "walk"), "convoy db --help"),
                                (("run", "--fault", "nobody:hang", TINY), "onednn, igemm"), (("run", TINY.replace("n1", "n" + 20 * "9")), "too large"),
                                (("--set", "no_such=1", "settings"), "no_such"),
                                (("--set", "threads", "settings"), "threads"), (("db",), "subcommand"), (("db", "forget"), "--all"),
                                (("db", "import"), "file"), (("db", "prune", "--older-than", "-1"), "older-than")]:
            with self.subTest(arguments):
                process = self.convoy(*arguments, expect=2)
                self.assertIn(part, process.stderr)
                self.assertNotIn("completed", process.stdout)
                self.assertLess(len(process.stderr), 400, "a message is read by people")

    def test_a_full_disk_is_an_error(self):
        for arguments in [("run", TINY), ("run", "--json", "-", TINY), ("settings",), ("devices",), ("--help",), ("db", "show"), ("db", "export", "-")]:
            with self.subTest(arguments), open("/dev/full", "w") as full:
                self.assertIn("No space left", self.convoy(*arguments, expect=1, stdout=full).stderr)

    def test_devices(self):
        report = json.loads(self.convoy("devices", "--json").stdout)
        names = [device["name"] for device in report["devices"]]
        self.assertIn("cpu", names)
        self.assertIn(report["auto"], names)
        for device in report["devices"]:
            self.assertTrue(device["model"], device)
        told = " ".join(names + report["absent"])
        for backend in ("hip", "cuda", "opencl"):
            self.assertIn(backend, told, "present, or absent for a reason")
        self.assertIn("auto is " + report["auto"], self.convoy("devices").stdout)

    def test_man_page(self):
        page = os.environ.get("CONVOY_MAN_PAGE")
        if not page:
            self.skipTest("this build makes no man page (help2man is missing, or a sanitizer is on)")
        self.assertIn(".SH", pathlib.Path(page).read_text())


class Input(CliCase):
    def problems(self, *arguments, **options):
        return [report["problem"] for report in self.run_json(*arguments, **options)[0]]

    def test_a_problem_or_a_driver_line_as_an_argument(self):
        reports, _ = self.run_json(TINY, TINY_LINE, problem(12))
        self.assertEqual([report["problem"] for report in reports], [TINY, problem(12)])
        self.assertEqual(reports[0]["count"], 2)
        self.assertEqual(reports[0]["source"], "command line:1")

    def test_standard_input(self):
        reports, _ = self.run_json("-", stdin=f"some log\nMIOpen(HIP): Command [LogCmdConvolution] {TINY_LINE} -t 1\n")
        self.assertEqual([(report["problem"], report["source"]) for report in reports], [(TINY, "standard input:2")])

    def test_tables_and_line_ends(self):
        for name, text in [("a.tsv", f"who\tcommand\nme\t{TINY_LINE}\tslow\n"), ("a.md", f"| who | what |\n|--|--|\n| me | `{TINY_LINE}` |\n"),
                           ("crlf.log", f"first\r\n{TINY_LINE}\r\n{TINY}\r\n"), ("no-end.txt", TINY)]:
            with self.subTest(name):
                path = self.write(name, text)
                reports, _ = self.run_json(path)
                self.assertEqual([report["problem"] for report in reports], [TINY])
                self.assertRegex(reports[0]["source"], rf"^{path}:\d$")

    def test_duplicates_are_counted_over_all_inputs(self):
        one, two = self.write("one.txt", f"{TINY}\n{problem(12)}\n{TINY_LINE}\n"), self.write("two.txt", TINY_LINE)
        reports, _ = self.run_json(one, two)
        self.assertEqual([report["count"] for report in reports], [3, 1])
        self.assertEqual(reports[0]["source"], f"{one}:1")

    def test_bad_lines_are_named_and_the_others_complete(self):
        path = self.write("mixed.log", f"{TINY}\n./bin/MIOpenDriver conv -n x -c 4\nfwd:f32:nchw:n1c0h1w1\n{problem(12)}\n")
        process = self.convoy("run", path, expect=1)
        self.assertIn(f"{path}:2:", process.stderr)
        self.assertIn(f"{path}:3:", process.stderr)
        self.assertIn("2 completed, 0 skipped, 0 failed", process.stdout)
        self.assertEqual(self.run_json(path, expect=1)[1]["input_errors"], 2)

    def test_nothing_readable_is_a_usage_error(self):
        prose = self.write("prose.txt", "hello\n")
        empty = self.write("empty.txt", "")
        for argument, part in [(prose, "expected MIOpenDriver"), (empty, "expected MIOpenDriver"), ("-", "expected MIOpenDriver"),
                               (str(self.folder / "absent"), "No such file"), (str(self.folder), "Is a directory"), ("fwd:nonsense", "command line")]:
            with self.subTest(argument):
                message = self.convoy("run", argument, expect=2).stderr
                self.assertIn(part, message)
                self.assertEqual(message.count(argument.ljust(2)), int(len(argument) > 1), "named once: " + message)

    def test_a_missing_file_does_not_stop_the_others(self):
        process = self.convoy("run", self.folder / "absent", TINY, expect=1)
        self.assertIn("absent", process.stderr)
        self.assertIn("1 completed", process.stdout)


class Output(CliCase):
    def test_json_lines(self):
        reports, summary = self.run_json(TINY)
        report = reports[0]
        self.assertEqual(list(report), REPORT_KEYS)
        self.assertEqual([list(attempt) for attempt in report["attempts"]], [["solver", "outcome", "reason", "ms", "child"]])
        self.assertEqual((report["device"], report["tier"], report["solver"]), ("cpu", "vendor", "onednn"))
        self.assertGreater(report["time_ms"], 0)
        self.assertGreater(report["gflops"], 0)
        self.assert_right(report)
        self.assertEqual({key: summary[key] for key in ("completed", "skipped", "failed", "input_errors", "interrupted", "fallbacks")},
                         {"completed": 1, "skipped": 0, "failed": 0, "input_errors": 0, "interrupted": False, "fallbacks": 0})
        self.assertEqual(summary["problems_per_tier"], {"vendor": 1, "own": 0, "generic": 0, "cpu": 0, "reference": 0})

    def test_json_to_a_file_beside_the_table(self):
        path = self.folder / "out.jsonl"
        process = self.convoy("run", "--json", path, TINY)
        self.assertIn("1 completed, 0 skipped, 0 failed", process.stdout)
        self.assertEqual([list(json.loads(line))[0] for line in path.read_text().splitlines()], ["problem", "summary"])

    def test_json_that_cannot_be_written(self):
        process = self.convoy("run", "--json", self.folder / "absent" / "out", TINY, expect=2)
        self.assertIn("absent/out", process.stderr)
        self.assertEqual(process.stdout, "", "found out before any work")
        process = self.convoy("run", "--json", "/dev/full", TINY, problem(12), expect=1)
        self.assertEqual(process.stderr.count("No space left"), 1)
        self.assertIn("2 completed", process.stdout)

    def test_explain_shows_every_answer(self):
        text = self.convoy("run", "--explain", TINY).stdout
        self.assertIn("reference (reference): not tried: onednn served", text)
        self.assertIn("onednn (vendor): passed", text)
        self.assertIn("from command line:1", text)

    def test_limits_skip_and_say_why(self):
        big = "fwd:f32:nchw:n8c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1"  # 1.8 GFLOP, 13 MB
        for limit, part in [(("--max-gflop", "0.5"), "--max-gflop 0.5"), (("--max-bytes", "1M"), "--max-bytes 1048576")]:
            reports, summary = self.run_json(*limit, big, TINY)
            self.assertEqual([report["status"] for report in reports], ["skipped", "completed"])
            self.assertIn(part, reports[0]["reason"])
            self.assertIsNone(reports[0]["tier"])
            self.assertEqual((summary["completed"], summary["skipped"]), (1, 1))
        reports, summary = self.run_json("--limit", "1", "--max-bytes", "512M", TINY, problem(12), problem(14))
        self.assertEqual(len(reports), 1)
        self.assertEqual((summary["completed"], summary["skipped"]), (1, 2))

    def test_what_does_not_fit_fails_with_its_bytes(self):
        big = "fwd:f32:nchw:n8c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1"
        reports, summary = self.run_json("--set", "memory_limit=1M", "--", big, TINY, expect=1)
        self.assertEqual([report["status"] for report in reports], ["failed", "completed"])
        self.assertIn("12992512 bytes, 1048576 may be used (memory_limit)", reports[0]["reason"])
        self.assertEqual(summary["failed"], 1)

    def test_verify(self):
        for how in ("sample", "full"):
            self.assert_right(self.run_json("--verify", how, TINY)[0][0])
        report = self.run_json("--verify", "off", TINY)[0][0]
        self.assertIsNone(report["error"])
        self.assertIsNone(report["tolerance"])
        self.assertIn("not checked", self.convoy("run", "--verify", "off", TINY).stdout)

    def test_strategies(self):
        for strategy, size, tiers in [("auto", 44, ["vendor"]), ("vendor", 44, ["vendor"]), ("cpu", 44, ["cpu"]), ("selective", 42, ["vendor"]),
                                      ("selective", 44, ["cpu"]), ("gemm", 44, ["vendor", "reference"]), ("implicit_gemm", 44, ["vendor", "reference"])]:
            with self.subTest(strategy):
                report = self.run_json("--strategy", strategy, problem(size))[0][0]
                self.assertIn(report["tier"], tiers)
                self.assert_right(report)
        self.assertIn("gemm", self.run_json("--strategy", "gemm", TINY)[0][0]["detail"])


class SettingsCommand(CliCase):
    def rows(self, *arguments, **options):
        return {row["key"]: row for row in json.loads(self.convoy(*arguments, "settings", "--json", **options).stdout)}

    def other_value(self, row):
        if row["default"] in ("true", "false"):
            return "false" if row["default"] == "true" else "true"
        if row["choices"]:
            names = [choice.split("=")[0] for choice in row["choices"].split("|")]  # "trace=7": its number in MIOpen's scale
            return next(name for name in reversed(names) if name != row["default"])
        if row["default"].isdigit():
            return "7"
        return {"fault": "onednn:error", "miopen.find_only_solver": "ConvDirectNaiveConvFwd"}.get(row["key"], str(self.folder))

    def test_every_setting_from_every_place(self):
        # The test's own environment sets this one.
        rows = {key: row for key, row in self.rows().items() if key != "system_cache_dirs"}
        self.assertEqual({row["origin"] for row in rows.values()}, {"built in"})
        values = {key: self.other_value(row) for key, row in rows.items()}

        def check(found, origin):
            for key, value in values.items():
                self.assertEqual((key, found[key]["value"], found[key]["origin"]), (key, value, origin))

        check(self.rows(env={rows[key]["variable"]: value for key, value in values.items()}), "environment")
        check(self.rows(*(word for key, value in values.items() for word in ("--set", f"{key}={value}"))), "command line")
        self.write("config/convoy/convoy.conf", "".join(f"{key} = {value}\n" for key, value in values.items()))
        check(self.rows(), "user file")

    def test_text_names_value_place_and_variable(self):
        text = self.convoy("--set", "threads=2", "settings", env={"CONVOY_VERIFY": "full"}).stdout
        self.assertIn("threads = 2    (--set)", text)
        self.assertIn("verify = full    (CONVOY_VERIFY)", text)
        self.assertIn("CONVOY_STRATEGY   auto, implicit_gemm, ", text)
        self.assertIn("CONVOY_THREADS   a whole number from 0 to 4096", text)

    def test_bad_values_stop_commands_that_work(self):
        for arguments in [("run", TINY), ("db", "list")]:
            process = self.convoy(*arguments, expect=2, env={"CONVOY_THREADS": "many"})
            self.assertIn("CONVOY_THREADS", process.stderr)
            self.assertIn("0 to 4096", process.stderr)
            self.assertEqual(process.stdout, "")
        path = self.write("config/convoy/convoy.conf", "\nverify = twice\n")
        self.assertIn(f"{path}:2", self.convoy("db", "list", expect=2).stderr)

    def test_bad_values_are_shown_by_commands_that_look(self):
        for command, status, part in [("settings", 1, "threads = 0    (built in)"), ("devices", 0, "auto is ")]:
            process = self.convoy(command, expect=status, env={"CONVOY_THREADS": "many"})
            self.assertIn("CONVOY_THREADS", process.stderr)
            self.assertIn(part, process.stdout)


class Simulator(CliCase):
    def setUp(self):
        super().setUp()
        if self.run_on_sim().returncode != 0:
            self.skipTest("no simulator is built, or nothing compiles for it")

    def run_on_sim(self, expect=None, **env):
        arguments = ("run", "--device", "sim:gfx1010", "--set", "trial=never", TINY)
        with self.start(*arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=TIMEOUT)
        if expect is not None:
            self.assertEqual(process.returncode, expect, stdout + stderr)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def test_wrong_variables_are_named_and_hardware_is_not(self):
        for variable, value, cure in [("CONVOY_SIM_DEVICES", "gfx42", "gfx1010"), ("CONVOY_SIM_RACE", "banana", "0 nor 1")]:
            with self.subTest(variable):
                text = self.run_on_sim(expect=2, **{variable: value}).stderr
                self.assertRegex(text, f'{variable}: "{value}" .*{cure}')
                self.assertNotIn("/dev/kfd", text)
        self.assertIn("CONVOY_SIM_LLVM: /nowhere", self.run_on_sim(expect=1, CONVOY_SIM_LLVM="/nowhere").stderr)
        self.run_on_sim(expect=0, CONVOY_SIM_THREADS="1")


class Db(CliCase):
    def fill(self, **options):
        self.convoy("run", TINY, problem(12), **options)
        self.convoy("run", "--fault", "onednn:wrong", TINY, **options)

    def test_list_and_show(self):
        self.assertEqual(self.convoy("db", "show").stdout, "Nothing is remembered.\n")
        self.fill()
        text = self.convoy("db", "list").stdout
        self.assertRegex(text, r"3 verdicts\n +1 incidents\n +0 trials now running")
        self.assertIn(str(self.folder / "cache" / "convoy" / "ledger.db"), text)
        shown = self.db()
        self.assertEqual(len(shown["verdicts"]), 3)
        self.assertEqual([entry["library"].split(" fault ")[1] for entry in shown["quarantined"]], ["onednn:wrong"])
        text = self.convoy("db", "show", "--problem", "h12w12").stdout
        self.assertIn(problem(12), text)
        self.assertNotIn(TINY, text)
        self.assertIn("In quarantine", self.convoy("db", "show").stdout)

    def test_decisions_move_to_another_machine(self):
        self.fill()
        path = self.folder / "decisions.jsonl"
        self.assertEqual(self.convoy("db", "export", path).stdout, f"wrote 6 records to {path}\n")
        self.assertRegex(self.convoy("db", "import", path, cache="other").stdout, r"imported \d find results, 3 verdicts, 1 incident; 0 there")
        self.assertRegex(self.convoy("db", "import", "-", cache="other", stdin=path.read_text()).stdout, "imported 0 find results, 0 verdicts")
        exported = self.convoy("db", "export", cache="other").stdout
        self.assertEqual(sorted(exported.splitlines()), sorted(path.read_text().splitlines()))
        _, summary = self.run_json("--fault", "onednn:wrong", TINY, cache="other")
        self.assertEqual((summary["quarantined"], summary["children_started"]), ({"onednn": 1}, 0))

    def test_wrong_imports_change_nothing(self):
        self.assertIn("absent", self.convoy("db", "import", self.folder / "absent", expect=1).stderr)
        path = self.write("bad.jsonl", '{"format":"convoy-decisions","version":1}\n{"kind":"verdict"}\n')
        self.assertIn(f"{path}:2", self.convoy("db", "import", path, expect=1).stderr)
        self.assertEqual(self.convoy("db", "show").stdout, "Nothing is remembered.\n")

    def test_forget(self):
        self.fill()
        self.assertIn("nobody", self.convoy("db", "forget", "nobody", expect=1).stderr)
        self.convoy("db", "forget", str(self.db()["incidents"][0]["id"]))
        self.assertEqual(self.db()["quarantined"], [])
        self.assertRegex(self.convoy("db", "forget", "onednn").stdout, "forgot [1-9]")
        self.assertEqual(self.db()["verdicts"], [])
        self.convoy("db", "forget", "--all")
        self.assertEqual(self.convoy("db", "show").stdout, "Nothing is remembered.\n")

    def test_prune_keeps_what_still_counts(self):
        self.fill()
        self.convoy("db", "prune", "--older-than", "90")
        self.assertEqual(len(self.db()["verdicts"]), 3)
        time.sleep(1.1)  # times are whole seconds
        self.convoy("db", "prune", "--older-than", "0")
        shown = self.db()
        self.assertEqual((len(shown["verdicts"]), len(shown["finds"]), len(shown["incidents"])), (0, 0, 1))

    def import_kernel(self, *arguments, expect=0, **changes):
        lines = '{"format":"convoy-decisions","version":1}\n' + kernel_line(**changes)
        return self.convoy("db", "import", *arguments, "-", stdin=lines, expect=expect)

    def test_machine_code_comes_in_only_when_asked_for(self):
        self.assertRegex(self.import_kernel().stdout, "left out 1 kernel:.*--with-kernels")
        self.assertEqual(self.db()["kernels"], [])
        self.assertIn("checksum", self.import_kernel("--with-kernels", checksum="0" * 16, expect=1).stderr)
        self.assertIn("base64", self.import_kernel("--with-kernels", code="?", expect=1).stderr)
        self.assertEqual(self.db()["kernels"], [])
        self.assertIn("1 kernel; 0 there", self.import_kernel("--with-kernels").stdout)
        self.assertNotIn("kernel", self.convoy("db", "export").stdout)
        line = json.loads(self.convoy("db", "export", "--with-kernels").stdout.splitlines()[-1])
        self.assertEqual(line, json.loads(kernel_line()))

    def test_kernels_are_listed_checked_and_forgotten(self):
        self.fill()
        self.import_kernel("--with-kernels")
        self.assertRegex(self.convoy("db", "list").stdout, r"1 kernels, \d+ bytes")
        text = self.convoy("db", "show", "--kernels").stdout
        self.assertRegex(text, r"(?s)^Kernels \(1, .*igemm +gfx906 +12 .*0123abcd\n$")
        self.assertNotIn("Verdicts", text)
        shown = json.loads(self.convoy("db", "show", "--kernels", "--json").stdout)
        self.assertEqual((shown["verdicts"], shown["kernels"][0]["name"], shown["kernels"][0]["bytes"]), ([], "igemm", 12))
        self.convoy("db", "show", "--kernels", "--problem", "c64", expect=2)
        self.assertTrue(self.convoy("db", "verify").stdout.endswith("sound\n"))
        with contextlib.closing(sqlite3.connect(self.folder / "cache" / "convoy" / "cache.db")) as database, database:
            database.execute("UPDATE kernel SET code = zeroblob(stored_bytes)")
        self.assertIn("kernel igemm for gfx906", self.convoy("db", "verify", expect=1).stdout)
        self.assertIn("forgot 1 kernel\n", self.convoy("db", "forget", "--kernels").stdout)
        self.assertTrue(self.convoy("db", "verify").stdout.endswith("sound\n"))
        self.assertEqual(len(self.db()["verdicts"]), 3)
        self.import_kernel("--with-kernels")
        self.assertIn(" 1 kernel older", self.convoy("db", "prune").stdout)

    def test_verify_without_a_file_is_not_sound(self):
        process = self.convoy("db", "verify", expect=1, env={"CONVOY_CACHE_DIR": "/proc/nowhere"})
        self.assertIn("no file to check", process.stderr)
        self.assertNotIn("sound", process.stdout)

    def test_verify_finds_damage_and_runs_go_on(self):
        self.fill()
        self.assertTrue(self.convoy("db", "verify").stdout.endswith("sound\n"))
        ledger = self.folder / "cache" / "convoy" / "ledger.db"
        content = bytearray(ledger.read_bytes())
        content[4096:3 * 4096] = b"\xa5" * (2 * 4096)
        ledger.write_bytes(content)
        process = self.convoy("db", "verify", expect=1)
        self.assertIn("ledger.db", process.stdout + process.stderr)
        self.assert_right(self.run_json(TINY)[0][0])


if __name__ == "__main__":
    main()
