"""Names for reports without changing a model: hooks that tell the library which layer is running.

A hook after forward() does not run when forward() throws, before PyTorch 2.0: a layer left open is closed when the next
one opens on its thread.
"""

import threading
import time

import torch

from . import _library, _start
from ._layers import layer_of
from ._modules import PLAIN, Guarded, is_compiling

_open = threading.local()


class Watch:
    """What watch() returns: remove() takes the hooks away. A context manager, too."""

    def __init__(self, handles):
        self._handles = handles

    def remove(self):
        while self._handles:
            self._handles.pop().remove()
        _close_until(None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()
        return False


def watch(model, time=False):
    """Counts for each convolution of the model, for report(model); `time`: measures forward runs as well.

    Serves nothing by itself: what is counted is what enable(), a scope or patch_model serves. Remove it before the
    model is scripted.
    """
    handles = []
    for module in model.modules():
        if not isinstance(module, PLAIN) or isinstance(module, torch.jit.ScriptModule):
            continue
        layer_of(module).is_named = True
        handles.append(module.register_forward_pre_hook(_Before(time)))
        handles.append(_register_after(module, _After()))
    return Watch(handles)


def _register_after(module, hook):
    try:
        return module.register_forward_hook(hook, always_call=True)
    except TypeError:  # before PyTorch 2.0
        return module.register_forward_hook(hook)


class _Run:
    """One forward run that is under way on this thread."""

    def __init__(self, module, library, begin):
        self.module, self.library, self.begin = module, library, begin


class _Before:
    def __init__(self, is_timed):
        self._is_timed = is_timed

    def __call__(self, module, inputs):
        if is_compiling():
            return
        _close_until(module)
        library = None
        # A Safe module enters by itself, and where Convoy is off there is nothing to count.
        if not isinstance(module, Guarded) and _start.is_served():
            library = _library.loaded_library()
            library.enter(layer_of(module).number)
        _runs().append(_Run(module, library, _now(inputs) if self._is_timed else None))


class _After:
    def __call__(self, module, inputs, output):
        if is_compiling() or not _runs() or _runs()[-1].module is not module:
            return
        run = _runs().pop()
        if run.library is not None:
            run.library.leave()
        if run.begin is not None and output is not None:
            _note_time(layer_of(module), run.begin, inputs)


def _runs():
    if not hasattr(_open, "runs"):
        _open.runs = []
    return _open.runs


def _close_until(module):
    """Closes the runs of this thread that an exception has ended: all that `module` is no part of."""
    runs = _runs()
    while runs and (runs[-1].module is module or all(part is not module for part in runs[-1].module.modules())):
        run = runs.pop()
        if run.library is not None:
            run.library.leave()


def _now(inputs):
    if inputs and getattr(inputs[0], "is_cuda", False):
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event
    return time.perf_counter()


def _note_time(layer, begin, inputs):
    end = _now(inputs)
    if isinstance(begin, float):
        layer.seconds += end - begin
        layer.timed += 1
    else:
        layer.pending.append((begin, end))
