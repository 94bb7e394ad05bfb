"""Switching Convoy on and off: for the process, for a scope, for a function.

Settings belong to the process. What enable() was given is kept here, so that a scope can put it back; `configure` lays
settings of a patched model or of the community modules over it. The library finds everything as it was when settings
come back.
"""

import functools
import inspect
import threading

from . import _exit, _library, _settings

_lock = threading.RLock()
_given = {}  # by enable()
_overrides = {}  # by configure()
_scopes = threading.local()  # depth: of the scopes that this thread is in
_used = {}  # settings_in_force() -> the same as a dictionary, for all that ever were
_is_configured = False  # the library knows settings and has its kernels in place


def enable(
    strategy=_settings.built_in("auto"),
    size_threshold=_settings.built_in(42),
    verify=_settings.built_in("sample"),
    *,
    find=None,
    deterministic=None,
    deadline_ms=None,
    threads=None,
    log_level=None,
    fault=None,
    **settings,
):
    """Serves every convolution of this process: PyTorch's own path first, guarded; then Convoy's kernels, and the CPU.

    Called again it changes the settings. Any setting of Convoy's can be given by name; one that is left out or None is
    what setting files and environment say, else what is built in, which the signature shows. ValueError names what is
    not accepted; RuntimeError says how to get the library where it is missing.
    """
    named = dict(strategy=strategy, size_threshold=size_threshold, verify=verify, find=find, deadline_ms=deadline_ms)
    named.update(deterministic=deterministic, threads=threads, log_level=log_level, fault=fault)
    _enable(_settings.given({**named, **settings}))


def disable():
    """PyTorch's own path for all, as if Convoy were not there. Scopes and patched models are still served."""
    library = _library.loaded_library()
    if library is not None:
        library.disable()


def is_enabled():
    """Whether every convolution of this process is served."""
    library = _library.loaded_library()
    return library is not None and library.is_enabled()


def is_served():
    """Whether this thread is served now: by enable() or a scope."""
    return getattr(_scopes, "depth", 0) > 0 or is_enabled()


def configure(overrides):
    """Lays `overrides` over what enable() was given, and sees that scopes can be served. Convoy stays on, or off."""
    with _lock:
        if _is_configured and overrides == _overrides:
            return
        _apply(_given, overrides, is_enabled())


def overrides():
    return dict(_overrides)


def settings_in_force():
    """Hashable."""
    return frozenset({**_given, **_overrides}.items())


def ready():
    """The library, with settings: what a scope needs."""
    if not _is_configured:
        configure(_overrides)
    return _library.loaded_library()


def _enable(given):
    with _lock:
        _apply(given, _overrides, True)


def _apply(given, over, stay_on):
    global _given, _overrides, _is_configured
    library = _library.library()
    library.enable({**given, **over})  # where it fails, all is as before
    if not stay_on:
        library.disable()
    if not _used:
        _exit.register(library, lambda: list(_used.values()))
    _given, _overrides, _is_configured = given, over, True
    _used.setdefault(settings_in_force(), {**given, **over})


class enabled:
    """Serves convolutions in a `with` block, or in calls of a function that it decorates.

    Without parameters, and while Convoy is off, only this thread is served, and the gradients of what it computes. With
    parameters (those of enable()) the settings of the process change and come back at the end of the block: threads
    that do so at the same time get in each other's way.
    """

    def __init__(self, *args, **settings):
        bound = inspect.signature(enable).bind(*args, **settings).arguments
        bound.update(bound.pop("settings", {}))
        self._given = _settings.given(bound)
        self._open = threading.local()

    def __enter__(self):
        entered = self._enter_thread() if not self._given else self._enter_process()
        self._stack().append(entered)
        return self

    def __exit__(self, *exception):
        stack = self._stack()
        if stack:  # else entered on another thread, by a generator say: nothing to undo here
            stack.pop()()
        return False

    def __call__(self, function):
        _check_plain(function)

        @functools.wraps(function)
        def served(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return served

    # Each returns what undoes it.

    def _enter_thread(self):
        if is_enabled():
            return lambda: None
        library = ready()
        library.enter(-1)
        _scopes.depth = getattr(_scopes, "depth", 0) + 1

        def undo():
            _scopes.depth -= 1
            library.leave()

        return undo

    def _enter_process(self):
        with _lock:
            before, was_on = _given, is_enabled()
            _enable({**before, **self._given})

        def undo():
            with _lock:
                _apply(before, _overrides, was_on)

        return undo

    def _stack(self):
        if not hasattr(self._open, "stack"):
            self._open.stack = []
        return self._open.stack


def guarded(function):
    """Decorator: convolutions in calls of `function` are served, as in `with convoy.enabled():`."""
    return enabled()(function)


def _check_plain(function):
    # The body of these runs later, and on whichever thread resumes it: a scope around the call would serve nothing.
    later = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if not inspect.isroutine(function) or any(is_of_kind(function) for is_of_kind in later):
        raise TypeError(
            f"convoy: only plain functions can be decorated, not {function!r}; "
            "inside of coroutines and generators use 'with convoy.enabled():' around what computes"
        )
