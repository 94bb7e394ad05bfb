# cuDNN's legacy convolution interface through ctypes: each algorithm by name, in plain fp32 (no tensor cores), on the current
# stream. PyTorch's own search misses some of them. Enumerators are those of cuDNN's API reference (cudnnConvolutionFwdAlgo_t and
# relatives, cudnnMathType_t).
import ctypes
import glob
import os

import torch

ALGORITHMS = {
    "fwd": ["IMPLICIT_GEMM", "IMPLICIT_PRECOMP_GEMM", "GEMM", "DIRECT", "FFT", "FFT_TILING", "WINOGRAD",
            "WINOGRAD_NONFUSED"],
    "bwd": ["ALGO_0", "ALGO_1", "FFT", "FFT_TILING", "WINOGRAD", "WINOGRAD_NONFUSED"],
    "wrw": ["ALGO_0", "ALGO_1", "FFT", "ALGO_3", "WINOGRAD", "WINOGRAD_NONFUSED", "FFT_TILING"],
}
FLOAT, NCHW, CROSS_CORRELATION, FMA_MATH = 0, 0, 1, 3
MOST_WORKSPACE = 16 << 30


def open_library():
    folders = [os.path.join(path, "cudnn", "lib") for path in __import__("nvidia").__path__]
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "libcudnn.so.*"))):
            return ctypes.CDLL(path)
    return ctypes.CDLL("libcudnn.so.9")


class Cudnn:
    def __init__(self):
        self.library = open_library()
        self.library.cudnnGetVersion.restype = ctypes.c_size_t
        self.handle = self.create("cudnnCreate")
        self.version = self.library.cudnnGetVersion()

    def create(self, name):
        made = ctypes.c_void_p()
        self.check(getattr(self.library, name)(ctypes.byref(made)))
        return made

    @staticmethod
    def check(status):
        if status != 0:
            raise RuntimeError(f"cuDNN status {status}")

    def call(self, name, *arguments):
        self.check(getattr(self.library, name)(*arguments))

    def tensor(self, tensor):
        made = self.create("cudnnCreateTensorDescriptor")
        self.call("cudnnSetTensorNdDescriptor", made, FLOAT, tensor.dim(), ints(tensor.shape), ints(tensor.stride()))
        return made

    def filter(self, tensor):
        made = self.create("cudnnCreateFilterDescriptor")
        self.call("cudnnSetFilterNdDescriptor", made, FLOAT, NCHW, tensor.dim(), ints(tensor.shape))
        return made

    def convolution(self, shape):
        made = self.create("cudnnCreateConvolutionDescriptor")
        self.call("cudnnSetConvolutionNdDescriptor", made, len(shape.pad), ints(shape.pad), ints(shape.stride),
                  ints(shape.dilation), CROSS_CORRELATION, FLOAT)
        self.call("cudnnSetConvolutionGroupCount", made, shape.groups)
        self.call("cudnnSetConvolutionMathType", made, FMA_MATH)
        return made

    def calls(self, shape, x, w, y):
        """Yields (algorithm, function) for each algorithm that takes the shape; the functions overwrite the output tensor."""
        descriptors = {"x": self.tensor(x), "w": self.filter(w), "y": self.tensor(y), "c": self.convolution(shape)}
        data = {name: ctypes.c_void_p(tensor.data_ptr()) for name, tensor in (("x", x), ("w", w), ("y", y))}
        # The order of arguments of cudnnConvolutionForward and its two backward relatives.
        first, second, output, name = {"fwd": ("x", "w", "y", "Forward"), "bwd": ("w", "y", "x", "BackwardData"),
                                       "wrw": ("x", "y", "w", "BackwardFilter")}[shape.direction]
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        for number, algorithm in enumerate(ALGORITHMS[shape.direction]):
            size = ctypes.c_size_t()
            status = getattr(self.library, f"cudnnGetConvolution{name}WorkspaceSize")(
                self.handle, descriptors[first], descriptors[second], descriptors["c"], descriptors[output], number,
                ctypes.byref(size))
            if status != 0 or size.value > MOST_WORKSPACE:
                continue
            workspace = torch.empty(max(size.value, 1), dtype=torch.uint8, device="cuda")

            def run(number=number, size=size, workspace=workspace):
                self.call("cudnnSetStream", self.handle, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream))
                self.call(f"cudnnConvolution{name}", self.handle, ctypes.byref(one), descriptors[first], data[first],
                          descriptors[second], data[second], descriptors["c"], number,
                          ctypes.c_void_p(workspace.data_ptr()), size, ctypes.byref(zero), descriptors[output],
                          data[output])

            yield algorithm, run


def ints(values):
    values = list(values)
    return (ctypes.c_int * len(values))(*values)
