"""Settings as Python has them, and as texts, one line each, which the library reads.

Names and values are checked by the library, whose table (docs/settings.md) is the only one. None, and a parameter that
is left out, mean: what files and environment say.
"""

import numbers
import os


def built_in(value):
    """A default that shows what is built in, yet does not count as given: a setting file or variable is stronger."""
    return type("BuiltIn", (type(value),), {"_is_built_in": True})(value)


def given(settings):
    """Those that the caller has given, as {name: text}. TypeError and ValueError name the parameter."""
    return {
        name: _text_of(name, value)
        for name, value in settings.items()
        if value is not None and not getattr(value, "_is_built_in", False)
    }


def _text_of(name, value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"convoy: {name} must be a text, a number, True, False or None, not {type(value).__name__}")
    text = os.fspath(value)
    if not isinstance(text, str) or any(letter in text for letter in "\n\r\0") or "=" in name or "\n" in name:
        raise ValueError(f"convoy: {name}: {text!r} must be one line of text")
    return text
