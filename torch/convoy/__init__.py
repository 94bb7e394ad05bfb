"""Convoy in PyTorch: convolutions that do not hang, crash or lie, wherever they run.

    import convoy
    convoy.enable()          # everything in this process, or
    with convoy.enabled():   # a block, or
    convoy.patch_model(m)    # one model
    convoy.report()          # what ran where

Importing changes nothing; the library is loaded when it is first needed.
"""

from ._library import library_path, program_path
from ._modules import (
    SafeConv1d,
    SafeConv2d,
    SafeConv3d,
    SafeConvTranspose1d,
    SafeConvTranspose2d,
    SafeConvTranspose3d,
    patch_model,
    unpatch_model,
)
from ._report import Report, report
from ._start import disable, enable, enabled, guarded, is_enabled
from ._stats import raw_stats, reset_stats, stats, to_json
from ._watch import watch

__version__ = "0.1.0"
__all__ = [
    "Report",
    "SafeConv1d",
    "SafeConv2d",
    "SafeConv3d",
    "SafeConvTranspose1d",
    "SafeConvTranspose2d",
    "SafeConvTranspose3d",
    "disable",
    "enable",
    "enabled",
    "guarded",
    "is_enabled",
    "library_path",
    "patch_model",
    "program_path",
    "raw_stats",
    "report",
    "reset_stats",
    "stats",
    "to_json",
    "unpatch_model",
    "watch",
]
