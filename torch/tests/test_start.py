"""Automatic start: the sitecustomize that `convoy exec` puts on PYTHONPATH, and statistics at exit."""

import json
import os
import unittest

import support

support.isolate()

SERVED = """
import torch, sys
torch.nn.functional.conv2d(torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3))
convoy = sys.modules.get("convoy")
print("served", convoy.stats()["calls"] if convoy else None)
"""


def start(program, path=(support.START, support.PACKAGE), **variables):
    return support.run_python(program, path, **variables)


class StartTest(unittest.TestCase):
    def check(self, run, output, error=""):
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, output, error))

    def test_torch_is_served_once_it_is_imported(self):
        self.check(start(SERVED), "served 1\n")

    def test_a_program_without_torch_imports_nothing_of_ours(self):
        program = "import sys; print([n for n in ('convoy', 'torch', 'ctypes', 'json') if n in sys.modules])"
        self.check(start(program), "[]\n")

    def test_asking_for_torch_does_not_start_it(self):
        program = "import sys, importlib.util as u; print(bool(u.find_spec('torch')), 'torch' in sys.modules)"
        self.check(start(program), "True False\n")

    def test_the_waiter_goes_and_the_loader_is_as_it_was(self):
        program = (
            "import torch, sys; names = [type(finder).__name__ for finder in sys.meta_path]\n"
            "print([name for name in names if 'Waiter' in name], 'exec_module' in vars(torch.__loader__))"
        )
        self.check(start(program), "[] False\n")

    def test_child_interpreters_inherit_it(self):
        program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SERVED!r}], check=True)"
        self.check(start(program), "served 1\n")

    def test_it_can_be_switched_off(self):
        for word in ("1", "yes", "TRUE", "on"):
            self.check(start(SERVED, CONVOY_DISABLE=word), "served None\n")
        for word in ("0", "no", "off", ""):
            self.check(start(SERVED, CONVOY_DISABLE=word), "served 1\n")

    def test_settings_come_from_the_environment(self):
        program = SERVED + "print([one['tier'] for one in convoy.stats()['problems']])"
        self.check(start(program, CONVOY_STRATEGY="cpu"), "served 1\n['cpu']\n")

    def test_the_package_is_found_by_its_variable(self):
        self.check(start(SERVED, path=(support.START,), CONVOY_TORCH_PACKAGE=support.PACKAGE), "served 1\n")

    def test_a_mere_folder_of_its_name_is_not_the_package(self):
        folder = self.make("sources/convoy", "readme.txt", "no package")
        run = start(SERVED, path=(support.START, os.path.dirname(folder)), CONVOY_TORCH_PACKAGE=support.PACKAGE)
        self.check(run, "served 1\n")

    def test_without_the_package_torch_is_left_as_it_is(self):
        run = start(SERVED, path=(support.START,))
        self.check(run, "served None\n", "convoy: No module named 'convoy'; PyTorch is left as it is\n")

    def test_without_the_library_torch_is_left_as_it_is(self):
        run = start(SERVED, CONVOY_TORCH_LIBRARY="/nonexistent/libconvoy_torch.so")
        self.assertEqual((run.returncode, run.stdout, run.stderr.count("\n")), (0, "served 0\n", 1))
        self.assertIn("/nonexistent/libconvoy_torch.so", run.stderr)
        self.assertTrue(run.stderr.endswith("; PyTorch is left as it is\n"))

    def test_a_torch_that_cannot_be_imported_fails_as_usual(self):
        folder = self.make("broken", "torch.py", "raise OSError('no torch today')")
        program = "\ntry:\n    import torch\nexcept OSError as error:\n    print(error)"
        run = start(program, path=(support.START, folder))
        self.check(run, "no torch today\n")

    def test_the_next_sitecustomize_runs_too(self):
        folder = self.make("next", "sitecustomize.py", "import sys; sys.was_next = __file__")
        program = "import sys, sitecustomize; print(sys.was_next == sitecustomize.__file__)\n" + SERVED
        self.check(start(program, path=(support.START, folder, support.PACKAGE)), "True\nserved 1\n")

    def test_errors_of_the_next_one_are_told_by_python(self):
        folder = self.make("bad", "sitecustomize.py", "raise RuntimeError('of the next')")
        run = start("print('goes on')", path=(support.START, folder))
        self.assertEqual(run.stdout, "goes on\n")
        self.assertIn("of the next", run.stderr)

    def make(self, folder, name, text):
        folder = os.path.join(support.FOLDER, folder)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return folder


class StatisticsAtExitTest(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.join(support.FOLDER, "statistics-" + self._testMethodName)
        os.makedirs(self.folder)

    def test_each_device_has_a_file(self):
        run = start(SERVED + "import os; print(os.getpid())", CONVOY_STATISTICS_DIR=self.folder)
        process = run.stdout.split()[-1]
        self.assertEqual(os.listdir(self.folder), [f"{process}-torch-cpu.json"])
        file = os.path.join(self.folder, f"{process}-torch-cpu.json")
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        with open(file, encoding="utf-8") as opened:
            self.assertEqual(json.load(opened)["calls"], 1)

    def test_settings_of_a_while_have_files_too(self):
        program = SERVED + "with convoy.enabled(strategy='cpu'): torch.conv1d(torch.ones(1, 1, 5), torch.ones(1, 1, 3))"
        start(program, CONVOY_STATISTICS_DIR=self.folder)
        names = sorted(name.split("-", 1)[1] for name in os.listdir(self.folder))
        self.assertEqual(names, ["torch-cpu-1.json", "torch-cpu.json"])

    def test_without_convolutions_there_is_no_file(self):
        run = start("import torch, convoy; assert convoy.is_enabled()", CONVOY_STATISTICS_DIR=self.folder)
        self.assertEqual(run.stderr, "")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_forked_child_writes_none(self):
        again = "torch.conv2d(torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3))"
        program = SERVED + f"import os; os.fork() and os.wait(); {again}"
        run = start(program, CONVOY_STATISTICS_DIR=self.folder, OMP_NUM_THREADS="1")
        self.assertEqual((run.returncode, len(os.listdir(self.folder))), (0, 1))
        with open(os.path.join(self.folder, os.listdir(self.folder)[0]), encoding="utf-8") as opened:
            self.assertEqual(json.load(opened)["calls"], 2, "the child was first")

    def test_a_relative_folder_is_ignored(self):
        self.assertEqual(start(SERVED, CONVOY_STATISTICS_DIR="here").stderr, "")
        self.assertFalse(os.path.exists(os.path.join(support.FOLDER, "here")))

    def test_a_file_in_the_way_stays(self):
        program = SERVED + f"import os; open({self.folder!r} + f'/{{os.getpid()}}-torch-cpu.json', 'w').write('mine')"
        self.assertEqual(start(program, CONVOY_STATISTICS_DIR=self.folder).stderr, "")
        with open(os.path.join(self.folder, os.listdir(self.folder)[0]), encoding="utf-8") as opened:
            self.assertEqual(opened.read(), "mine")

    def test_a_link_in_the_way_is_not_followed(self):
        victim = os.path.join(support.FOLDER, "victim")
        program = SERVED + f"import os; os.symlink({victim!r}, {self.folder!r} + f'/{{os.getpid()}}-torch-cpu.json')"
        self.assertEqual(start(program, CONVOY_STATISTICS_DIR=self.folder).stderr, "")
        self.assertFalse(os.path.exists(victim))


if __name__ == "__main__":
    unittest.main()
