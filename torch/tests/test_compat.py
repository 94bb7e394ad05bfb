"""The community's modules by their own names: what their documents and their tests promise, kept by Convoy."""

import contextlib
import copy
import io
import os
import pickle
import unittest

import support

support.isolate()

import torch  # noqa: E402
from torch import nn  # noqa: E402

import convoy  # noqa: E402
from convoy.compat import conv2d_fallback, miopen_fallback  # noqa: E402
from convoy.compat.conv2d_fallback import Conv2dBypassConfig, FallbackStrategy, SafeConv2d  # noqa: E402

SEED = 4242
VARIABLE = "MIOPEN_DEBUG_CONV_IMPLICIT_GEMM"


class OnGpu:
    """As much of a tensor on a GPU as a decision looks at."""

    is_cuda, dtype, device = True, torch.float32, torch.device("cuda")

    def __init__(self, *shape):
        self.shape = torch.Size(shape)


def printed(function, *args, **kwargs):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        result = function(*args, **kwargs)
    return result, text.getvalue()


def quiet(strategy, **settings):
    return Conv2dBypassConfig(strategy=strategy, verbose=False, **settings)


class CompatTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(SEED)
        os.environ.pop(VARIABLE, None)
        self.addCleanup(os.environ.pop, VARIABLE, None)
        self.addCleanup(conv2d_fallback.set_config, None)
        self.addCleanup(self.put_back)

    def put_back(self):
        convoy.enable()
        convoy._start.configure({})
        convoy.reset_stats()
        convoy.disable()

    def same(self, a, b):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


class ConfigTest(CompatTest):
    def test_importing_has_no_side_effects(self):
        program = (
            "import os; import torch; before = dict(os.environ); conv2d = torch.nn.Conv2d\n"
            "import convoy.compat, sys; sys.path.insert(0, convoy.compat.path())\n"
            "import conv2d_fallback, miopen_bypass, miopen_fallback\n"
            "import convoy.compat.conv2d_fallback as long\n"
            "assert conv2d_fallback.SafeConv2d is long.SafeConv2d is miopen_bypass.SafeConv2d\n"
            "assert before == dict(os.environ) and torch.nn.Conv2d is conv2d and miopen_bypass.__version__ == '1.0.0'\n"
            "assert sorted(miopen_bypass.__all__) == sorted(n for n in vars(conv2d_fallback) if n[0] != '_')\n"
            "conv2d_fallback.set_config(7); assert miopen_bypass.get_config() == 7\n"
        )
        run = support.run_python(program)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))

    def test_strategies(self):
        self.assertEqual(FallbackStrategy.CPU_FALLBACK.name, "GPU_UNFOLD")
        names = ["IMPLICIT_GEMM", "GPU_UNFOLD", "PURE_PYTORCH", "SELECTIVE", "AUTO", "CPU"]
        self.assertEqual([(one.name, one.value) for one in FallbackStrategy], [(name, name.lower()) for name in names])

    def test_defaults(self):
        config, text = printed(Conv2dBypassConfig)
        self.assertEqual(text, "✓ MIOpen IMPLICIT_GEMM enabled (environment variable set)\n")
        self.assertIs(config.strategy, FallbackStrategy.AUTO)
        self.assertEqual((config.size_threshold, config._decision_cache), (42, {}))
        for name in ("enable_implicit_gemm", "gpu_unfold_fallback", "verbose", "cache_decisions"):
            self.assertIs(getattr(config, name), True)
        self.assertEqual(os.environ[VARIABLE], "1")

    def test_the_users_variable_stays(self):
        os.environ[VARIABLE] = "0"
        quiet(FallbackStrategy.AUTO)
        self.assertEqual(os.environ[VARIABLE], "0")
        del os.environ[VARIABLE]
        quiet(FallbackStrategy.AUTO, enable_implicit_gemm=False)
        self.assertNotIn(VARIABLE, os.environ)

    def test_every_keyword_of_the_guide(self):
        switches = dict.fromkeys(("enable_implicit_gemm", "cpu_fallback_enabled", "gpu_unfold_fallback"), True)
        Conv2dBypassConfig(
            strategy=FallbackStrategy.AUTO, size_threshold=42, verbose=False, cache_decisions=True, **switches
        )

    def test_enable_miopen_bypass(self):
        config, text = printed(conv2d_fallback.enable_miopen_bypass, strategy=FallbackStrategy.SELECTIVE)
        self.assertIs(conv2d_fallback.get_config(), config)
        lines = ["MIOpen Bypass Enabled", "Strategy: selective", "IMPLICIT_GEMM: Enabled", "Size threshold: 42×42"]
        for line in (*lines, "=" * 70):
            self.assertIn(line + "\n", text)
        self.assertEqual(printed(conv2d_fallback.enable_miopen_bypass, verbose=False)[1], "")
        self.assertIs(conv2d_fallback.get_config().strategy, FallbackStrategy.AUTO)
        self.assertIs(SafeConv2d(1, 1, 1).config, conv2d_fallback.get_config())


class DecisionTest(CompatTest):
    def decide(self, strategy, *sides, **settings):
        conv = SafeConv2d(3, 4, 3, config=quiet(strategy, **settings))
        return [conv._should_bypass(OnGpu(1, 3, side, 20)) for side in sides]

    def test_by_strategy_and_size(self):
        for strategy, expected in (
            (FallbackStrategy.AUTO, [False, False]),
            (FallbackStrategy.IMPLICIT_GEMM, [False, False]),
            (FallbackStrategy.GPU_UNFOLD, [True, True]),
            (FallbackStrategy.CPU_FALLBACK, [True, True]),
            (FallbackStrategy.PURE_PYTORCH, [True, True]),
            (FallbackStrategy.SELECTIVE, [False, True]),
            (FallbackStrategy.CPU, [True, True]),
        ):
            self.assertEqual(self.decide(strategy, 42, 43), expected, strategy)
        sides, expected = (32, 224, 32, 64), [False, True, False, False]
        for cached in (True, False):
            settings = dict(size_threshold=64, cache_decisions=cached)
            self.assertEqual(self.decide(FallbackStrategy.SELECTIVE, *sides, **settings), expected)

    def test_tensors_on_the_processor_are_not_bypassed_but_remembered(self):
        for strategy in FallbackStrategy:
            config = quiet(strategy)
            conv = SafeConv2d(3, 4, 3, config=config)
            for side in (64, 64, 128):
                self.assertEqual(conv._should_bypass(torch.ones(1, 3, side, side)), strategy is FallbackStrategy.CPU)
            self.assertEqual(len(config._decision_cache), 2)

    def test_the_cache_tells_everything_apart(self):
        config = quiet(FallbackStrategy.SELECTIVE)
        for conv in (SafeConv2d(3, 4, 3, config=config), SafeConv2d(3, 4, 3, stride=2, config=config)):
            for shape in ((1, 3, 64, 64), (2, 3, 64, 64), (1, 3, 64, 20)):
                self.assertTrue(conv._should_bypass(OnGpu(*shape)))
        self.assertEqual(len(config._decision_cache), 6)

    def test_settings_of_the_strategies_are_accepted(self):
        seen = set()
        for strategy in FallbackStrategy:
            convoy._start.configure(quiet(strategy)._settings())
            seen.add(convoy._start.settings_in_force())
        self.assertEqual(len(seen), 5, "GPU_UNFOLD and PURE_PYTORCH are the same")


class SafeConv2dTest(CompatTest):
    def test_every_strategy_computes_the_same(self):
        for strategy in FallbackStrategy:
            for options in (
                dict(stride=2),
                dict(groups=3),
                dict(bias=False, padding=1),
                dict(dilation=2, padding=2),
                dict(padding="same"),
                dict(padding=1, padding_mode="reflect"),
                dict(padding=1, padding_mode="circular"),
            ):
                conv = SafeConv2d(3, 6, 3, config=quiet(strategy), **options)
                plain = nn.Conv2d(3, 6, 3, **options)
                plain.load_state_dict(conv.state_dict())
                # What is not zeros is padded by a function that knows neither of the others, before PyTorch 2.
                for shape in ((2, 3, 9, 8), *(() if "padding_mode" in options else ((3, 9, 8), (0, 3, 9, 8)))):
                    x = torch.randn(shape, requires_grad=True)
                    expected = torch.autograd.grad(plain(x).square().sum(), [x, *plain.parameters()])
                    actual = torch.autograd.grad(conv(x).square().sum(), [x, *conv.parameters()])
                    self.same(conv(x), plain(x))
                    self.same(actual, expected)
                self.same(conv._gpu_unfold_forward(x), plain(x))

    def test_counts(self):
        conv = SafeConv2d(3, 4, 3, config=quiet(FallbackStrategy.CPU))
        for _ in range(5):
            conv(torch.randn(1, 3, 16, 16))
        expected = dict(total_forwards=5, bypass_count=5, bypass_rate=100.0, strategy="cpu")
        self.assertEqual(conv.get_bypass_stats(), expected)
        self.assertGreaterEqual(convoy.stats()["tiers"]["cpu"], 5, "not computed by the tier that was asked for")
        fresh = SafeConv2d(3, 4, 3, config=quiet(FallbackStrategy.IMPLICIT_GEMM))
        self.assertEqual(fresh.get_bypass_stats()["bypass_rate"], 0)
        fresh(torch.randn(1, 3, 64, 64))
        self.assertEqual(fresh.get_bypass_stats()["bypass_count"], 0)

    def test_a_failing_path_is_taken_over_and_counted(self):
        convoy.enable(fault="torch:error")
        convoy.disable()
        x = torch.randn(1, 3, 17, 15)
        conv, plain = SafeConv2d(3, 4, 3, config=quiet(FallbackStrategy.AUTO)), nn.Conv2d(3, 4, 3)
        plain.load_state_dict(conv.state_dict())
        for _ in range(3):
            self.same(conv(x), plain(x))
        self.assertEqual(conv.get_bypass_stats()["bypass_count"], 3)

    def test_the_configuration_comes_with_the_layer(self):
        always, never = (SafeConv2d(3, 4, 3, config=quiet(s)) for s in (FallbackStrategy.CPU, FallbackStrategy.AUTO))
        x = torch.randn(1, 3, 12, 12)
        for _ in range(2):
            always(x)
            never(x)
        self.assertFalse(convoy.is_enabled())
        self.assertEqual([c.get_bypass_stats()["bypass_count"] for c in (always, never)], [2, 0])
        self.assertEqual(never.convoy_stats()["tiers"], {"vendor": 2})

    def test_the_first_bypass_is_told(self):
        config, _ = printed(Conv2dBypassConfig, strategy=FallbackStrategy.CPU)
        conv, x = SafeConv2d(3, 4, 3, config=config), torch.randn(1, 3, 16, 15)
        self.assertIn("Conv2d GPU bypass activated for 16×15 input", printed(conv, x)[1])
        self.assertEqual(printed(conv, x)[1], "")

    def test_copies_and_pickles(self):
        conv = SafeConv2d(3, 4, 3, config=quiet(FallbackStrategy.CPU))
        x = torch.randn(1, 3, 8, 8)
        for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
            self.same(other(x), conv(x))
            self.assertEqual(other.get_bypass_stats()["total_forwards"], 1)
        self.same(torch.jit.script(conv)(x), conv(x))

    def test_wrong_input_is_told_by_pytorch(self):
        with self.assertRaises(RuntimeError):
            SafeConv2d(3, 4, 3)(torch.randn(1, 2, 8, 8))
        with self.assertRaises(TypeError):
            SafeConv2d(3, 4, 3)("no tensor")


class PatchTest(CompatTest):
    def model(self):
        class Mine(nn.Conv2d):
            pass

        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.Sequential(Mine(6, 4, 3), nn.Conv1d(1, 1, 1)))

    def test_patch_model(self):
        model, x = self.model(), torch.randn(1, 3, 9, 9)
        first, second = model[0], model[1][0]
        expected = second(first(x))
        parameters = [id(p) for p in model.parameters()]
        config, _ = printed(Conv2dBypassConfig)
        patched, text = printed(conv2d_fallback.patch_model, model, config)
        self.assertIs(patched, model)
        total = "\n✅ Model patched: 2 Conv2d layers replaced with SafeConv2d\n"
        self.assertEqual(text, "✓ Patched: 0\n✓ Patched: 1.0\n" + total)
        self.assertEqual([isinstance(m, SafeConv2d) for m in (first, second, model[1][1])], [True, True, False])
        self.assertEqual(parameters, [id(p) for p in model.parameters()])
        self.assertIs(model[0], first)
        self.same(second(first(x)), expected)
        self.assertIs(first.config, config)
        self.assertIn("0 Conv2d layers", printed(conv2d_fallback.patch_model, model, config)[1])
        convoy.unpatch_model(model)
        self.assertEqual([type(first), type(second).__name__], [nn.Conv2d, "Mine"])
        self.assertNotIn("config", vars(first))

    def test_the_model_itself_and_not_recursive(self):
        conv2d_fallback.set_config(quiet(FallbackStrategy.AUTO))
        root = nn.Conv2d(3, 4, 3)
        self.assertIsInstance(conv2d_fallback.patch_model(root), SafeConv2d)
        model = conv2d_fallback.patch_model(self.model(), recursive=False)
        self.assertEqual([isinstance(m, SafeConv2d) for m in (model[0], model[1][0])], [True, False])

    def test_patch_torch_nn(self):
        original = nn.Conv2d
        self.addCleanup(setattr, nn, "Conv2d", original)
        config = quiet(FallbackStrategy.CPU)
        self.assertEqual(printed(conv2d_fallback.restore_torch_nn)[1], "")
        self.assertEqual(printed(conv2d_fallback.patch_torch_nn, config)[1], "")
        conv2d_fallback.patch_torch_nn(config)
        self.assertIs(nn._original_Conv2d, original)
        conv = nn.Conv2d(3, 4, 3)
        self.assertIs(conv.config, config)
        self.assertEqual(conv(torch.randn(1, 3, 5, 5)).shape, (1, 4, 3, 3))
        self.assertEqual(printed(conv2d_fallback.restore_torch_nn)[1], "✓ torch.nn.Conv2d restored to original\n")
        self.assertIs(nn.Conv2d, original)
        self.assertFalse(hasattr(nn, "_original_Conv2d"))

    def test_report(self):
        model = self.model()
        conv2d_fallback.patch_model(model, quiet(FallbackStrategy.CPU))
        convoy.unpatch_model(model[1])
        for _ in range(4):
            model[0](torch.randn(1, 3, 9, 9))
        line = "=" * 70
        self.assertEqual(
            printed(conv2d_fallback.print_bypass_report, model)[1],
            f"\n{line}\nConv2d Bypass Report\n{line}\n\n0:\n  Forwards: 4\n  Bypasses: 4 (100.0%)\n\n{line}\n"
            "Total Conv2d layers: 2\nSafeConv2d layers: 1\nStandard Conv2d layers: 1\n\n"
            f"Total forward passes: 4\nTotal bypasses: 4 (100.0%)\n{line}\n\n",
        )


class MIOpenFallbackTest(CompatTest):
    def setUp(self):
        super().setUp()
        convoy.enable(fault="torch:error")
        convoy.reset_stats()
        convoy.disable()
        self.conv, self.x = nn.Conv3d(2, 3, 3), torch.randn(1, 2, 5, 6, 7)
        self.expected = self.conv(self.x)

    def run_conv(self):
        self.same(self.conv(self.x), self.expected)

    def test_initialize(self):
        messages = (
            "[MIOpen Fallback] Fallback system initialized\n"
            "[MIOpen Fallback] Strategy: Optimized GPU → Naive GPU (auto) → CPU (last resort)\n"
            "[MIOpen Fallback] Naive algorithms in search space - no performance penalty when not used\n"
        )
        self.assertEqual(printed(miopen_fallback.initialize_miopen_fallback, use_monkey_patch=False)[1], messages)
        self.assertFalse(convoy.is_enabled())
        patched = "[MIOpen Fallback] Monkey-patch applied to torch.nn.functional.conv3d\n"
        self.assertEqual(printed(miopen_fallback.initialize_miopen_fallback)[1], patched + messages)
        self.assertTrue(convoy.is_enabled())
        self.run_conv()

    def test_statistics(self):
        handler = miopen_fallback.MIOpenFallbackHandler
        self.assertEqual(dict(handler._fallback_stats), dict(cpu_attempts=0, cpu_successes=0))
        self.assertEqual(printed(handler.print_stats)[1], "")
        with convoy.enabled():
            self.run_conv()
        self.assertEqual(
            printed(handler.print_stats)[1],
            "\n=== MIOpen Fallback Statistics ===\nCPU fallback attempts: 1, successes: 1\n"
            "===================================\n\n",
        )

    def test_blocks_and_functions_fall_back(self):
        told = (
            "[MIOpen Fallback] MIOpen algorithm search failed (optimized + naive algorithms)\n"
            "[MIOpen Fallback] Using CPU computation as last resort...\n"
            "[MIOpen Fallback] ✓ CPU computation succeeded!\n"
        )

        def block(enable_fallback=True):
            with miopen_fallback.miopen_safe_execution("VAE decode", enable_fallback=enable_fallback):
                self.run_conv()

        @miopen_fallback.with_miopen_fallback
        def decode(times=1):
            self.run_conv()
            return times

        self.assertEqual(printed(block)[1], told)
        self.assertEqual(printed(decode, times=7), (7, told))
        self.assertEqual(decode.__name__, "decode")
        self.assertEqual(printed(block, enable_fallback=False)[1], "")

    def test_errors_are_told_and_raised(self):
        def fail(words, **options):
            with self.assertRaisesRegex(RuntimeError, words):
                with miopen_fallback.miopen_safe_execution("VAE decode", **options):
                    raise RuntimeError(words)

        told = "[MIOpen Fallback] Error in VAE decode: miopenStatusUnknownError\n"
        self.assertEqual(printed(fail, "miopenStatusUnknownError")[1], told)
        self.assertEqual(printed(fail, "miopenStatusUnknownError", enable_fallback=False)[1], "")
        self.assertEqual(printed(fail, "out of luck")[1], "")


if __name__ == "__main__":
    print(f"seed {SEED}")
    unittest.main()
