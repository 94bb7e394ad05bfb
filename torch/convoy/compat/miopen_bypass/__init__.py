"""Names of rocm-patch's package miopen_bypass."""

from convoy.compat._bypass import (
    Conv2dBypassConfig,
    FallbackStrategy,
    SafeConv2d,
    enable_miopen_bypass,
    get_config,
    patch_model,
    patch_torch_nn,
    print_bypass_report,
    restore_torch_nn,
    set_config,
)

__version__ = "1.0.0"
__all__ = [
    "SafeConv2d",
    "Conv2dBypassConfig",
    "FallbackStrategy",
    "patch_model",
    "patch_torch_nn",
    "restore_torch_nn",
    "enable_miopen_bypass",
    "print_bypass_report",
    "get_config",
    "set_config",
]
