"""Modules that the community's guides name (conv2d_fallback, miopen_bypass, miopen_fallback), on top of Convoy.

Import them as convoy.compat.conv2d_fallback and so on, or put path() on sys.path for programs that import them by their
own names.
"""

import os


def path():
    """The folder to put on sys.path."""
    return os.path.dirname(os.path.abspath(__file__))
