"""Names of rocm-patch's conv2d_fallback. However it is imported, its configuration is there only once."""

from convoy.compat.miopen_bypass import *  # noqa: F401,F403  the package names the same
