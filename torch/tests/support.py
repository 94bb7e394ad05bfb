"""For the tests of the Python package: a private cache and configuration, and programs in processes of their own.

The tests need the real library: CONVOY_TORCH_LIBRARY, or the one that the build has laid beside the package.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile

PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
START = os.path.join(PACKAGE, "convoy", "start")

FOLDER = tempfile.mkdtemp(prefix="convoy-torch-test-")
_owner = os.getpid()


@atexit.register
def _remove():
    if os.getpid() == _owner:
        shutil.rmtree(FOLDER, ignore_errors=True)


def isolate():
    """Before convoy is imported: nothing of the user's is read or written."""
    for name in list(os.environ):
        if name.startswith(("CONVOY_", "MIOPEN_")) and name != "CONVOY_TORCH_LIBRARY":
            del os.environ[name]
    os.environ["XDG_CACHE_HOME"] = os.path.join(FOLDER, "cache")
    os.environ["XDG_CONFIG_HOME"] = os.path.join(FOLDER, "config")
    sys.path.insert(0, PACKAGE)


def run_python(program, path=(PACKAGE,), **variables):
    """Runs `program` in a fresh interpreter; a variable that is None is unset."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path), PYTHONDONTWRITEBYTECODE="1")
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=FOLDER)
