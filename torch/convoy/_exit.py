"""Statistics at exit, for `convoy exec` and `convoy report`: one file for each device in the folder CONVOY_STATISTICS_DIR.

Only the process that loaded the library writes: children that it forked leave through here as well, with counts that are not theirs.
"""

import atexit
import json
import os


def register(library):
    atexit.register(_at_exit, library, os.getpid())


def _at_exit(library, process):
    if os.getpid() != process:
        return
    folder = os.environ.get("CONVOY_STATISTICS_DIR", "")
    if os.path.isabs(folder):
        _write_all(library, folder, process)
    library.forget_callbacks()


def _write_all(library, folder, process):
    try:
        devices = json.loads(library.statistics())["devices"]
    except (ValueError, KeyError):
        return
    for device in devices:
        try:
            _write(os.path.join(folder, f"{process}-torch-{_name_of(device)}.json"), json.dumps(device["statistics"]))
        except OSError:
            pass  # the program's end is no place to complain; the reader says what it misses


def _name_of(device):
    marks = [mark for mark in ("deterministic", "cudnn_off") if device.get(mark)]
    return "-".join([device["device"].replace(":", "-")] + marks)


def _write(path, text):
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
