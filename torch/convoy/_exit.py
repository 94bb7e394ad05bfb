"""Statistics at exit, for `convoy exec` and `convoy report`: a file for each device in CONVOY_STATISTICS_DIR.

Only the process that loaded the library writes: children that it forked leave through here as well, with counts that
are not theirs.
"""

import atexit
import json
import os


def register(library, settings_used):
    """`settings_used()`: all settings that were in force, each as a dictionary."""
    atexit.register(_at_exit, library, settings_used, os.getpid())


def _at_exit(library, settings_used, process):
    if os.getpid() != process:
        return
    folder = os.environ.get("CONVOY_STATISTICS_DIR", "")
    try:
        if os.path.isabs(folder):
            _write_all(library, settings_used(), os.path.join(folder, f"{process}-torch-"))
    except (OSError, ValueError, KeyError, RuntimeError):
        pass  # the program's end is no place to complain; the reader says what it misses
    library.forget_callbacks()


def _write_all(library, settings_used, prefix):
    # The library counts under each settings apart, and tells the counts of those in force.
    for index, settings in enumerate(settings_used):
        library.enable(settings)
        for device in json.loads(library.statistics())["devices"]:
            if device["statistics"] and device["statistics"]["problems"]:
                name = _name_of(device) + (f"-{index}" if index > 0 else "")
                _write(prefix + name + ".json", json.dumps(device["statistics"]))


def _name_of(device):
    marks = [mark for mark in ("deterministic", "cudnn_off") if device.get(mark)]
    return "-".join([device["device"].replace(":", "-")] + marks)


def _write(path, text):
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
