"""Names of rocm-patch's conv2d_fallback. However it is imported, its configuration is there only once."""

from convoy.compat._bypass import (  # noqa: F401
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
