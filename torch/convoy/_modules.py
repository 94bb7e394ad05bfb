"""Modules whose convolutions are served though Convoy is off for the rest, and the change of a model to them and back.

A Safe module is its nn original with another __call__: forward() stays the inherited one, so that TorchScript compiles
it and subclasses keep theirs. patch_model changes a module's class and nothing else, in place: parameters, hooks, and
the optimizers that know them stay as they are. What calls forward() itself, past __call__, is not served.
"""

import copyreg
import warnings

import torch
from torch import nn

from . import _settings, _start, _stats
from ._layers import layer_of

# Where PyTorch has none, a compiled graph breaks at a Safe module, which then runs as usual.
is_compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)


class Guarded:
    """What makes a convolution module a Safe one."""

    _convoy_attributes = ("_convoy_layer", "__module__")  # that the module has only as long as it is one

    def __call__(self, *args, **kwargs):
        if is_compiling():
            return super().__call__(*args, **kwargs)
        library = _start.ready()
        library.enter(layer_of(self).number)
        try:
            return super().__call__(*args, **kwargs)
        finally:
            library.leave()

    def convoy_stats(self):
        """{forwards, tiers: {tier: forwards}, backward_tiers: [tier], fallbacks: n}, under the settings in force."""
        found = _stats.LayerFinder(_stats.raw_stats()).layer(layer_of(self).number)
        return {**found, "fallbacks": len(found["fallbacks"])}


class SafeConv1d(Guarded, nn.Conv1d):
    """nn.Conv1d, served by Convoy."""


class SafeConv2d(Guarded, nn.Conv2d):
    """nn.Conv2d, served by Convoy."""


class SafeConv3d(Guarded, nn.Conv3d):
    """nn.Conv3d, served by Convoy."""


class SafeConvTranspose1d(Guarded, nn.ConvTranspose1d):
    """nn.ConvTranspose1d, served by Convoy."""


class SafeConvTranspose2d(Guarded, nn.ConvTranspose2d):
    """nn.ConvTranspose2d, served by Convoy."""


class SafeConvTranspose3d(Guarded, nn.ConvTranspose3d):
    """nn.ConvTranspose3d, served by Convoy."""


_SAFE = {
    # torch.nn's names may be replaced by others' patches: the bases are the originals
    safe.__bases__[1]: safe
    for safe in (SafeConv1d, SafeConv2d, SafeConv3d, SafeConvTranspose1d, SafeConvTranspose2d, SafeConvTranspose3d)
}
PLAIN = tuple(_SAFE)
CONV2D = SafeConv2d.__bases__[1]
_derived = {}  # (safe class, a user's subclass) -> the class made of both


def patch_model(model, **settings):
    """Makes every convolution of the model, the model itself too, a Safe one, in place. Returns the model.

    `settings` are those of enable(), for the whole process; Convoy stays off for what is outside the model. Lazy
    modules that have not seen an input yet are left, with one warning that names them.
    """
    given = _settings.given(settings)
    if given:
        _start.configure({**_start.overrides(), **given})
    adopt_all(model.named_modules(), _SAFE)
    return model


def unpatch_model(model):
    """Makes every Safe convolution of the model the plain one again, in place. Returns the model."""
    for module in model.modules():
        if isinstance(module, Guarded):
            plain = _without_guard(type(module))
            if plain is not None:
                for name in module._convoy_attributes:
                    module.__dict__.pop(name, None)
                module.__class__ = plain
    return model


def adopt_all(named_modules, safe_classes):
    """Gives every plain convolution its class of `safe_classes`, {nn class: Safe class}. Returns [(name, module)]."""
    adopted, lazy = [], []
    for name, module in named_modules:
        safe = next((safe for plain, safe in safe_classes.items() if isinstance(module, plain)), None)
        if safe is None or isinstance(module, safe) or isinstance(module, torch.jit.ScriptModule):
            continue
        if isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():
            lazy.append(name or type(module).__name__)
            continue
        # torch.fx takes what is defined in torch.nn for a leaf, and looks at the instance.
        module.__dict__["__module__"] = type(module).__module__
        module.__class__ = _with_guard(type(module), safe, _is_parametrized(module))
        adopted.append((name, module))
    if lazy:
        warnings.warn(
            f"convoy: left as they are, because they have seen no input yet: {', '.join(lazy)}; "
            "patch the model again after its first run",
            stacklevel=3,
        )
    return adopted


def _is_parametrized(module):
    return nn.utils.parametrize.is_parametrized(module)


def _with_guard(plain, safe, parametrized=False):
    if plain in safe.__mro__:
        return safe
    if parametrized:
        # Such a class belongs to one module, and what undoes it looks for the original class right above.
        return _rebuilt(plain, _with_guard(plain.__bases__[0], safe))
    if (safe, plain) not in _derived:
        attributes = {"__reduce_ex__": _reduce, "__module__": plain.__module__}
        attributes.update(_convoy_plain=plain, _convoy_safe=safe)
        _derived[safe, plain] = type("Safe" + plain.__name__, (safe, plain), attributes)
    return _derived[safe, plain]


def _without_guard(guarded):
    """The class as it was before patching. None for classes that are a user's own, derived from a Safe one."""
    if "_convoy_plain" in guarded.__dict__:
        return guarded._convoy_plain
    if guarded.__dict__.get("_convoy_original") is not None:
        return guarded._convoy_original
    if _is_parametrized_class(guarded):
        base = _without_guard(guarded.__bases__[0])
        return None if base is None else _rebuilt(guarded, base)
    return None


def _is_parametrized_class(guarded):
    return guarded.__name__.startswith("Parametrized") and len(guarded.__bases__) == 1


def _rebuilt(parametrized, base):
    attributes = {name: value for name, value in vars(parametrized).items() if name not in ("__dict__", "__weakref__")}
    return type("Parametrized" + base.__name__, (base,), attributes)


for _plain, _safe in _SAFE.items():
    _safe._convoy_original = _plain


def _reduce(self, protocol):
    """A class made at run time has no name that a pickle could give: it is made anew of its two parents."""
    rebuild, arguments, *rest = super(type(self)._convoy_safe, self).__reduce_ex__(protocol)
    if rebuild is copyreg.__newobj__ and arguments[0] is type(self):
        return (make_derived, (self._convoy_safe, self._convoy_plain) + arguments[1:], *rest)
    return (rebuild, arguments, *rest)


def make_derived(safe, plain, *arguments):
    """For pickle."""
    made = _with_guard(plain, safe)
    return made.__new__(made, *arguments)
