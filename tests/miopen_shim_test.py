#!/usr/bin/env python3
# The interposer under replicas of MIOpen's users: every scripted fault of the stand-in library, every client, all
# directions, 2-D and 3-D. The client must see success and right numbers, within the deadline, and what hung or crashed is
# not met again.
# Usage: miopen_shim_test.py [--architecture gfx1010] [unittest options]; programs are named by the environment (CMake).
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CLIENT = os.environ.get("CONVOY_MIOPEN_CLIENT", "")
HOST = os.environ.get("CONVOY_MIOPEN_CLIENT_HOST", "")
SHIM = os.environ.get("CONVOY_MIOPEN_SHIM", "")
STUB = os.environ.get("CONVOY_MIOPEN_STUB", "")
SIM = os.environ.get("CONVOY_SIM_FOLDER", "")
PROGRAM = os.environ.get("CONVOY_PROGRAM", "")
ARCHITECTURE = os.environ.get("CONVOY_TEST_ARCHITECTURE", "gfx1010")

PLANE = "n2c4h6w7:k8r3s3:pad1x1:stride1x1:dil1x1:g1"
VOLUME = "n1c4d3h4w5:k4t3r3s3:pad1x1x1:stride1x1x1:dil1x1x1:g1"
CLIENTS = {
    "pytorch-1.13-benchmark": (), "pytorch-1.13-immediate": (), "pytorch-2.7": (), "pytorch-2.9": (),
    "onnxruntime": (), "tensorflow": (),
    # It looks symbols up on the library's handle, where no preload reaches; as a linked program it is served, too.
    "tensorflow-immediate": ("--load", "linked"),
}
# Fault of the stand-in -> whether one meeting is enough for quarantine.
FAULTS = {
    "status=7": False, "status=5:miopenFindConvolution*": False, "hang": True, "crash": True,
    "crash:*GetWorkSpaceSize": True, "wrong": True, "nan": True, "workspace": False, "naive": False, "absent": False,
    "slow=300": False,
}
DEADLINE_MS = 1000
TIMEOUT = 240


def crash_in_query(fault):
    if fault != "crash:*GetWorkSpaceSize":
        return [fault]
    return [f"crash:miopenConvolution{name}GetWorkSpaceSize" for name in ("Forward", "BackwardData", "BackwardWeights")]


class Shim(unittest.TestCase):
    maxDiff = None
    deadline_ms = 30000  # what is sound must not be given up on a busy machine

    @classmethod
    def setUpClass(cls):
        # The stand-in compiles its kernel once for all, as the real library keeps its own.
        cls.shared = tempfile.TemporaryDirectory(prefix="convoy-shim-")
        cls.addClassCleanup(cls.shared.cleanup)
        subprocess.run([CLIENT, "--client", "pytorch-2.7", "--shape", PLANE, "--direction", "fwd"], check=True,
                       timeout=TIMEOUT, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, MIOPEN_CUSTOM_CACHE_DIR=cls.shared.name, CONVOY_SIM_DEVICES=ARCHITECTURE))

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="convoy-shim-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8",
                "CONVOY_CACHE_DIR": str(self.folder / "cache"), "XDG_CONFIG_HOME": str(self.folder / "config"),
                "CONVOY_SYSTEM_CACHE_DIRS": str(pathlib.Path(self.shared.name) / "system"),
                "MIOPEN_CUSTOM_CACHE_DIR": self.shared.name, "CONVOY_SIM_DEVICES": ARCHITECTURE,
                "CONVOY_DEADLINE_MS": str(self.deadline_ms), "CONVOY_LOG_LEVEL": "info", "LD_PRELOAD": SHIM, **more}

    def client(self, name, *options, program=CLIENT, expect=0, shapes=(PLANE, VOLUME), **environment):
        """The client's lines as objects, and what was said on stderr."""
        own = () if "--load" in options else CLIENTS[name]
        arguments = [program, "--client", name, *own, *options]
        for shape in shapes:
            arguments += ["--shape", shape]
        done = subprocess.run(arguments, env=self.environment(**environment), capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def check(self, rows):
        self.assertTrue(rows)
        for row in rows:
            self.assertTrue(row["ok"], row)
            self.assertEqual(row.get("status", 0), 0, row)


class Faults(Shim):
    deadline_ms = DEADLINE_MS

    def test_every_client_survives_every_fault(self):
        self.warm_kernels()
        cases = [(one, name, at_once) for fault, at_once in FAULTS.items() for one in crash_in_query(fault)
                 for name in CLIENTS]
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            running = {pool.submit(self.survive, *case): case for case in cases}
            for done in concurrent.futures.as_completed(running):
                fault, name, _ = running[done]
                with self.subTest(fault=fault, client=name):
                    done.result()

    def warm_kernels(self):
        self.client("pytorch-2.7", "--direction", "all", CONVOY_CACHE_DIR=str(self.folder / "warm"),
                    CONVOY_SIM_MIOPEN_FAULT="absent")

    def survive(self, fault, name, at_once):
        folder = self.folder / f"{fault}-{name}".replace("*", "")
        cache, statistics = folder / "cache", folder / "statistics"
        cache.mkdir(mode=0o700, parents=True)
        statistics.mkdir()
        # What our kernels compile to is the same whatever the fault: only the record of solvers begins empty.
        shutil.copy(self.folder / "warm" / "cache.db", cache)
        environment = {"CONVOY_SIM_MIOPEN_FAULT": fault, "CONVOY_CACHE_DIR": str(cache)}
        rows, _ = self.client(name, "--direction", "all", **environment)
        self.check(rows)
        # A deadline for each phase of a trial, and our own work on a busy machine.
        for row in rows:
            self.assertLess(row["milliseconds"], 2 * DEADLINE_MS + 20000, row)
        rows, said = self.client(name, "--direction", "all", CONVOY_STATISTICS_DIR=str(statistics), **environment)
        self.check(rows)
        problems = [one for file in statistics.iterdir() for one in json.loads(file.read_text())["per_problem"]]
        self.assertTrue(problems)
        if not at_once:
            return
        # What has a record is left alone: no second meeting.
        for problem in problems:
            met = [one for one in problem["attempts"]
                   if one["solver"] == "miopen" and one["outcome"] not in ("quarantined", "passed")]
            self.assertFalse(met, f"{problem}\n{said}")


class Uses(Shim):
    """No fault: what programs do beside calling one convolution after the other."""

    def test_modes(self):
        for options in (("--graph",), ("--fork",), ("--threads", "3"), ("--oom",), ("--deterministic",),
                        ("--benchmark",), ("--dtype", "f16"), ("--dtype", "bf16", "--layout", "nhwc")):
            for name in ("pytorch-1.13-benchmark", "pytorch-2.7"):
                if name == "pytorch-1.13-benchmark" and options[0] in ("--deterministic",):
                    continue
                with self.subTest(client=name, options=options):
                    self.check(self.client(name, "--direction", "all", *options)[0])

    def test_bias(self):
        for name in ("onnxruntime", "tensorflow"):
            with self.subTest(client=name):
                self.check(self.client(name, "--direction", "fwd", "--bias")[0])

    def test_a_failing_bias_is_added_on_the_host(self):
        for name in ("onnxruntime", "tensorflow"):
            with self.subTest(client=name):
                self.check(self.client(name, "--direction", "all" if name == "tensorflow" else "fwd", "--bias",
                                       CONVOY_SIM_MIOPEN_FAULT="status=7:miopenConvolutionForwardBias,"
                                                               "status=7:miopenConvolutionBackwardBias")[0])

    def test_several_devices(self):
        rows, _ = self.client("pytorch-2.7", "--direction", "all", "--devices", "2", "--threads", "2",
                              CONVOY_SIM_DEVICES="gfx1010,gfx1030")
        self.check(rows)
        self.assertEqual({row["device"] for row in rows}, {0, 1})

    def test_a_module_as_python_loads_it(self):
        self.check(self.client("pytorch-2.7", "--direction", "all", program=HOST)[0])

    def test_the_library_is_unloaded_at_the_end(self):
        rows, _ = self.client("pytorch-2.7", "--direction", "all", "--load", "dlopen", "--unload", program=HOST)
        self.check(rows)

    def test_every_convolution_is_counted_with_its_tier(self):
        folder = self.folder / "statistics"
        folder.mkdir()
        self.client("pytorch-1.13-immediate", "--direction", "all", CONVOY_STATISTICS_DIR=str(folder))
        [file] = folder.iterdir()
        statistics = json.loads(file.read_text())
        self.assertEqual(len(statistics["per_problem"]), 6)
        for problem in statistics["per_problem"]:
            self.assertGreaterEqual(problem["calls"], 2)
            # The stand-in's naive kernel is not accepted; its GEMM and Winograd are.
            self.assertIn(problem["tier"], ("vendor", "own"))

    def test_the_second_process_compiles_nothing(self):
        self.client("pytorch-2.7", "--direction", "all")
        folder = self.folder / "statistics"
        folder.mkdir()
        self.client("pytorch-2.7", "--direction", "all", CONVOY_STATISTICS_DIR=str(folder))
        [file] = folder.iterdir()
        self.assertEqual(json.loads(file.read_text())["kernels"]["compiled"], 0)

    def test_naive_kernels_are_refused_once(self):
        folder = self.folder / "statistics"
        for attempt in ("first", "second"):
            folder.mkdir()
            self.client("pytorch-2.7", "--direction", "all", CONVOY_SIM_MIOPEN_FAULT="naive",
                        CONVOY_STATISTICS_DIR=str(folder))
            [file] = folder.iterdir()
            statistics = json.loads(file.read_text())
            self.assertEqual(statistics["children_started"], 1 if attempt == "first" else 0)
            self.assertEqual({problem["tier"] for problem in statistics["per_problem"]}, {"own"})
            shutil.rmtree(folder)

    def test_without_a_child_the_library_is_left_alone(self):
        rows, _ = self.client("pytorch-2.7", "--direction", "all", CONVOY_SIM_MIOPEN_FAULT="hang",
                              CONVOY_PROBE="/nonexistent/convoy")
        self.check(rows)

    def test_a_program_that_failed_ends_as_it_would(self):
        """What the engine said last is still there when statistics are written, after the thread's objects are gone."""
        folder = self.folder / "statistics"
        folder.mkdir()
        self.client("pytorch-2.7", "--direction", "fwd", "--graph", CONVOY_STRATEGY="cpu", expect=3,
                    CONVOY_STATISTICS_DIR=str(folder))
        self.assertTrue(list(folder.iterdir()))

    def test_strategies(self):
        for strategy, tiers in (("cpu", {"cpu", "reference"}), ("vendor", {"vendor"}), ("gemm", {"vendor", "own"}),
                                ("selective", {"own", "generic"})):
            with self.subTest(strategy=strategy):
                folder = self.folder / strategy
                folder.mkdir()
                self.check(self.client("pytorch-2.7", "--direction", "all", CONVOY_STRATEGY=strategy,
                                       CONVOY_SIZE_THRESHOLD="1", CONVOY_STATISTICS_DIR=str(folder))[0])
                [file] = folder.iterdir()
                used = {problem["tier"] for problem in json.loads(file.read_text())["per_problem"]}
                self.assertLessEqual(used, tiers)


class Absence(Shim):
    """Where something is missing: one line, and the program goes on as without us."""

    def test_switched_off(self):
        rows, said = self.client("pytorch-2.7", "--direction", "all", CONVOY_DISABLE="1")
        self.check(rows)
        self.assertEqual(said.count("convoy"), 0, said)

    def test_without_the_engine(self):
        alone = self.folder / "alone"
        alone.mkdir()
        shutil.copy(SHIM, alone)
        rows, said = self.client("pytorch-2.7", "--direction", "all", LD_PRELOAD=str(alone / pathlib.Path(SHIM).name))
        self.check(rows)
        self.assertEqual(said.count("MIOpen is left as it is"), 1, said)

    def test_a_library_of_another_version(self):
        """Older than ROCm 5.2: its own convolutions are not trusted, ours serve."""
        folder = self.folder / "statistics"
        folder.mkdir()
        self.check(self.client("pytorch-2.7", "--direction", "all", CONVOY_SIM_MIOPEN_VERSION="2.16.0",
                               CONVOY_STATISTICS_DIR=str(folder))[0])
        [file] = folder.iterdir()
        for problem in json.loads(file.read_text())["per_problem"]:
            self.assertEqual(problem["tier"], "own")
            reasons = [one["reason"] for one in problem["attempts"] if one["solver"] == "miopen"]
            self.assertIn("older than 2.17", reasons[0])

    def test_without_a_gpu(self):
        """The program fails as it does without us, and nothing else is said."""
        _, alone = self.client("pytorch-2.7", "--direction", "fwd", expect=4, CONVOY_SIM_DEVICES="none", LD_PRELOAD="")
        _, said = self.client("pytorch-2.7", "--direction", "fwd", expect=4, CONVOY_SIM_DEVICES="none")
        self.assertEqual(said, alone)

    def test_a_program_with_libraries_of_its_own(self):
        """What the engine is made of stays its own: none of its names becomes visible to the program."""
        names = subprocess.run(["nm", "-D", "--defined-only", SHIM], capture_output=True, text=True, check=True).stdout
        for foreign in ("sqlite3", "fmt", "spdlog", "dnnl", "_ZN", "_ZS"):
            self.assertNotIn(foreign, names)
        # Not among the needed ones, so not in the program's scope either; opened by the first convolution alone.
        done = subprocess.run(["/bin/sh", "-c", "cat /proc/self/maps"], env=self.environment(), capture_output=True,
                              text=True, timeout=TIMEOUT, check=True)
        self.assertIn("libconvoy_miopen", done.stdout)
        for library in ("libconvoy.so", "libdnnl", "libsqlite3", "libstdc++"):
            self.assertNotIn(library, done.stdout)

    def test_in_programs_that_know_no_miopen(self):
        done = subprocess.run(["/bin/sh", "-c", "echo fine"], env=self.environment(), capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "fine\n", ""))

    def test_nothing_but_the_interposed_names_is_visible(self):
        names = subprocess.run(["nm", "-D", "--defined-only", SHIM], capture_output=True, text=True, check=True).stdout
        visible = {line.split()[-1] for line in names.splitlines()}
        expected = {f"miopenConvolution{d}{n}" for d in ("Forward", "BackwardData", "BackwardWeights")
                    for n in ("", "GetWorkSpaceSize", "GetSolutionCount", "GetSolution", "GetSolutionWorkspaceSize",
                              "CompileSolution", "Immediate")}
        expected |= {f"miopenFindConvolution{d}Algorithm" for d in ("Forward", "BackwardData", "BackwardWeights")}
        expected |= {"miopenConvolutionForwardBias", "miopenConvolutionBackwardBias", "miopenEnableProfiling",
                     "miopenGetKernelTime", "miopenDestroy", "convoy_miopen_pass_through"}
        self.assertEqual(visible, expected)

    def test_nothing_but_libc_is_needed(self):
        dynamic = subprocess.run(["readelf", "-d", SHIM], capture_output=True, text=True, check=True).stdout
        needed = [line.split("[")[1].rstrip("]") for line in dynamic.splitlines() if "(NEEDED)" in line]
        self.assertLessEqual(set(needed), {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}, dynamic)


class Stub(Shim):
    """A libMIOpen.so.1 in the library's place, for programs that look symbols up on its handle."""

    def replaced(self, with_vendor=True):
        """The environment in which the stub lies where the library was."""
        folder = self.folder / "lib"
        folder.mkdir()
        for name in ("libamdhip64.so.5",):
            shutil.copy(pathlib.Path(SIM) / name, folder)
        shutil.copy(STUB, folder / "libMIOpen.so.1")
        if with_vendor:
            shutil.copy(pathlib.Path(SIM) / "libMIOpen.so.1", folder / "libMIOpen.vendor.so.1")
        return {"LD_PRELOAD": "", "LD_LIBRARY_PATH": f"{folder}:{pathlib.Path(SHIM).parent}"}

    def test_every_client_also_by_dlsym(self):
        environment = self.replaced()
        statistics = self.folder / "statistics"
        for name in CLIENTS:
            for load in ("linked", "dlopen"):
                with self.subTest(client=name, load=load):
                    statistics.mkdir()
                    self.check(self.client(name, "--direction", "all", "--load", load,
                                           CONVOY_STATISTICS_DIR=str(statistics), **environment)[0])
                    self.assertEqual(len(list(statistics.iterdir())), 1, "the engine has served nothing")
                    shutil.rmtree(statistics)

    def test_with_the_interposer_in_front_of_the_stub(self):
        environment = dict(self.replaced(), LD_PRELOAD=SHIM)
        for load in ("linked", "dlopen"):
            with self.subTest(load=load):
                self.check(self.client("pytorch-2.7", "--direction", "all", "--load", load, **environment)[0])

    def test_a_hanging_library(self):
        environment = self.replaced()
        rows, _ = self.client("tensorflow-immediate", "--direction", "fwd", "--load", "dlopen",
                              CONVOY_SIM_MIOPEN_FAULT="hang", CONVOY_DEADLINE_MS=str(DEADLINE_MS), **environment)
        self.check(rows)

    def test_switched_off(self):
        self.check(self.client("tensorflow-immediate", "--direction", "all", "--load", "dlopen", CONVOY_DISABLE="1",
                               **self.replaced())[0])


class CommandLine(Shim):
    """The same solver through `convoy run`."""

    def run_convoy(self, *arguments, **environment):
        file = self.folder / "rows.json"
        done = subprocess.run([PROGRAM, "run", "--device", f"sim:{ARCHITECTURE}", "--json", str(file), *arguments],
                              env=self.environment(LD_PRELOAD="", **environment), capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [json.loads(line) for line in file.read_text().splitlines()][:-1]

    def test_a_simulated_card_has_no_vendor_unless_one_is_named(self):
        [row] = self.run_convoy(f"fwd:f32:nchw:{PLANE}")
        self.assertEqual(row["tier"], "own")
        [row] = self.run_convoy(f"fwd:f32:nchw:{PLANE}", CONVOY_MIOPEN_LIBRARY=f"{SIM}/libMIOpen.so.1")
        self.assertEqual((row["tier"], row["solver"]), ("vendor", "miopen"))

    def test_all_kinds_of_problems(self):
        problems = [f"{direction}:{rest}" for direction in ("fwd", "bwd", "wrw") for rest in (
            f"f32:nchw:{PLANE}", f"f16:nchw:{PLANE}", f"bf16:ncdhw:{VOLUME}",
            "f32:ncw:n2c4w9:k8s3:pad1:stride2:dil1:g1",
            "f32:nhwc:n2c4h6w7:k8r3s3:pad1x1:stride1x1:dil1x1:g2",
            "f32:nchw:n2c4h6w7:k4r3s3:pad2x2:stride1x1:dil2x2:g4")]
        problems.append("fwd:f32:nchw:n2c4h6w7:k8r3s3:pad1x1:stride2x2:dil1x1:g1:tr:opad1x1")
        file = self.folder / "problems.txt"
        file.write_text("\n".join(problems))
        rows = self.run_convoy("--strategy", "vendor", str(file), CONVOY_MIOPEN_LIBRARY=f"{SIM}/libMIOpen.so.1")
        self.assertEqual(len(rows), len(problems))
        self.assertEqual({row["solver"] for row in rows}, {"miopen"})

    def test_a_missing_library_is_named(self):
        [row] = self.run_convoy(f"fwd:f32:nchw:{PLANE}", CONVOY_MIOPEN_LIBRARY="/nonexistent/libMIOpen.so.1")
        self.assertEqual(row["tier"], "own")
        reasons = [attempt["reason"] for attempt in row["attempts"] if attempt["solver"] == "miopen"]
        self.assertIn("/nonexistent/libMIOpen.so.1", reasons[0])


if __name__ == "__main__":
    if "--architecture" in sys.argv:
        at = sys.argv.index("--architecture")
        ARCHITECTURE = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    unittest.main(verbosity=2)
