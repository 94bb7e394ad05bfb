"""A wheel, made from what is built already, installed into a folder of its own, and used from there alone."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ["CONVOY_PROGRAM"]).resolve().parent

USE = """
import json, os, sys, torch, convoy
assert convoy.__file__.startswith(sys.argv[1]), convoy.__file__
assert convoy.library_path().startswith(sys.argv[1]), convoy.library_path()
assert convoy.program_path().startswith(sys.argv[1]), convoy.program_path()
torch.manual_seed(7)
layer, x = torch.nn.Conv2d(4, 8, 3), torch.randn(2, 4, 12, 12)
plain = layer(x)
# The second tier's turn: a child process is started, from the program in the wheel.
convoy.enable(fault="torch:hang", deadline_ms=500)
assert torch.allclose(layer(x), plain, atol=1e-5)
print(json.dumps(convoy.stats()["causes"]))
"""


class WheelTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-wheel-"))
        self.addCleanup(shutil.rmtree, self.folder)
        kept = ("PATH", "LANG", "TMPDIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment.update(HOME=str(self.folder), PYTHONDONTWRITEBYTECODE="1", PIP_DISABLE_PIP_VERSION_CHECK="1",
                                PIP_NO_INDEX="1", CONVOY_CACHE_DIR=str(self.folder / "cache"))

    def run_python(self, *arguments, **environment):
        process = subprocess.run([sys.executable, *map(str, arguments)], env={**self.environment, **environment}, text=True,
                                 cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        self.assertEqual(process.returncode, 0, process.stdout)
        return process.stdout

    def test_is_made_installed_and_used(self):
        # Elsewhere: setuptools writes beside its sources.
        source = self.folder / "source"
        shutil.copytree(SOURCE / "torch", source / "torch", ignore=shutil.ignore_patterns("__pycache__", "build", "tests"))
        shutil.copy(SOURCE / "CMakeLists.txt", source)
        self.run_python("-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", self.folder, source / "torch",
                        CONVOY_BUILD_DIR=str(BUILD))
        shutil.rmtree(source)
        (wheel,) = self.folder.glob("convoy-*.whl")
        self.assertRegex(wheel.name, r"^convoy-[0-9.]+\+torch[0-9]+\.[0-9]+-py3-none-linux_[a-z0-9_]+\.whl$")
        site = self.folder / "site"
        self.run_python("-m", "pip", "install", "--no-deps", "--target", site, wheel)
        said = self.run_python("-c", USE, site, PYTHONPATH=str(site))
        self.assertEqual(said.splitlines()[-1], '{"torch timed_out": 1}')
        help_text = subprocess.run([site / "bin/convoy", "--version"], env={**self.environment, "PYTHONPATH": str(site)},
                                   text=True, capture_output=True, timeout=60)
        self.assertEqual(help_text.returncode, 0, help_text.stderr)
        self.assertIn("0.", help_text.stdout)


if __name__ == "__main__":
    unittest.main()
