"""The Python package convoy: switching, scopes, patched models, reports. Numbers are the business of the operator's
tests; here they show that what ran was the same."""

import asyncio
import copy
import inspect
import io
import json
import os
import pickle
import tempfile
import threading
import unittest
import warnings
from unittest import mock

import support

support.isolate()

import torch  # noqa: E402
from torch import nn  # noqa: E402

import convoy  # noqa: E402

SEED = 20240
KINDS = [
    (nn.Conv1d, convoy.SafeConv1d, (2, 3, 12)),
    (nn.Conv2d, convoy.SafeConv2d, (2, 3, 9, 8)),
    (nn.Conv3d, convoy.SafeConv3d, (1, 3, 6, 5, 4)),
    (nn.ConvTranspose1d, convoy.SafeConvTranspose1d, (2, 3, 12)),
    (nn.ConvTranspose2d, convoy.SafeConvTranspose2d, (2, 3, 9, 8)),
    (nn.ConvTranspose3d, convoy.SafeConvTranspose3d, (1, 3, 6, 5, 4)),
]


class Scaled(nn.Conv2d):
    """A user's own kind of convolution."""

    def forward(self, x, scale=1):
        return super().forward(x) * scale


def image(size=9, channels=3):
    return torch.randn(2, channels, size, size)


def calls():
    return convoy.stats()["calls"]


def on_cpu():
    return convoy.stats()["tiers"]["cpu"]


class PackageTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(SEED)
        convoy.enable()
        convoy.reset_stats()
        convoy.disable()
        self.addCleanup(convoy.disable)

    def same(self, a, b):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

    def serves(self, function):
        """Whether it computes a convolution that is served."""
        before = calls()
        function()
        return calls() > before


class SwitchTest(PackageTest):
    def test_importing_changes_nothing(self):
        program = (
            "import os, sys; import torch; before = dict(os.environ), list(sys.path), list(sys.meta_path)\n"
            "import convoy, convoy.compat.conv2d_fallback, convoy.compat.miopen_bypass, convoy.compat.miopen_fallback\n"
            "assert before == (dict(os.environ), list(sys.path), list(sys.meta_path))\n"
            "assert 'libconvoy' not in open('/proc/self/maps').read()\n"
            "assert not convoy.is_enabled() and convoy.stats()['calls'] == 0 and convoy.raw_stats()['devices'] == []\n"
        )
        run = support.run_python(program)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))

    def test_enable_and_disable(self):
        conv, x = nn.Conv2d(3, 4, 3), image()
        self.assertFalse(self.serves(lambda: conv(x)))
        convoy.enable()
        convoy.enable()
        self.assertTrue(convoy.is_enabled())
        self.assertTrue(self.serves(lambda: conv(x)))
        convoy.disable()
        self.assertFalse(convoy.is_enabled())
        self.assertFalse(self.serves(lambda: conv(x)))

    def test_the_signature_shows_what_is_built_in(self):
        text = str(inspect.signature(convoy.enable))
        self.assertTrue(text.startswith("(strategy='auto', size_threshold=42, verify='sample', *,"), text)

    def test_what_is_not_given_comes_from_the_environment(self):
        program = (
            "import convoy, torch; from torch.nn.functional import conv1d\n"
            "def tier(*args, **kw):\n"
            "    convoy.enable(*args, **kw); convoy.reset_stats(); conv1d(torch.ones(1, 1, 5), torch.ones(1, 1, 3))\n"
            "    return [one['tier'] for one in convoy.stats()['problems'] if one['calls']]\n"
            "print(tier(), tier(strategy=None), tier('auto'), tier(strategy='vendor'))"
        )
        run = support.run_python(program, CONVOY_STRATEGY="cpu")
        self.assertEqual(run.stdout, "['cpu'] ['cpu'] ['vendor'] ['vendor']\n", run.stderr)

    def test_misspelt_variables_are_told(self):
        program = "import convoy, torch; convoy.enable(); torch.conv1d(torch.ones(1, 1, 5), torch.ones(1, 1, 3))"
        run = support.run_python(program, CONVOY_STRATEGIE="cpu", CONVOY_LOG_LEVEL="warning")
        self.assertIn("did you mean CONVOY_STRATEGY", run.stderr)

    def test_children_have_the_environment(self):
        """An interpreter has an `environ` of its own, which the library must find for its children."""
        with tempfile.TemporaryDirectory() as folder:
            seen, probe = os.path.join(folder, "seen"), os.path.join(folder, "probe")
            with open(probe, "w") as file:
                file.write(f"#!/bin/sh\nprintf %s \"$FROM_PYTHON\" > '{seen}'\nexit 1\n")
            os.chmod(probe, 0o755)
            program = (
                "import os; os.environ['FROM_PYTHON'] = 'set late'\n"
                "import convoy, torch\n"
                f"convoy.enable(fault='torch:hang', probe={probe!r}, cache_dir={folder!r})\n"
                "torch.nn.functional.conv1d(torch.ones(1, 1, 5), torch.ones(1, 1, 3))\n"
            )
            run = support.run_python(program)
            self.assertEqual(run.returncode, 0, run.stderr)
            with open(seen) as file:
                self.assertEqual(file.read(), "set late")

    def test_what_is_not_accepted_is_named(self):
        convoy.enable(strategy="cpu")
        for settings, words in (
            ({"strategy": "fast"}, ("strategy", "fast", "implicit_gemm")),
            ({"size_threshold": -1}, ("size_threshold", "-1")),
            ({"verify": "of\ncourse"}, ("verify", "one line")),
            ({"fault": "torch:sneeze"}, ("sneeze", "hang")),
            ({"stratgy": "cpu"}, ("stratgy", "strategy")),
        ):
            with self.assertRaises(ValueError) as caught:
                convoy.enable(**settings)
            for word in words:
                self.assertIn(word, str(caught.exception))
        with self.assertRaisesRegex(TypeError, "threads"):
            convoy.enable(threads=[2])
        conv, x = nn.Conv1d(1, 1, 3), torch.randn(1, 1, 7)
        conv(x)
        self.assertGreater(on_cpu(), 0, "settings that were refused have changed something")

    def test_values_of_all_kinds(self):
        others = {"memory_limit": "4G", "miopen.find_mode": "fast"}
        convoy.enable(deterministic=True, threads=1, deadline_ms=5000, **others)
        self.assertTrue(self.serves(lambda: nn.Conv2d(3, 4, 3)(image())))

    def test_where_the_library_is_missing_the_cure_is_told(self):
        with open(os.path.join(support.FOLDER, "_build.json"), "w", encoding="utf-8") as file:
            json.dump({"torch": "0.4.1", "library": "libconvoy_torch.so"}, file)
        other = os.path.join(support.FOLDER, "libconvoy_torch.so")
        with open(other, "wb"):
            pass
        program = "import convoy\ntry:\n    convoy.enable()\nexcept RuntimeError as error:\n    print(error)"
        told = {"/nonexistent.so": "/nonexistent.so", other: "built for PyTorch 0.4.1", "lib.so": "'lib.so'"}
        for path, word in told.items():
            run = support.run_python(program, CONVOY_TORCH_LIBRARY=path)
            self.assertIn(word, run.stdout)
            self.assertIn("cmake", run.stdout)

    def test_memory_is_asked_back_from_pytorch(self):
        callback = convoy._library.library()._empty_cache
        with mock.patch("torch.cuda.empty_cache") as empty_cache:
            callback(0)
            empty_cache.assert_not_called()  # no GPU in use
            with mock.patch("torch.cuda.is_initialized", return_value=True):
                callback(0)
                empty_cache.assert_called_once()
                empty_cache.side_effect = RuntimeError("the GPU is gone")
                callback(0)

    def test_versions_and_paths(self):
        from convoy import _library

        self.assertEqual(_library.library().version(), convoy.__version__)
        self.assertEqual(_library.library().built_for().split(".")[:2], torch.__version__.split(".")[:2])
        self.assertTrue(os.path.isfile(convoy.library_path()))
        self.assertTrue(os.access(convoy.program_path(), os.X_OK))


class ScopeTest(PackageTest):
    def setUp(self):
        super().setUp()
        self.conv, self.x = nn.Conv2d(3, 4, 3), image()

    def run_conv(self):
        return self.conv(self.x)

    def test_a_scope_serves_its_block_and_its_gradients(self):
        with convoy.enabled():
            y = self.run_conv()
        self.assertEqual((calls(), convoy.is_enabled()), (1, False))
        self.assertFalse(self.serves(self.run_conv))
        self.assertTrue(self.serves(lambda: y.sum().backward()))

    def test_scopes_nest_and_end_by_exceptions(self):
        scope = convoy.enabled()
        with self.assertRaises(KeyError):
            with scope, scope:
                with convoy.enabled():
                    pass
                self.assertTrue(self.serves(self.run_conv))
                raise KeyError
        self.assertFalse(self.serves(self.run_conv))

    def test_a_scope_is_of_its_thread(self):
        served = []
        with convoy.enabled():
            thread = threading.Thread(target=lambda: served.append(self.serves(self.run_conv)))
            thread.start()
            thread.join()
        self.assertEqual(served, [False])

    def test_settings_of_a_scope_come_and_go(self):
        convoy.enable(strategy="vendor")
        with convoy.enabled(strategy="cpu"):
            convoy.reset_stats()
            self.run_conv()
            self.assertEqual(on_cpu(), 1)
            with self.assertRaises(ZeroDivisionError):
                with convoy.enabled("vendor"):
                    self.run_conv()
                    raise ZeroDivisionError
            self.run_conv()
            self.assertEqual(on_cpu(), 2)
        self.assertTrue(convoy.is_enabled())
        self.run_conv()
        self.assertEqual(on_cpu(), 0)
        convoy.disable()
        with convoy.enabled(strategy="cpu"):
            self.assertTrue(convoy.is_enabled())
        self.assertFalse(convoy.is_enabled())

    def test_a_scope_with_bad_settings_changes_nothing(self):
        with self.assertRaises(ValueError):
            with convoy.enabled(strategy="fast"):
                self.fail("entered")
        with self.assertRaises(TypeError):
            convoy.enabled(1, 2, 3, 4)
        self.assertFalse(convoy.is_enabled())

    def test_decorators(self):
        @convoy.guarded
        def first(x):
            """Documented."""
            return self.conv(x)

        @convoy.enabled(strategy="cpu")
        def second(x):
            before = on_cpu()
            self.same(self.conv(x), plain)
            return on_cpu() - before

        plain = self.run_conv()
        self.assertEqual((first.__name__, first.__doc__), ("first", "Documented."))
        self.assertTrue(self.serves(lambda: self.same(first(self.x), plain)))
        self.assertEqual((second(self.x), second(self.x)), (1, 1))
        self.assertFalse(self.serves(self.run_conv))

    def test_only_plain_functions_can_be_decorated(self):
        async def coroutine():
            pass

        def generator():
            yield

        async def both():
            yield

        for other in (coroutine, generator, both, nn.Conv2d, nn.Conv2d(1, 1, 1), 7):
            for decorate in (convoy.guarded, convoy.enabled()):
                with self.assertRaisesRegex(TypeError, "plain functions"):
                    decorate(other)

    def test_scopes_inside_of_coroutines(self):
        async def compute():
            with convoy.enabled():
                return self.run_conv()

        self.assertTrue(self.serves(lambda: asyncio.run(compute())))


class PatchTest(PackageTest):
    def model(self):
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.Sequential(nn.Conv2d(6, 6, 3, groups=3, padding_mode="reflect", padding=1), nn.ReLU()),
            nn.ConvTranspose2d(6, 2, 2, stride=2),
            Scaled(2, 2, 1),
        )

    def test_every_kind_is_served_forward_and_backward(self):
        for plain_class, safe_class, shape in KINDS:
            for padding_mode in ("zeros",) + (("circular",) if "Transpose" not in plain_class.__name__ else ()):
                options = dict(kernel_size=3, padding=1, padding_mode=padding_mode)
                module = plain_class(3, 4, **options)
                x = torch.randn(shape, requires_grad=True)
                expected = module(x)
                gradient = torch.autograd.grad(expected.square().sum(), x)[0]
                self.assertIs(convoy.patch_model(module), module)
                self.assertIs(type(module), safe_class)
                self.assertIsInstance(module, plain_class)
                before = calls()
                actual = module(x)
                self.same(actual, expected)
                self.same(torch.autograd.grad(actual.square().sum(), x)[0], gradient)
                self.assertEqual(calls() - before, 2, "forward and the gradient of x")
                made = safe_class(3, 4, **options)
                made.load_state_dict(module.state_dict())
                self.same(made(x), expected)

    def test_shapes_at_the_edge(self):
        conv = convoy.SafeConv2d(3, 4, 3, padding="same")
        plain = nn.Conv2d(3, 4, 3, padding="same")
        plain.load_state_dict(conv.state_dict())
        for x in (torch.randn(3, 8, 7), torch.randn(0, 3, 8, 7), torch.randn(2, 3, 1, 1)):
            self.same(conv(x), plain(x))
        transposed = convoy.SafeConvTranspose2d(3, 4, 3, stride=2)
        self.assertEqual(transposed(image(), output_size=[20, 20]).shape[-1], 20)
        with self.assertRaises(RuntimeError):
            conv(torch.randn(1, 2, 8, 8))
        self.assertFalse(self.serves(lambda: plain(image())), "an exception has left the scope open")

    def test_nothing_but_classes_changes(self):
        model = self.model().eval()
        model[0].weight.requires_grad_(False)
        seen = []
        model[0].register_forward_hook(lambda *_: seen.append(1))
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
        before = {name: (id(p), p.data_ptr(), p.requires_grad) for name, p in model.named_parameters()}
        state, names = copy.deepcopy(model.state_dict()), [name for name, _ in model.named_modules()]
        convoy.patch_model(model)
        self.assertEqual(before, {n: (id(p), p.data_ptr(), p.requires_grad) for n, p in model.named_parameters()})
        self.assertEqual(names, [name for name, _ in model.named_modules()])
        self.assertEqual(list(state), list(model.state_dict()))
        self.assertFalse(any(module.training for module in model.modules()))
        classes = [type(module).__name__ for module in model.modules()]
        self.assertEqual([c for c in classes if "Conv" in c], ["SafeConv2d", "SafeConv2d", "SafeConvTranspose2d"])
        self.assertIn("SafeScaled", classes)
        model(image()).sum().backward()
        optimizer.step()
        self.assertFalse(torch.equal(model[3].weight, state["3.weight"]), "the optimizer trains dead parameters")
        self.assertEqual(len(seen), 1)

    def test_patching_twice_and_back(self):
        model, x = self.model().eval(), image()
        expected = model(x)
        before = [type(module) for module in model.modules()]
        dictionaries = [sorted(vars(module)) for module in model.modules()]
        convoy.patch_model(convoy.patch_model(model))
        self.assertTrue(self.serves(lambda: self.same(model(x), expected)))
        self.assertIs(convoy.unpatch_model(model), model)
        self.assertEqual(before, [type(module) for module in model.modules()])
        self.assertEqual(dictionaries, [sorted(vars(module)) for module in model.modules()])
        self.assertFalse(self.serves(lambda: self.same(model(x), expected)))

    def test_fx_takes_patched_layers_for_leaves(self):
        model = convoy.patch_model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 2, 1))))
        traced = torch.fx.symbolic_trace(model)
        self.assertEqual([node.target for node in traced.graph.nodes if node.op == "call_module"], ["0", "1", "2.0"])

    def test_the_ledger_names_the_pytorch_that_runs(self):
        convoy.enable()
        nn.Conv2d(3, 4, 3)(image())
        details = [row["detail"] for device in convoy.raw_stats()["devices"] for row in device["statistics"]["per_problem"]
                   if row["solver"] == "torch"]
        self.assertTrue(details and all(torch.__version__ in detail for detail in details), details)

    def test_copies_and_pickles(self):
        model, x = convoy.patch_model(self.model().eval()), image()
        expected = model(x)
        saved = io.BytesIO()
        torch.save(model, saved)
        saved.seek(0)
        options = {"weights_only": False} if "weights_only" in inspect.signature(torch.load).parameters else {}
        others = [copy.deepcopy(model), copy.copy(model[4]), pickle.loads(pickle.dumps(model))]
        others.append(torch.load(saved, **options))
        for other in (others[0], *others[2:]):
            self.assertEqual([type(m) for m in other.modules()], [type(m) for m in model.modules()])
            self.same(other(x), expected)
            self.assertEqual(other[0].convoy_stats()["forwards"], 1)
        self.assertIs(type(others[1]), type(model[4]))
        self.assertEqual(model[0].convoy_stats()["forwards"], 1)
        convoy.unpatch_model(others[3])
        self.assertIs(type(others[3][4]), Scaled)
        plain = self.model().eval()
        plain.load_state_dict(model.state_dict())
        self.same(plain(x), expected)

    def test_torchscript(self):
        model, x = convoy.patch_model(nn.Sequential(*list(self.model())[:4]).eval()), image()
        expected = model(x)
        for made in (torch.jit.script(model), torch.jit.trace(model, x)):
            self.same(made(x), expected)
        self.assertIs(type(model[0]), convoy.SafeConv2d)
        self.assertTrue(self.serves(lambda: model(x)))

    def test_subclasses_keep_their_forward(self):
        root = Scaled(3, 4, 3)
        x = image()
        expected = root(x, scale=3)
        self.assertIs(convoy.patch_model(root), root)
        self.assertIsInstance(root, convoy.SafeConv2d)
        self.assertTrue(self.serves(lambda: self.same(root(x, scale=3), expected)))

        class Mine(convoy.SafeConv2d):
            pass

        mine = Mine(3, 4, 3)
        self.assertIs(type(convoy.unpatch_model(convoy.patch_model(mine))), Mine)

    def test_parametrized_modules(self):
        from torch.nn.utils import parametrize

        class Doubled(nn.Module):
            def forward(self, weight):
                return 2 * weight

        for patched_first in (False, True):
            conv, x = nn.Conv2d(3, 4, 3), image()
            if patched_first:
                convoy.patch_model(conv)
            parametrize.register_parametrization(conv, "weight", Doubled())
            convoy.patch_model(conv)
            self.assertIsInstance(conv, convoy.SafeConv2d)
            expected = nn.functional.conv2d(x, 2 * conv.parametrizations.weight.original, conv.bias)
            self.assertTrue(self.serves(lambda: self.same(conv(x), expected)))
            self.same(copy.deepcopy(conv)(x), expected)
            convoy.unpatch_model(conv)
            self.assertNotIsInstance(conv, convoy.SafeConv2d)
            self.same(conv(x), expected)
            convoy.patch_model(conv)
            parametrize.remove_parametrizations(conv, "weight")
            self.assertIs(type(conv), convoy.SafeConv2d)
            self.same(conv(x), expected)

    def test_lazy_modules_wait_for_their_input(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Conv2d(4, 2, 3))
            convoy.patch_model(model)
        ours = [str(w.message) for w in caught if "convoy" in str(w.message)]
        self.assertEqual(len(ours), 1)
        self.assertIn("0", ours[0])
        self.assertNotIsInstance(model[0], convoy.SafeConv2d)
        model(image())
        convoy.patch_model(model)
        self.assertIs(type(model[0]), convoy.SafeConv2d)

    def test_settings_of_a_patched_model(self):
        self.addCleanup(lambda: convoy._start.configure({}))
        conv = convoy.patch_model(nn.Conv2d(3, 4, 3), strategy="cpu")
        conv(image())
        self.assertEqual(conv.convoy_stats()["tiers"], {"cpu": 1})
        self.assertFalse(convoy.is_enabled())
        with self.assertRaises(ValueError):
            convoy.patch_model(nn.Conv2d(3, 4, 3), strategy="fast")

    def test_faults_of_a_layer_are_told(self):
        self.addCleanup(lambda: convoy._start.configure({}))
        conv, x = nn.Conv2d(3, 4, 3), image(11)
        expected = conv(x)
        convoy.patch_model(conv, fault="torch:error")
        y = conv(x)
        y.sum().backward()
        self.same(y, expected)
        stats = conv.convoy_stats()
        self.assertEqual(stats["forwards"], 1)
        self.assertGreaterEqual(stats["fallbacks"], 2, "forward and the filter's gradient")

    def test_shallow_replicas_count_for_the_original(self):
        conv = convoy.patch_model(nn.Conv2d(3, 4, 3))
        conv(image())
        replica = conv._replicate_for_data_parallel()
        replica.weight, replica.bias = conv.weight, conv.bias
        replica(image())
        self.assertEqual(conv.convoy_stats()["forwards"], 2)


class ReportTest(PackageTest):
    def setUp(self):
        super().setUp()
        self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 2, 1)))

    def report(self, *args):
        file = io.StringIO()
        report = convoy.report(*args, file=file)
        self.assertEqual(str(report), file.getvalue())
        return report

    def test_statistics(self):
        with convoy.enabled():
            self.model(image()).sum().backward()
            nn.functional.conv2d(torch.ones(1, 1, 3, 3, dtype=torch.int64), torch.ones(1, 1, 1, 1, dtype=torch.int64))
        stats = convoy.stats()
        self.assertEqual((stats["forward_calls"], stats["backward_calls"]), (2, 2))
        self.assertEqual(sum(stats["tiers"].values()), stats["calls"])
        self.assertGreater(sum(stats["handed_through"].values()), 0)
        self.assertEqual(json.loads(convoy.to_json()), stats)
        self.assertIn("devices", convoy.raw_stats())
        convoy.reset_stats()
        self.assertEqual((convoy.stats()["forward_calls"], convoy.stats()["handed_through"]), (0, {}))

    def test_problems(self):
        convoy.enable(fault="torch:error")
        self.model(image(13))
        report = self.report()
        row = next(row for row in report.rows if "c3h13w13" in row.problem)
        self.assertEqual((row.device, row.calls, row.fallbacks[0]["outcome"]), ("cpu", 1, "failed"))
        self.assertIn(row.problem, str(report))
        self.assertIn("torch failed: ", str(report))
        self.assertEqual(json.loads(report.to_json()), report.to_dict())

    def test_layers_of_a_watched_model(self):
        convoy.enable()
        with convoy.watch(self.model, time=True):
            self.model(image()).sum().backward()
            self.model(image())
        self.model(image())
        report = self.report(self.model)
        rows = [(row.name, row.kind, row.forwards) for row in report.rows]
        self.assertEqual(rows, [("0", "Conv2d", 2), ("2.0", "Conv2d", 2)])
        self.assertEqual(report.rows[0].tiers, {"vendor": 2})
        self.assertEqual(report.rows[0].backward_tiers, ["vendor"])
        self.assertGreater(report.rows[0].milliseconds, 0)
        self.assertIn("2.0 (Conv2d)", str(report))

    def test_watching_serves_nothing(self):
        with convoy.watch(self.model):
            self.assertFalse(self.serves(lambda: self.model(image())))
            with convoy.enabled():
                self.model(image())
        self.assertEqual([row.forwards for row in self.report(self.model).rows], [1, 1])

    def test_watching_a_patched_model_counts_once(self):
        convoy.patch_model(self.model)
        with convoy.watch(self.model, time=True):
            self.model(image())
        rows = self.report(self.model).rows
        self.assertEqual([row.forwards for row in rows], [1, 1])
        self.assertIsNotNone(rows[1].milliseconds)

    def test_an_exception_in_a_watched_layer(self):
        convoy.enable()
        watched = convoy.watch(self.model)
        for _ in range(2):
            with self.assertRaises(RuntimeError):
                self.model(image(channels=5))
        with self.assertRaises(RuntimeError):
            self.model[0](image(channels=5))
        self.model(image())
        convoy.disable()
        self.assertFalse(self.serves(lambda: self.model(image())), "a layer was left open")
        with self.assertRaises(RuntimeError):
            self.model(image(channels=5))
        watched.remove()
        self.assertFalse(self.serves(lambda: self.model(image())), "the layer is still open")
        self.assertEqual([len(m._forward_hooks) + len(m._forward_pre_hooks) for m in self.model.modules()], [0] * 5)

    def test_an_unwatched_model(self):
        with convoy.enabled():
            self.model(image())
        report = self.report(self.model)
        self.assertIn("convoy.watch(model)", str(report))
        self.assertEqual(len(report.rows), len(self.report().rows))
        self.assertGreater(len(report.rows), 0)

    def test_a_pickle_of_a_watched_module_needs_no_convoy(self):
        convoy.watch(self.model).remove()
        file = os.path.join(support.FOLDER, "watched.pickle")
        with open(file, "wb") as opened:
            pickle.dump(self.model, opened)
        program = f"import pickle, sys; pickle.load(open({file!r}, 'rb')); assert 'convoy' not in sys.modules"
        self.assertEqual(support.run_python(program, path=()).stderr, "")
        copied = pickle.loads(pickle.dumps(self.model))
        convoy.patch_model(copied)(image())
        self.assertEqual([row.forwards for row in self.report(copied).rows], [1, 1])


if __name__ == "__main__":
    print(f"seed {SEED}")
    unittest.main()
