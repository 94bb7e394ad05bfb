"""rocm-patch's bypass of MIOpen for Conv2d, with its names, defaults and messages, computed by Convoy.

What a strategy means here:

    AUTO                      PyTorch's own path first, guarded: what hangs, fails or is wrong is not met again
    IMPLICIT_GEMM             Convoy's strategy implicit_gemm
    GPU_UNFOLD, PURE_PYTORCH  without the vendor's library: Convoy's kernels on the GPU, the processor last;
                              CPU_FALLBACK is another name of GPU_UNFOLD, and has always stayed on the GPU
    SELECTIVE                 without the vendor's library where height or width exceed size_threshold
    CPU                       on the processor

Differences from the original, all of them wanted: importing changes nothing; a variable that the user has set stays;
decisions are made for each shape anew; patched models keep their parameters, hooks and modes; every padding works;
gradients are served, too.

Limit: Convoy's settings belong to the process. A layer brings its configuration's with it, which is cheap, yet the last
layer that ran decides for gradients. So give the layers of a model the same configuration, and threads that run at the
same time as well.
"""

import enum
import os

import torch
from torch import nn

from convoy import _modules, _start, _stats
from convoy._layers import layer_of

_VARIABLE = "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM"
_LINE = "=" * 70


class FallbackStrategy(enum.Enum):
    """How Conv2d is computed."""

    IMPLICIT_GEMM = "implicit_gemm"
    GPU_UNFOLD = "gpu_unfold"
    PURE_PYTORCH = "pure_pytorch"
    SELECTIVE = "selective"
    AUTO = "auto"
    CPU = "cpu"
    CPU_FALLBACK = "gpu_unfold"


_WITHOUT_VENDOR = (FallbackStrategy.GPU_UNFOLD, FallbackStrategy.PURE_PYTORCH)


class Conv2dBypassConfig:
    """What the layers that share it do. `gpu_unfold_fallback` and `cpu_fallback_enabled` are accepted and change
    nothing: Convoy has a kernel for every convolution, and the processor is the last resort of all strategies.
    """

    def __init__(
        self,
        strategy=FallbackStrategy.AUTO,
        size_threshold=42,
        enable_implicit_gemm=True,
        gpu_unfold_fallback=True,
        verbose=True,
        cache_decisions=True,
        cpu_fallback_enabled=True,
    ):
        self.strategy = FallbackStrategy(strategy)
        self.size_threshold = size_threshold
        self.enable_implicit_gemm = enable_implicit_gemm
        self.gpu_unfold_fallback = gpu_unfold_fallback
        self.cpu_fallback_enabled = cpu_fallback_enabled
        self.verbose = verbose
        self.cache_decisions = cache_decisions
        self._decision_cache = {}
        if enable_implicit_gemm:
            os.environ.setdefault(_VARIABLE, "1")
            if verbose:
                print("✓ MIOpen IMPLICIT_GEMM enabled (environment variable set)")

    def _settings(self):
        """Convoy's."""
        if self.strategy in _WITHOUT_VENDOR:
            return {"strategy": "selective", "size_threshold": "0"}
        if self.strategy is FallbackStrategy.SELECTIVE:
            return {"strategy": "selective", "size_threshold": str(self.size_threshold)}
        return {} if self.strategy is FallbackStrategy.AUTO else {"strategy": self.strategy.value}

    def _decide(self, is_on_gpu, sides):
        if self.strategy is FallbackStrategy.CPU:
            return True
        if not is_on_gpu:
            return False
        if self.strategy is FallbackStrategy.SELECTIVE:
            return max(sides) > self.size_threshold
        return self.strategy in _WITHOUT_VENDOR


_config = None


def get_config():
    """The configuration of layers that have none of their own; made when first asked for, silently."""
    global _config
    if _config is None:
        _config = Conv2dBypassConfig(enable_implicit_gemm=False, verbose=False)
    return _config


def set_config(config):
    """Replaces it, for layers that are made from now on."""
    global _config
    _config = config


class SafeConv2d(_modules.SafeConv2d):
    """nn.Conv2d with a configuration. Tensors on the processor are left to PyTorch, unless the strategy is AUTO, which
    guards it, or CPU.
    """

    _convoy_attributes = _modules.Guarded._convoy_attributes + ("config", "_bypass_count", "_total_forward_count")

    def __init__(self, *args, config=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._set_up(config or get_config())

    def _set_up(self, config):
        self.config = config
        self._bypass_count = 0
        self._total_forward_count = 0

    def __call__(self, *args, **kwargs):
        if _modules.is_compiling() or torch.jit.is_tracing():
            return super().__call__(*args, **kwargs)
        input = args[0] if args else kwargs.get("input")
        if not isinstance(input, torch.Tensor) or input.dim() < 2:
            return super().__call__(*args, **kwargs)  # whose message says what is expected
        self._total_forward_count += 1
        if self._should_bypass(input):
            self._bypass_count += 1
            self._tell_first_bypass(input)
        elif not input.is_cuda and self.config.strategy is not FallbackStrategy.AUTO:
            return _modules.CONV2D.__call__(self, *args, **kwargs)
        _start.configure(self.config._settings())
        return super().__call__(*args, **kwargs)

    def _should_bypass(self, input):
        """Whether the vendor's library is kept away from this input. Remembered by shape and parameters."""
        config = self.config
        if not config.cache_decisions:
            return config._decide(input.is_cuda, input.shape[-2:])
        key = (tuple(input.shape), input.dtype, input.device.type, tuple(self.weight.shape), self.stride, self.padding)
        key += (self.dilation, self.groups, self.padding_mode, config.strategy, config.size_threshold)
        if key not in config._decision_cache:
            config._decision_cache[key] = config._decide(input.is_cuda, input.shape[-2:])
        return config._decision_cache[key]

    def _tell_first_bypass(self, input):
        if self.config.verbose and self._bypass_count == 1:
            print(f"🔄 Conv2d GPU bypass activated for {input.shape[-2]}×{input.shape[-1]} input")
            print(f"   Strategy: {self.config.strategy.value} (computed by Convoy)")

    def _gpu_unfold_forward(self, input):
        """One forward run without the vendor's library, whatever the configuration says."""
        before = _start.overrides()
        _start.configure({"strategy": "selective", "size_threshold": "0"})
        try:
            return super().__call__(input)
        finally:
            _start.configure(before)

    def get_bypass_stats(self):
        """{total_forwards, bypass_count, bypass_rate (percent), strategy}. Counted as bypassed: runs that kept away
        from the vendor's library, and runs that Convoy took over because it had failed.
        """
        total = self._total_forward_count
        bypassed = self._bypass_count + min(self._rescued(), total - self._bypass_count)
        return {
            "total_forwards": total,
            "bypass_count": bypassed,
            "bypass_rate": bypassed / total * 100 if total else 0,
            "strategy": self.config.strategy.value,
        }

    def _rescued(self):
        if self._total_forward_count == self._bypass_count:
            return 0
        # The statistics are of the settings in force.
        before = _start.overrides()
        if before != self.config._settings():
            _start.configure(self.config._settings())
        rescued = _stats.LayerFinder(_stats.raw_stats()).rescued(layer_of(self).number)
        if before != self.config._settings():
            _start.configure(before)
        return rescued


SafeConv2d._convoy_original = _modules.CONV2D


def patch_model(model, config=None, recursive=True):
    """Makes every Conv2d of the model a SafeConv2d, in place, and returns the model. convoy.unpatch_model() undoes it.

    Not `recursive`: only the model itself and its direct children.
    """
    config = config or get_config()
    parts = model.named_modules() if recursive else [("", model), *model.named_children()]
    adopted = _modules.adopt_all(parts, {_modules.CONV2D: SafeConv2d})
    for name, module in adopted:
        module._set_up(config)
        if config.verbose:
            print(f"✓ Patched: {name or type(model).__name__}")
    if config.verbose:
        print(f"\n✅ Model patched: {len(adopted)} Conv2d layers replaced with SafeConv2d")
    return model


def patch_torch_nn(config=None):
    """Puts SafeConv2d in the place of torch.nn.Conv2d, for layers that are made from now on, with `config` or the
    global one.

    Modules that imported the name Conv2d before do not notice: patch_model is better.
    """
    if not hasattr(nn, "_original_Conv2d"):
        nn._original_Conv2d = nn.Conv2d
    if config is not None:
        set_config(config)
    config = get_config()
    nn.Conv2d = SafeConv2d
    if config.verbose:
        print("🔧 torch.nn.Conv2d globally replaced with SafeConv2d")
        print(f"   Strategy: {config.strategy.value}")
        print("   All new Conv2d layers will use MIOpen bypass")


def restore_torch_nn():
    """Undoes patch_torch_nn; silent where there is nothing to undo."""
    if hasattr(nn, "_original_Conv2d"):
        nn.Conv2d = nn._original_Conv2d
        del nn._original_Conv2d
        print("✓ torch.nn.Conv2d restored to original")


def enable_miopen_bypass(strategy=None, verbose=True):
    """Makes the configuration of layers that are made or patched from now on, and returns it."""
    config = Conv2dBypassConfig(strategy=FallbackStrategy.AUTO if strategy is None else strategy, verbose=verbose)
    set_config(config)
    if verbose:
        print(f"\n{_LINE}\nMIOpen Bypass Enabled\n{_LINE}")
        print(f"Strategy: {config.strategy.value}")
        print(f"IMPLICIT_GEMM: {'Enabled' if config.enable_implicit_gemm else 'Disabled'}")
        print(f"Size threshold: {config.size_threshold}×{config.size_threshold}")
        print(f"{_LINE}\n")
    return config


def print_bypass_report(model):
    """Prints forward runs and bypasses for each layer of the model and in all."""
    print(f"\n{_LINE}\nConv2d Bypass Report\n{_LINE}")
    plain = safe = forwards = bypasses = 0
    for name, module in model.named_modules():
        if isinstance(module, SafeConv2d):
            safe += 1
            stats = module.get_bypass_stats()
            forwards += stats["total_forwards"]
            bypasses += stats["bypass_count"]
            if stats["total_forwards"] > 0:
                print(f"\n{name}:")
                print(f"  Forwards: {stats['total_forwards']}")
                print(f"  Bypasses: {stats['bypass_count']} ({stats['bypass_rate']:.1f}%)")
        elif isinstance(module, _modules.CONV2D):
            plain += 1
    print(f"\n{_LINE}")
    print(f"Total Conv2d layers: {plain + safe}")
    print(f"SafeConv2d layers: {safe}")
    print(f"Standard Conv2d layers: {plain}")
    if forwards > 0:
        print(f"\nTotal forward passes: {forwards}")
        print(f"Total bypasses: {bypasses} ({bypasses / forwards * 100:.1f}%)")
    print(f"{_LINE}\n")
