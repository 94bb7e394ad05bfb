"""Convoy's automatic start, put on PYTHONPATH by `convoy exec`: when the program imports torch, Convoy is switched on.

Python imports this file at its start and knows only one of its name, so it runs the next one on sys.path as well.
Programs without torch pay for one more entry in sys.meta_path. Whatever goes wrong is one line on standard error; the
program goes on.
"""

import os
import sys


def _say(error):
    text = " ".join(str(error).split()) or type(error).__name__
    text = text[len("convoy: ") :] if text.startswith("convoy: ") else text
    print(f"convoy: {text}; PyTorch is left as it is", file=sys.stderr)


def _is_switched_off():
    word = os.environ.get("CONVOY_DISABLE", "").strip().lower()
    return word not in ("", "0", "no", "off", "false", "disable", "disabled")


def _package():
    """The package that the program has, else the one that came with `convoy exec`."""
    from importlib.util import find_spec

    folder = os.environ.get("CONVOY_TORCH_PACKAGE", "")
    spec = find_spec("convoy")
    # Something else may have the name: a clone of the sources (to Python a package without a file), a module of the program.
    is_ours = spec is not None and os.path.isfile(os.path.join(os.path.dirname(spec.origin or ""), "_library.py"))
    if not is_ours and os.path.isabs(folder):
        sys.path.insert(0, folder)
        try:
            import convoy
        finally:
            sys.path.remove(folder)
    import convoy

    return convoy


def _start():
    try:
        convoy = _package()
        convoy.enable(strategy=None, size_threshold=None, verify=None)
    except Exception as error:
        _say(error)


class _TorchWaiter:
    """A finder that finds nothing: it has the others find torch, and is told when torch has been executed."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        spec = None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    break
        if spec is not None and spec.loader is not None:
            self._wrap(spec.loader)
        return spec

    def _wrap(self, loader):
        execute = loader.exec_module

        def exec_module(module):
            execute(module)
            del loader.exec_module  # the loader is as it was
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _start()

        try:
            loader.exec_module = exec_module
        except AttributeError as error:  # a loader that keeps no attributes, in archives
            _say(error)


def _run_next():
    """The sitecustomize that this one hides takes its place."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.realpath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.realpath(path or ".") != here])
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if not _is_switched_off():
    sys.meta_path.insert(0, _TorchWaiter())
_run_next()
