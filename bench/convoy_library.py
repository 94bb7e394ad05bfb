# libconvoy's C interface for the benchmarks, through ctypes, as far as they need it; and canonical problem strings taken
# apart.
import ctypes
import json
import math
import re

PROBLEM = re.compile(r"(?P<direction>fwd|bwd|wrw):(?P<dtype>\w+):(?P<layout>ncd?h?w):n(?P<n>\d+)c(?P<c>\d+)(?P<sizes>[dhw\d]+)"
                     r":k(?P<k>\d+)(?P<filter>[trs\d]+):pad(?P<pad>[x\d]+):stride(?P<stride>[x\d]+):dil(?P<dil>[x\d]+)"
                     r":g(?P<g>\d+)")


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


class Shape:
    """Sizes of a problem that is packed, channels first and not transposed."""

    def __init__(self, text):
        match = PROBLEM.fullmatch(text)
        if match is None:
            raise ValueError("only channels first, not transposed, packed")
        self.text, self.direction, self.dtype = text, match["direction"], match["dtype"]
        n, c, k, self.groups = (int(match[name]) for name in ("n", "c", "k", "g"))
        self.pad, self.stride, self.dilation = (numbers(match[name]) for name in ("pad", "stride", "dil"))
        sizes, filters = numbers(match["sizes"]), numbers(match["filter"])
        out = [(size + 2 * pad - dilation * (reach - 1) - 1) // stride + 1
               for size, pad, dilation, reach, stride in zip(sizes, self.pad, self.dilation, filters, self.stride)]
        self.flops = 2.0 * n * k * (c // self.groups) * math.prod(filters) * math.prod(out)
        self.x, self.w, self.y = (n, c, *sizes), (k, c // self.groups, *filters), (n, k, *out)
        self.output = {"fwd": "y", "bwd": "x", "wrw": "w"}[self.direction]


class Call(ctypes.Structure):
    """convoy_call"""
    _fields_ = [("x", ctypes.c_void_p), ("w", ctypes.c_void_p), ("y", ctypes.c_void_p), ("bias", ctypes.c_void_p),
                ("workspace", ctypes.c_void_p), ("workspace_bytes", ctypes.c_int64), ("stream", ctypes.c_void_p)]


class Convoy:
    """A handle."""

    def __init__(self, path, settings, device="cpu"):
        self.library = ctypes.CDLL(path)
        self.library.convoy_last_error.restype = ctypes.c_char_p
        self.library.convoy_plan_solver.restype = ctypes.c_char_p
        self.library.convoy_device_name.restype = ctypes.c_char_p
        self.library.convoy_plan_workspace_bytes.restype = ctypes.c_int64
        self.handle = ctypes.c_void_p()
        texts = (ctypes.c_char_p * (len(settings) + 1))(*[text.encode() for text in settings], None)
        self.check(self.library.convoy_create(ctypes.byref(self.handle), device.encode(), texts))

    def close(self):
        self.library.convoy_destroy(self.handle)

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.convoy_last_error().decode())

    def plan(self, text):
        problem, plan = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.convoy_problem_parse(ctypes.byref(problem), text.encode()))
        try:
            self.check(self.library.convoy_plan_create(ctypes.byref(plan), self.handle, problem))
        finally:
            self.library.convoy_problem_destroy(problem)
        return plan

    def prepare(self, plan):
        self.check(self.library.convoy_plan_prepare(plan))

    def solver(self, plan):
        return self.library.convoy_plan_solver(plan).decode()

    def workspace_bytes(self, plan):
        return self.library.convoy_plan_workspace_bytes(plan)

    def runner(self, plan, x, w, y):
        """A function that computes and waits; x, w and y are tensors with data_ptr()."""
        run = self.library.convoy_run
        arguments = (plan, *(ctypes.c_void_p(t.data_ptr()) for t in (x, w, y)), ctypes.c_void_p(), ctypes.c_int64(0))

        def call():
            self.check(run(*arguments))
        return call

    def enqueue(self, plan, call):
        self.check(self.library.convoy_enqueue(plan, ctypes.byref(call)))

    def statistics(self):
        needed = ctypes.c_size_t()
        self.library.convoy_statistics_json(self.handle, None, ctypes.c_size_t(0), ctypes.byref(needed))
        text = ctypes.create_string_buffer(needed.value)
        self.check(self.library.convoy_statistics_json(self.handle, text, needed, ctypes.byref(needed)))
        return json.loads(text.value)
