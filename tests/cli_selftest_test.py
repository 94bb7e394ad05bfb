#!/usr/bin/env python3
# `convoy doctor --selftest` and `--report`: what passes, what each fault looks like, what is told when it is cut short, and that a
# report does not tell whose machine it is. The cases are tested in src/cli/selftest_cases_test.cc, single words that must go in
# src/cli/redact_test.cc. Usage: cli_selftest_test.py <the convoy program> [test ...]
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import time
import unittest

from cli_case import TIMEOUT, CliCase, main

DEADLINE_MS = os.environ.get("CONVOY_TEST_DEADLINE_MS", "1000")
CLASSES = ["kernel_sizes", "kernel_shapes", "strides", "dilations", "groups", "depthwise", "one_dimension", "three_dimensions",
           "transposed", "image_sizes", "corners", "networks", "training_step"]


class Selftest(CliCase):
    def environment(self, cache="cache", **more):
        # OpenMP's waiting threads take the processors from each other where several programs run.
        return super().environment(cache, **{"CONVOY_THREADS": "1", **more})

    def doctor(self, *arguments, env=None):
        """Runs the quick test on the processor. Returns doctor's object; its exit status is checked."""
        process = subprocess.run([self.program, "doctor", "--json", "--selftest", "--quick", "--device", "cpu", *map(str, arguments)],
                                 env=self.environment(**(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=TIMEOUT, check=False)
        self.assertTrue(process.stdout.startswith("{"), process.stderr)
        report = json.loads(process.stdout)
        severities = [finding["severity"] for finding in report["findings"]]
        self.assertEqual(process.returncode, 3 if "broken" in severities else 1 if "warning" in severities else 0)
        return report

    def findings(self, report, identity):
        return [finding for finding in report["findings"] if finding["id"] == identity]

    def row(self, report, name):
        return next(row for row in report["selftest"]["classes"] if row["name"] == name)

    def assert_all_right(self, report):
        for row in report["selftest"]["classes"]:
            self.assertEqual((row["passed"], row["failed"], row["left_out"]), (row["cases"], 0, 0), row)
            self.assertEqual(sum(served["cases"] for served in row["served"]), row["cases"])
            self.assertLessEqual(row["worst"]["error"], row["worst"]["tolerance"])
            self.assertGreater(row["slowest"]["ms"], 0)

    def test_all_classes_pass_on_the_processor(self):
        report = self.doctor("--seed", 5)
        self.assertEqual([row["name"] for row in report["selftest"]["classes"]], CLASSES)
        self.assert_all_right(report)
        self.assertEqual((report["selftest"]["seed"], report["selftest"]["device"], report["selftest"]["gpu"]), (5, "cpu", False))
        self.assertEqual(self.findings(report, "selftest.no_gpu")[0]["severity"], "note")
        self.assertEqual([finding["id"] for finding in report["findings"] if finding["severity"] != "note"
                          and finding["id"].startswith("selftest")], [])
        solvers = {served["solver"] for row in report["selftest"]["classes"] for served in row["served"]}
        self.assertIn("onednn", solvers)

    def test_the_table(self):
        process = subprocess.run([self.program, "doctor", "--selftest", "--quick", "--device", "cpu", "--only", "strides,training_step"],
                                 env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                                 timeout=TIMEOUT)
        self.assertRegex(process.stdout, r"strides +24 +24 +vendor onednn \d+")
        self.assertIn("84 of 84 cases right", process.stdout)
        self.assertIn("seed 17", process.stdout)
        self.assertIn("No GPU was tested", process.stdout)
        self.assertNotIn("kernel_sizes", process.stdout)
        self.assertEqual(process.stderr, "", "progress is for terminals")

    def check_replaced(self, fault, outcome, only="groups"):
        report = self.doctor("--only", only, "--fault", fault, "--set", f"deadline_ms={DEADLINE_MS}")
        self.assert_all_right(report)
        finding = self.findings(report, f"selftest.{only}")[0]
        self.assertEqual(finding["severity"], "warning")
        self.assertIn(f"the vendor's library onednn {outcome} in ", finding["sentence"])
        self.assertIn(finding["place"], finding["cure"])
        failed = [one for one in self.row(report, only)["passed_over"] if one["outcome"] == outcome]
        self.assertEqual({one["tier"] for one in failed}, {"vendor"})
        self.assertEqual(report["selftest"]["fault"], fault)
        return report

    def test_errors_are_replaced_and_told(self):
        self.check_replaced("onednn:error", "failed")

    def test_wrong_numbers_are_replaced_and_told(self):
        self.check_replaced("onednn:wrong", "wrong_result")

    def test_nan_is_replaced_and_told(self):
        self.check_replaced("onednn:nan", "wrong_result")

    def test_crashes_are_replaced_and_told(self):
        self.check_replaced("onednn:crash", "crashed")

    def test_hangs_are_replaced_and_told(self):
        self.check_replaced("onednn:hang@hw>22", "timed_out", only="dilations")

    def test_a_training_step_with_a_fault(self):
        report = self.check_replaced("onednn:error@k>20", "failed", only="training_step")
        self.assertEqual({served["solver"] for served in self.row(report, "training_step")["served"]}, {"onednn", "reference"})

    def test_what_is_served_wrong_is_broken(self):
        # Nothing but the self test itself looks here.
        blind = ["--set", "trial=never", "--set", "verify=off"]
        for fault, only in (("onednn:wrong", "strides"), ("onednn:nan", "training_step"), ("onednn:silent@k=6", "strides")):
            report = self.doctor("--only", only, "--fault", fault, *blind)
            row = self.row(report, only)
            self.assertGreater(row["failed"], 0, fault)
            self.assertIn("served wrong numbers", row["failures"][0]["reason"])
            finding = self.findings(report, f"selftest.{only}")[0]
            self.assertEqual((finding["severity"], finding["place"]), ("broken", row["failures"][0]["problem"]))

    def test_each_kind_of_class_and_direction_is_caught(self):
        # The last of each is in a case that others of its class are unlike: a volume, weights' gradients, the second layer of a stack.
        blind = ["--set", "trial=never", "--set", "verify=off"]
        for fault in ("onednn:wrong@d>8", "onednn:nan@d>8"):
            row = self.row(self.doctor("--only", "three_dimensions", "--fault", fault, *blind), "three_dimensions")
            broken = [one["problem"] for one in row["failures"]]
            self.assertEqual({problem[:3] for problem in broken}, {"fwd", "bwd", "wrw"}, fault)
            self.assertTrue(all("d9" in problem for problem in broken), broken)
            self.assertGreater(row["passed"], 0)
            self.assertEqual(len(broken), row["failed"])
        row = self.row(self.doctor("--only", "training_step", "--fault", "onednn:wrong@k=16", *blind), "training_step")
        self.assertEqual((row["failed"], row["passed"]), (2, 0), "both stacks end where the numbers do")

    def test_what_was_injected_is_no_trouble_of_the_machine(self):
        self.doctor("--only", "dilations", "--fault", "onednn:crash")
        self.assertIn("crash", self.convoy("db", "show").stdout)
        process = self.convoy("doctor", "--report", "-")
        self.assertNotIn("own.quarantine", process.stderr)
        self.assertIn("## Failures on record\n\nNone.", process.stdout)
        self.assert_all_right(self.doctor("--only", "dilations"))
        again = self.doctor("--only", "dilations", "--fault", "onednn:crash")
        self.assertIn("convoy run --explain --device cpu --fault 'onednn:crash' fwd:", self.findings(again, "selftest.dilations")[0]["cure"])

    def test_the_quick_test_takes_one_thread_unless_told(self):
        without = {name: value for name, value in self.environment().items() if name != "CONVOY_THREADS"}
        command = [self.program, "doctor", "--json", "--selftest", "--quick", "--device", "cpu", "--only", "corners"]
        for more, threads in (([], "1 thread,"), (["--set", "threads=3"], "3 threads,")):
            process = subprocess.run([*command, *more], env=without, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)
            self.assertIn(threads, json.loads(process.stdout)["selftest"]["description"])

    def test_a_hang_in_this_process_ends_with_what_is_known(self):
        file = self.folder / "report.md"
        report = self.doctor("--only", "kernel_shapes,strides", "--fault", "onednn:hang@hw=38", "--set", "trial=never", "--set",
                             "deadline_ms=100", "--report", file)
        stuck = self.findings(report, "selftest.stuck")[0]
        self.assertEqual(stuck["severity"], "broken")
        self.assertIn("h38w37", stuck["place"])
        self.assertEqual(report["selftest"]["stuck"], stuck["place"])
        self.assertEqual(self.row(report, "kernel_shapes")["passed"], 24)
        self.assertIn(stuck["place"], file.read_text())
        # The next run knows whom to try in a child.
        again = self.doctor("--only", "strides", "--fault", "onednn:hang@hw=38", "--set", f"deadline_ms={DEADLINE_MS}")
        self.assert_all_right(again)

    def test_an_interrupted_test_tells_what_is_known(self):
        process = self.start("doctor", "--json", "--selftest", "--device", "cpu", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        report = json.loads(out)
        self.assertIn(process.returncode, (1, 3))
        self.assertIn("stopping after the current problem", err)
        self.assertEqual(self.findings(report, "selftest.interrupted")[0]["severity"], "warning")
        self.assertTrue(report["selftest"]["interrupted"])
        self.assertEqual(len(report["selftest"]["classes"]), len(CLASSES))
        done = sum(row["passed"] for row in report["selftest"]["classes"])
        self.assertTrue(0 < done < sum(row["cases"] for row in report["selftest"]["classes"]), done)

    def test_on_a_simulated_card(self):
        text = subprocess.run([self.program, "devices"], env=self.environment(), stdout=subprocess.PIPE, text=True, check=False).stdout
        process = subprocess.run([self.program, "doctor", "--json", "--selftest", "--quick", "--device", "sim:gfx1010", "--only",
                                  "one_dimension"], env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 check=False, timeout=TIMEOUT)
        if process.returncode == 2:
            raise unittest.SkipTest(f"no simulator here: {process.stderr}{text}")
        report = json.loads(process.stdout)
        self.assert_all_right(report)
        row = self.row(report, "one_dimension")
        self.assertIn("igemm", {served["solver"] for served in row["served"]})
        self.assertEqual({(one["solver"], one["tier"], one["outcome"]) for one in row["passed_over"] if one["tier"] == "vendor"},
                         {("miopen", "vendor", "unfit")}, "no MIOpen is here, and that is told")
        self.assertIn("simulated", self.findings(report, "selftest.simulated")[0]["sentence"])

    def test_wrong_calls(self):
        self.assertIn("training_step", self.convoy("doctor", "--selftest", "--only", "nonsense", expect=2).stderr)
        self.assertIn("sim:gfx1010", self.convoy("doctor", "--selftest", "--device", "toaster", expect=2).stderr)
        self.assertIn("hang", self.convoy("doctor", "--selftest", "--fault", "onednn:melt", expect=2).stderr)
        for wrong in (["--quick"], ["--device", "cpu"], ["--only", "strides"], ["--force"], ["--root", "/", "--selftest"],
                      ["--root", "/", "--report", "x"], ["--json", "--report", "-"]):
            self.convoy("doctor", *wrong, expect=2)


USER, HOST = "qwalice", "qwhost-7"
UUID, MACHINE = "123e4567-e89b-12d3-a456-426614174000", "feedc0defeedc0defeedc0defeedc0de"
PROBLEM = "fwd:f16:nhwc:n2c8h20w20:k8r3s3:pad1x1:stride1x1:dil1x1:g1"


class Report(CliCase):
    def doctor(self, *arguments, env=None):
        return subprocess.run([self.program, "doctor", *map(str, arguments)], env=self.environment(**(env or {})),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)

    def remember(self, reason):
        incident = {"kind": "incident", "solver": "miopen", "problem": PROBLEM, "problem_class": PROBLEM.replace("n2", "n*"),
                    "device": "hip/gfx1010", "library": "MIOpen 2.19", "verdict": "timed_out", "strikes": 2, "signal": 0,
                    "reason": reason, "host": HOST, "at": int(time.time())}
        lines = [{"format": "convoy-decisions", "version": 1}, incident]
        self.convoy("db", "import", self.write("decisions.jsonl", "".join(json.dumps(line) + "\n" for line in lines)))

    def test_it_tells_everything_but_whose_machine_it_is(self):
        self.remember(f"no answer, see /home/{USER}/log and /root/core on {HOST}, serial: PCB0521, {UUID}")
        home = f"/data/people/{USER}"
        file = self.folder / "report.md"
        done = self.doctor("--report", file, "--selftest", "--quick", "--device", "cpu", "--only", "groups", "--fault",
                           "onednn:error", env={
                               "USER": USER, "HOME": home, "HOSTNAME": HOST + ".lab.example", "LD_LIBRARY_PATH": f"{home}/lib:/opt/x",
                               "MIOPEN_USER_DB_PATH": f"{home}/db", "MIOPEN_CUSTOM_CACHE_DIR": f"/srv/{USER}_cache",
                               "HIP_VISIBLE_DEVICES": "GPU-0a1b2c3d4e5f6071", "ROCR_VISIBLE_DEVICES": UUID,
                               "HSA_TOOLS_LIB": "/home/qwbob/tool.so", "MIOPEN_LOG_TO": f"{USER}@{HOST}:/x",
                               "PYTORCH_TUNABLEOP_FILENAME": f"/net/{HOST}/{MACHINE}.csv", "HSA_OVERRIDE_GFX_VERSION": ""})
        self.assertEqual(done.returncode, 3, done.stderr)
        text = file.read_text()
        hosts = [socket.gethostname(), *pathlib.Path("/etc/hostname").read_text().split()] if os.path.exists("/etc/hostname") else []
        secrets = [USER, HOST, "lab.example", "qwbob", home, "/root", "0a1b2c3d4e5f6071", UUID, MACHINE, "PCB0521",
                   *[host for host in hosts if host not in ("localhost", "debian")]]
        for secret in secrets:
            self.assertIsNone(re.search(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", text, re.IGNORECASE)
                              if secret in hosts else re.search(re.escape(secret), text, re.IGNORECASE), f"{secret}\n{text}")
        for wanted in ["environment.override_empty", "MIOPEN_USER_DB_PATH=~/db", "LD_LIBRARY_PATH=~/lib:/opt/x", "fault = onednn:error",
                       PROBLEM, "MIOpenDriver convfp16 -n 2 -c 8 -H 20 -W 20", "miopen timed_out: no answer, see ~/log",
                       "MIOpen 2.19", "hip/gfx1010", "Linux ", "GPU-[id]", "in quarantine until", "15 of 15 cases right",
                       "injected error", "libamdhip64" if "libamdhip64" in done.stdout else "Convoy 0"]:
            self.assertIn(wanted, text)
        self.assertEqual(text.count("```") % 2, 0)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o644)
        # Whoever gets the file can repeat what is in it.
        problems, _ = self.run_json(file, "--limit", "1", cache="another")
        self.assertTrue(problems[0]["source"].startswith(str(file)))

    def test_a_fence_cannot_be_left(self):
        self.remember("``` <script>alert(1)</script> | # heading ```")
        done = self.doctor("--report", "-")
        self.assertIn("''' <script>", done.stdout)
        self.assertEqual(done.stdout.count("```") % 2, 0)
        self.assertTrue(done.stdout.startswith("# Convoy "))
        self.assertIn("note ", done.stderr, "what else it says goes elsewhere")

    def test_it_is_bounded(self):
        self.remember("x" * 5000 + "end")
        done = self.doctor("--report", "-")
        self.assertIn("xxx ...\n", done.stdout)
        self.assertLess(max(len(line) for line in done.stdout.splitlines()), 2100)

    def test_nothing_is_overwritten(self):
        target = self.folder / "precious"
        target.write_text("precious")
        link = self.folder / "link.md"
        link.symlink_to(target)
        dangling = self.folder / "dangling.md"
        dangling.symlink_to(self.folder / "absent")
        for file in (target, link, dangling, self.folder):
            done = self.doctor("--report", file)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--force", done.stderr)
            self.assertEqual(done.stdout, "", "told before any work")
        self.assertEqual(target.read_text(), "precious")
        self.assertNotEqual(self.doctor("--report", link, "--force").returncode, 2)
        self.assertEqual(target.read_text(), "precious", "a link is replaced, not followed")
        self.assertTrue(link.read_text().startswith("# Convoy"))
        self.assertFalse((self.folder / "absent").exists())
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith(".convoy")], [])

    def test_a_folder_that_is_not_there(self):
        done = self.doctor("--report", self.folder / "absent" / "report.md")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("its folder", done.stderr)


if __name__ == "__main__":
    main()
