#!/usr/bin/env python3
# The convoy program when things go wrong: faults of every kind, crashes of its own process, signals, terminals.
# Usage: cli_fault_test.py <the convoy program> [test ...]
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time
import unittest

from cli_case import TIMEOUT, TINY, CliCase, main, problem

# Long enough for a child under a sanitizer to start; only the hanging faults wait for it.
DEADLINE = ("--set", "deadline_ms=" + os.environ.get("CONVOY_TEST_DEADLINE_MS", "1000"))


class Faults(CliCase):
    def run_fault(self, fault, *problems):
        return self.run_json(*DEADLINE, "--", "--fault", fault, *(problems or (TINY,)))

    def outcomes(self, report):
        return [(attempt["solver"], attempt["outcome"], attempt["child"]) for attempt in report["attempts"]]

    def test_the_first_failure_is_found_by_a_child_and_the_reference_computes(self):
        for kind, outcome in [("error", "failed"), ("hang", "timed_out"), ("crash", "crashed"), ("wrong", "wrong_result"),
                              ("nan", "wrong_result"), ("silent", "wrong_result"), ("compile", "failed")]:
            with self.subTest(kind):
                reports, summary = self.run_fault(f"onednn:{kind}")
                self.assertEqual(self.outcomes(reports[0]), [("onednn", outcome, True), ("reference", "passed", False)])
                self.assertNotEqual(reports[0]["attempts"][0]["reason"], "")
                self.assertEqual(reports[0]["tier"], "reference")
                self.assert_right(reports[0])
                self.assertEqual((summary["fallbacks"], summary["causes"]), (1, {f"onednn {outcome}": 1}))
                self.assertEqual(summary["children_started"], 1)

    def test_what_is_certain_is_not_tried_again(self):
        for kind in ("hang", "crash", "wrong", "nan"):
            with self.subTest(kind):
                self.run_fault(f"onednn:{kind}")
                # The same problem at another batch size is the same class.
                reports, summary = self.run_fault(f"onednn:{kind}", TINY.replace("n1", "n2"))
                self.assertEqual(self.outcomes(reports[0]), [("onednn", "quarantined", False), ("reference", "passed", False)])
                self.assert_right(reports[0])
                self.assertEqual((summary["children_started"], summary["quarantined"]), (0, {"onednn": 1}))

    def test_want_of_memory_is_held_against_nobody(self):
        for _ in range(3):
            reports, summary = self.run_fault("onednn:oom")
            self.assertEqual(self.outcomes(reports[0]), [("onednn", "refused", True), ("reference", "passed", False)])
            self.assert_right(reports[0])
            self.assertEqual((summary["fallbacks"], summary["quarantined"]), (0, {}))

    def test_what_may_be_an_accident_has_two_chances(self):
        for kind in ("error", "compile"):
            with self.subTest(kind):
                self.assertEqual([self.run_fault(f"onednn:{kind}")[1]["children_started"] for _ in range(3)], [1, 1, 0])

    def test_a_fault_leaves_no_mark_on_the_real_solver(self):
        self.run_fault("onednn:wrong")
        report = self.run_json(TINY)[0][0]
        self.assertEqual(self.outcomes(report), [("onednn", "passed", False)])
        self.assertEqual(self.run_fault("onednn:error")[0][0]["tier"], "reference")
        self.assertEqual(self.run_json(TINY)[0][0]["solver"], "onednn")

    def test_a_condition_is_exact(self):
        reports, _ = self.run_fault("onednn:hang@hw>42", problem(42), problem(44))
        self.assertEqual([report["tier"] for report in reports], ["vendor", "reference"])
        for report in reports:
            self.assert_right(report)

    def test_every_solver_but_the_reference_can_be_made_to_fail(self):
        reports, _ = self.run_fault("*:error", TINY)
        self.assertEqual(reports[0]["solver"], "reference")
        self.assertIn("reference", self.convoy("run", "--fault", "reference:error", TINY, expect=2).stderr)

    def test_the_table_tells_what_was_tried_before(self):
        text = self.convoy(*DEADLINE, "run", "--fault", "onednn:hang", TINY).stdout
        self.assertIn("onednn timed_out in a child (", text)
        self.assertIn("fallback: onednn timed_out, 1 time\n", text)
        self.assertIn("trial processes started: 1", text)
        self.assertIn("in quarantine: onednn", self.convoy("run", "--fault", "onednn:hang", TINY).stdout)

    def test_a_crash_of_the_program_itself_is_remembered(self):
        fault = ("run", "--fault", "onednn:crash", TINY)
        self.convoy("--set", "trial=never", *fault, expect=-signal.SIGSEGV)
        reports, _ = self.run_json(*fault[1:])
        self.assertEqual(self.outcomes(reports[0])[0], ("onednn", "crashed", True), "one strike: a suspect")
        self.assertEqual(sorted(incident["strikes"] for incident in self.db()["incidents"]), [1, 2])
        reports, _ = self.run_json(*fault[1:])
        self.assertEqual(self.outcomes(reports[0])[0], ("onednn", "quarantined", False))

    def test_two_crashes_of_the_program_itself_are_enough(self):
        fault = ("--set", "trial=never", "run", "--fault", "onednn:crash", TINY)
        for _ in range(2):
            self.convoy(*fault, expect=-signal.SIGSEGV)
        self.assertIn("onednn quarantined", self.convoy(*fault).stdout)


class Interrupts(CliCase):
    def wait_for(self, what, condition):
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}")
            time.sleep(0.02)

    def start_quietly(self, *arguments):
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_the_first_signal_ends_the_list_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                problems = self.write("long.txt", "\n".join(problem(8 + i % 50, 1 + i // 50) for i in range(3000)))
                out = self.folder / f"{number}.jsonl"
                process = self.start_quietly("run", "--json", out, problems)
                self.wait_for("two lines", lambda: out.exists() and out.read_text().count("\n") >= 2)
                process.send_signal(number)
                stdout, stderr = process.communicate(timeout=TIMEOUT)
                self.assertEqual(process.returncode, 130, stderr)
                self.assertIn("once more to stop now", stderr)
                self.assertIn(", interrupted", stdout)
                lines = [json.loads(line) for line in out.read_text().splitlines()]
                summary = lines[-1]["summary"]
                self.assertTrue(summary["interrupted"])
                self.assertEqual(summary["completed"], len(lines) - 1)
                self.assertLess(len(lines), 3000)
                self.assertEqual(self.db()["running"], [])

    def test_the_second_signal_ends_at_once_and_blames_nobody(self):
        process = self.start_quietly("--set", "deadline_ms=3600000", "run", "--fault", "onednn:hang", TINY)
        self.wait_for("the trial", lambda: self.db()["running"])
        self.assertEqual([intent["pid"] for intent in self.db()["running"]], [process.pid])
        children = self.children_of(process.pid)
        self.assertEqual(len(children), 1)
        process.send_signal(signal.SIGINT)
        self.assertIn("stopping", self.read_until(process.stderr, "stop now"))
        time.sleep(0.3)
        self.assertIsNone(process.poll(), "the trial goes on")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        shown = self.db()
        self.assertEqual((shown["running"], shown["incidents"]), ([], []))
        self.wait_for("the child's end", lambda: not pathlib.Path("/proc", str(children[0])).exists())

    def read_until(self, stream, part):
        text = ""
        while part not in text:
            line = stream.readline()
            self.assertTrue(line, text)
            text += line
        return text

    def children_of(self, parent):
        children = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                children.append(int(stat.parent.name))
        return children


class Terminals(CliCase):
    def on_terminal(self, *arguments, **environment):
        try:
            leader, follower = pty.openpty()
        except OSError as error:  # a root without /dev/pts
            self.skipTest(str(error))
        process = self.start(*arguments, env=environment, stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        text = b""
        while select.select([leader], [], [], TIMEOUT)[0]:
            try:
                text += os.read(leader, 65536)
            except OSError:  # Linux says EIO at the end
                break
        os.close(leader)
        self.assertEqual(process.wait(TIMEOUT), 0, text)
        return text.decode()

    def test_a_terminal_shows_colours_and_progress(self):
        text = self.on_terminal("run", TINY, problem(12))
        self.assertIn("\033[32mvendor", text)
        self.assertIn(f"[2/2] {problem(12)}", text)
        self.assertTrue(text.index("[2/2]") < text.rindex("\r\033[K"), "the progress line is wiped")
        self.assertIn("\033[33m", self.on_terminal("run", "--fault", "onednn:error", TINY))

    def test_no_color(self):
        text = self.on_terminal("run", TINY, NO_COLOR="1")
        self.assertNotIn("m", [code[-1] for code in text.split("\033[")[1:] if code], "no colours")
        self.assertNotIn("\033[32m", text)
        self.assertIn("[1/1]", text)

    def test_a_pipe_shows_neither(self):
        process = self.convoy("run", "--fault", "onednn:error", TINY)
        self.assertNotIn("\033", process.stdout + process.stderr)
        self.assertNotIn("[1/1]", process.stderr)


if __name__ == "__main__":
    main()
