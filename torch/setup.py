"""Builds a wheel of the Python package `convoy` for the PyTorch of the Python that runs this, with the engine and the program inside.

    python -m pip wheel --no-build-isolation --no-deps ./torch
    python -m pip install convoy-*.whl

No isolation: the door is built for the PyTorch that is installed, not for the newest one. The wheel needs the libraries of this
distribution that Convoy is built from (scripts/lib.sh names them), so it is for machines like this one. CONVOY_BUILD_DIR, an absolute
path: a CMake build folder of Convoy for this very PyTorch, from which to take what would be built.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import setuptools
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70
    from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent


def project_version():
    text = (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8")
    return text.split("project(convoy VERSION ", 1)[1].split()[0]


def torch_version():
    import torch

    return ".".join(torch.__version__.split("+")[0].split(".")[:2])


class Build(build_py):
    """Python's own part, then CMake's, whose results go beside it."""

    def run(self):
        super().run()
        build = pathlib.Path(os.environ.get("CONVOY_BUILD_DIR") or self.build_all())
        package = pathlib.Path(self.build_lib) / "convoy"
        for folder, files in {
            "bin": [build / "convoy"],
            "lib": [build / "libconvoy.so.0", build / "libconvoy_miopen.so", build / "torch/convoy/lib/libconvoy_torch.so",
                    build / "torch/convoy/lib/_build.json"],
        }.items():
            (package / folder).mkdir(exist_ok=True)
            for file in files:
                shutil.copy(file, package / folder / file.name)

    def build_all(self):
        build = pathlib.Path(self.build_lib).parent.resolve() / "cmake"
        self.run_cmake("-S", str(SOURCE), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", "-DCONVOY_BUILD_TESTS=OFF",
                       "-DCONVOY_BUILD_SIM=OFF", "-DCMAKE_INSTALL_LIBDIR=lib", f"-DCONVOY_TORCH_PYTHON={sys.executable}")
        self.run_cmake("--build", str(build), "--parallel", os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count())))
        return build

    @staticmethod
    def run_cmake(*arguments):
        subprocess.run(["cmake", *arguments], check=True)


class Wheel(bdist_wheel):
    """For any Python 3: nothing in it is built against Python. For this platform, and one PyTorch, which the version names."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


class PlatformDistribution(setuptools.Distribution):
    def has_ext_modules(self):
        return True  # the libraries, which setuptools does not know of


setuptools.setup(
    distclass=PlatformDistribution,
    name="convoy",
    version=f"{project_version()}+torch{torch_version()}",
    description="Every convolution of PyTorch finishes, with the right numbers",
    license="MIT",
    python_requires=">=3.9",
    packages=["convoy", "convoy.compat", "convoy.compat.miopen_bypass"],
    package_data={"convoy": ["start/*.py"]},
    entry_points={"console_scripts": ["convoy = convoy._program:main"]},
    cmdclass={"build_py": Build, "bdist_wheel": Wheel},
    zip_safe=False,
)
