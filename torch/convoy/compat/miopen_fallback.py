"""Names and messages of FramePack's miopen_fallback, done by Convoy: conv1d, conv2d and conv3d fall back, forward and
backward, and so does what runs inside miopen_safe_execution and with_miopen_fallback, which the original only logged.
"""

import collections.abc
import contextlib
import functools

import convoy
from convoy import _stats

_PREFIX = "[MIOpen Fallback]"
_PROCESSOR = ("cpu", "reference")


class _Statistics(collections.abc.Mapping):
    """Read where they are kept: of convolutions that the processor computed because all before it had failed."""

    def __getitem__(self, name):
        return _count()[name]

    def __iter__(self):
        return iter(_count())

    def __len__(self):
        return len(_count())


def _count():
    successes = failures = 0
    for problem in _stats.problems_of(convoy.raw_stats()):
        if problem["fallbacks"] and problem["solver"] != "torch" and _is_on_processor(problem, problem["device"]):
            successes += problem["calls"]
        failures += sum(
            attempt["solver"] != "torch" and _stats.is_failure(attempt) and _is_on_processor(attempt, problem["device"])
            for attempt in problem["attempts"]
        )
    return {"cpu_attempts": successes + failures, "cpu_successes": successes}


def _is_on_processor(one, device):
    return one["tier"] in _PROCESSOR or device.startswith("cpu")


class MIOpenFallbackHandler:
    """Counts of fallbacks to the processor."""

    _fallback_stats = _Statistics()

    @classmethod
    def print_stats(cls):
        """Prints them, if there are any."""
        counts = dict(cls._fallback_stats)
        if counts["cpu_attempts"] > 0:
            print("\n=== MIOpen Fallback Statistics ===")
            print(f"CPU fallback attempts: {counts['cpu_attempts']}, successes: {counts['cpu_successes']}")
            print("===================================\n")


@contextlib.contextmanager
def miopen_safe_execution(operation_name="operation", enable_fallback=True):
    """Convolutions in the block fall back. Errors that nothing could help are told with the operation's name."""
    before = MIOpenFallbackHandler._fallback_stats["cpu_successes"]
    try:
        with convoy.enabled() if enable_fallback else contextlib.nullcontext():
            yield
    except RuntimeError as error:
        if enable_fallback and _is_of_miopen(error):
            print(f"{_PREFIX} Error in {operation_name}: {error}")
        raise
    finally:
        if enable_fallback:
            _tell_of_processor(before)


def with_miopen_fallback(function):
    """Decorator: convolutions in calls of `function` fall back."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with miopen_safe_execution(getattr(function, "__name__", "operation")):
            return function(*args, **kwargs)

    return wrapper


def apply_miopen_monkey_patch():
    """Switches Convoy on for the process, below torch.nn.functional: modules and gradients are served as well."""
    if not convoy.is_enabled():  # settings of the user's stay
        convoy.enable()
    print(f"{_PREFIX} Monkey-patch applied to torch.nn.functional.conv3d")


def initialize_miopen_fallback(use_monkey_patch=True, verbose=True):
    """Switches Convoy on; without `use_monkey_patch` only the blocks and functions named above fall back."""
    if use_monkey_patch:
        apply_miopen_monkey_patch()
    if verbose:
        print(f"{_PREFIX} Fallback system initialized")
        print(f"{_PREFIX} Strategy: Optimized GPU → Naive GPU (auto) → CPU (last resort)")
        print(f"{_PREFIX} Naive algorithms in search space - no performance penalty when not used")


def _is_of_miopen(error):
    return "miopen" in str(error).lower()


def _tell_of_processor(before):
    if MIOpenFallbackHandler._fallback_stats["cpu_successes"] > before:
        print(f"{_PREFIX} MIOpen algorithm search failed (optimized + naive algorithms)")
        print(f"{_PREFIX} Using CPU computation as last resort...")
        print(f"{_PREFIX} ✓ CPU computation succeeded!")
