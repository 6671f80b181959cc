"""How fast memory is read, or bfloat16 multiplied, at the moment: our loops in the process of a peer."""

import ctypes
import mmap
import pathlib
import subprocess
import time

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent / "Sources" / "CCPU"
SAMPLE, TOTAL = 32 << 20, 512 << 20
# Threads of a peer that still wait for work, spinning, would take the processors from ours.
SETTLING = 0.02


def build(folder: pathlib.Path) -> pathlib.Path:
    """Compiles the loops that `facet bench` has. Needs clang."""
    path = folder / "libreading.so"
    subprocess.run(
        ["clang", "-O2", "-fPIC", "-shared", "-Wno-psabi", f"-I{SOURCES / 'include'}", *SOURCES.glob("*.c"), "-lm",
         "-lpthread", "-o", path], check=True)
    return path


def load(library: str) -> ctypes.CDLL:
    loaded = ctypes.CDLL(library)
    loaded.cc_engine_create.restype = ctypes.c_void_p
    loaded.cc_measure_read.restype = ctypes.c_double
    loaded.cc_measure_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t]
    loaded.cc_measure_flops.restype = ctypes.c_double
    loaded.cc_measure_flops.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_double]
    loaded.cc_prefer_huge_pages.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t]
    return loaded


class Reader:
    """512 MiB of memory in large pages, of which each sample reads the next 32 MiB with all threads."""

    def __init__(self, library: str, threads: int):
        self.library = load(library)
        # The portable kernels: reading is the same in all.
        self.engine = self.library.cc_engine_create(threads, 0)
        self.space = (ctypes.c_char * TOTAL).from_buffer(mmap.mmap(-1, TOTAL))
        self.start = ctypes.addressof(self.space)
        self.library.cc_prefer_huge_pages(self.start, TOTAL)
        ctypes.memset(self.start, 1, TOTAL)
        self.place = 0

    def sample(self) -> float:
        """Bytes per second."""
        time.sleep(SETTLING)
        self.place = (self.place + SAMPLE) % TOTAL
        return self.library.cc_measure_read(self.engine, self.start + self.place, SAMPLE)


class Arithmetic:
    """Independent multiply-adds of bfloat16, or of float32 where the processor has none, on all threads."""

    FLOAT32, BFLOAT16, SECONDS = 0, 2, 0.02

    def __init__(self, library: str, threads: int):
        self.library = load(library)
        best = max(isa for isa in range(7) if self.library.cc_isa_supported(isa))
        self.engine = self.library.cc_engine_create(threads, best)

    def sample(self) -> float:
        """Floating-point operations per second."""
        time.sleep(SETTLING)
        rate = self.library.cc_measure_flops(self.engine, self.BFLOAT16, self.SECONDS)
        return rate or self.library.cc_measure_flops(self.engine, self.FLOAT32, self.SECONDS)
