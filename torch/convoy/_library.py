"""Finds, checks and loads libconvoy_torch.so, once, when it is first needed.

The library is built for one PyTorch (major.minor): loading it into another may crash, so `_build.json`, which the build
puts beside it, is read before. Its C functions are called through ctypes, which releases the GIL.
"""

import ctypes
import json
import os
import sys
import threading

_NAME = "libconvoy_torch.so"
_BUILD_FILE = "_build.json"
_HERE = os.path.dirname(os.path.abspath(__file__))
_CURE = (
    f"build Convoy for this Python (cmake -B build -DCONVOY_TORCH_PYTHON={sys.executable}; cmake --build build), "
    "or set CONVOY_TORCH_LIBRARY to the path of one that is"
)

_EmptyCache = ctypes.CFUNCTYPE(None, ctypes.c_int)
_lock = threading.Lock()
_loaded = None


class Library:
    """The C functions of libconvoy_torch.so."""

    def __init__(self, path):
        functions = ctypes.CDLL(path)
        text, number = ctypes.c_char_p, ctypes.c_int
        for name, result, arguments in (
            ("version", text, []),
            ("built_for", text, []),
            ("enable", number, [text]),
            ("disable", None, []),
            ("is_enabled", number, []),
            ("enter", None, [ctypes.c_longlong]),
            ("leave", None, []),
            ("statistics", ctypes.c_longlong, [text, ctypes.c_longlong]),
            ("reset_statistics", None, []),
            ("last_error", text, []),
            ("set_running", None, [text]),
            ("set_empty_cache", None, [ctypes.c_void_p]),
        ):
            function = getattr(functions, "convoy_torch_" + name)
            function.restype = result
            function.argtypes = arguments
            setattr(self, "_" + name, function)
        self.path = path
        # Straight from the hot path: no Python frame in between.
        self.enter, self.leave = self._enter, self._leave
        self._empty_cache = _EmptyCache(_empty_cache)
        self._set_empty_cache(ctypes.cast(self._empty_cache, ctypes.c_void_p))

    def version(self):
        return self._version().decode()

    def built_for(self):
        return self._built_for().decode()

    def set_running(self, version):
        self._set_running(str(version).encode())

    def enable(self, settings):
        """`settings`: {name: text}. Raises what the library says; a ValueError where it is about one of them."""
        lines = "".join(f"{name}={text}\n" for name, text in sorted(settings.items()))
        if self._enable(lines.encode()) == 0:
            return
        why = self._last_error().decode(errors="replace")
        is_about_one = any(name in why for name in settings)
        raise (ValueError if is_about_one else RuntimeError)("convoy: " + why)

    def disable(self):
        self._disable()

    def is_enabled(self):
        return self._is_enabled() == 1

    def statistics(self):
        """JSON text."""
        capacity = 1 << 16
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            needed = self._statistics(buffer, capacity)
            if needed <= capacity:
                return buffer.value.decode(errors="replace")
            capacity = needed + 4096  # another thread may add a problem meanwhile

    def reset_statistics(self):
        self._reset_statistics()

    def forget_callbacks(self):
        """At exit: the interpreter that the callback needs is about to go."""
        self._set_empty_cache(None)


def _empty_cache(_device):
    torch = sys.modules.get("torch")
    try:
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    except Exception:  # nowhere to report it to; the retry shows whether memory was found
        pass


def library_path():
    """Where the library is. RuntimeError, with the cure, where it is not."""
    wished = os.environ.get("CONVOY_TORCH_LIBRARY", "")
    if wished:
        if not os.path.isabs(wished) or not os.path.isfile(wished):
            raise RuntimeError(f"convoy: CONVOY_TORCH_LIBRARY is {wished!r}: no absolute path of a file; {_CURE}")
        return wished
    path = os.path.join(_HERE, "lib", _NAME)
    if not os.path.isfile(path):
        raise RuntimeError(f"convoy: {path} is missing; {_CURE}")
    return path


def program_path():
    """Where the program `convoy` is that belongs to the library. RuntimeError where none is."""
    # In a wheel; installed by CMake, with or without a folder for the architecture below lib.
    ups = ["", *(os.path.join(*[os.pardir] * count) for count in (4, 5))]
    looked = [os.path.normpath(os.path.join(_HERE, up, "bin", "convoy")) for up in ups]
    try:
        folder = os.path.dirname(library_path())
        looked += [os.path.normpath(os.path.join(folder, up, "convoy")) for up in ("", "..", "../bin", "../../bin")]
    except RuntimeError:
        pass
    for path in looked:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise RuntimeError("convoy: the program is not there; looked for " + ", ".join(looked))


def _major_minor(version):
    return version.split("+")[0].split(".")[:2]


def _check_version(built_for, path):
    import torch

    if _major_minor(built_for) != _major_minor(torch.__version__):
        raise RuntimeError(f"convoy: {path} is built for PyTorch {built_for}, but this is {torch.__version__}; {_CURE}")


def _check_build_file(path):
    file = os.path.join(os.path.dirname(path), _BUILD_FILE)
    try:
        with open(file, encoding="utf-8") as opened:
            built_for = json.load(opened)["torch"]
        if not isinstance(built_for, str):
            raise TypeError("'torch' is no text")
    except FileNotFoundError:
        return  # the library's own word follows, if the dynamic linker lets it speak
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"convoy: {file} cannot be read ({error}); {_CURE}") from error
    _check_version(built_for, path)


def _load():
    import torch

    path = library_path()
    _check_build_file(path)
    try:
        torch.ops.load_library(path)
        library = Library(path)
    except (OSError, AttributeError) as error:
        raise RuntimeError(f"convoy: {path} cannot be loaded: {error}; {_CURE}") from error
    _check_version(library.built_for(), path)
    library.set_running(torch.__version__)
    return library


def library():
    """The library, loaded when first asked for. RuntimeError, with the cure, where that fails."""
    global _loaded
    if _loaded is None:
        with _lock:
            if _loaded is None:
                _loaded = _load()
    return _loaded


def loaded_library():
    """The library where it is loaded already, else None."""
    return _loaded
