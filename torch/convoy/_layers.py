"""A layer's number, under which the library counts, and its times. Kept in the module's own dictionary: the shallow
copies that DataParallel makes of a model for each call then count for the original.

Copies and pickles of a module do not carry it: they are layers of their own, and a pickle needs no Convoy to be read.
"""

import collections
import itertools
import threading

_KEY = "_convoy_layer"
_MOST_TIMES = 1024  # pending ones for each layer: a training run must not grow
_numbers = itertools.count()
_lock = threading.Lock()


class Layer:
    """`seconds` and `timed` are summed up to now; `pending` are pairs of CUDA events, newest last."""

    def __init__(self):
        self.number = next(_numbers)
        self.is_named = False  # a report may show it: watched, or a Safe module
        self.seconds = 0.0
        self.timed = 0
        self.pending = collections.deque(maxlen=_MOST_TIMES)

    def __deepcopy__(self, memo):
        return Layer()

    def __reduce__(self):
        return type(None), ()

    def milliseconds(self):
        """Mean of the timed forward runs, None without any. Waits for the GPU."""
        while self.pending:
            begin, end = self.pending.popleft()
            end.synchronize()
            self.seconds += begin.elapsed_time(end) / 1000
            self.timed += 1
        return self.seconds / self.timed * 1000 if self.timed else None


def layer_of(module):
    """The module's layer, made when first asked for."""
    return find_layer(module) or _make(module)


def find_layer(module):
    """The module's layer, or None."""
    return module.__dict__.get(_KEY)


def _make(module):
    with _lock:
        layer = module.__dict__.get(_KEY)
        if layer is None:  # unpickled, it stands there as None
            layer = module.__dict__[_KEY] = Layer()
        return layer
