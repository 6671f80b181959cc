"""How fast memory is read at the moment: our reader in the process of a peer."""

import ctypes
import mmap
import pathlib
import subprocess

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent / "Sources" / "CCPU"
SAMPLE, TOTAL = 32 << 20, 512 << 20


def build(folder: pathlib.Path) -> pathlib.Path:
    """Compiles the reader that `facet bench` has. Needs clang."""
    path = folder / "libreading.so"
    subprocess.run(
        ["clang", "-O2", "-fPIC", "-shared", "-Wno-psabi", f"-I{SOURCES / 'include'}", *SOURCES.glob("*.c"), "-lm",
         "-lpthread", "-o", path], check=True)
    return path


class Reader:
    """512 MiB of memory in large pages, of which each sample reads the next 32 MiB with all threads."""

    def __init__(self, library: str, threads: int):
        self.library = ctypes.CDLL(library)
        self.library.cc_engine_create.restype = ctypes.c_void_p
        self.library.cc_measure_read.restype = ctypes.c_double
        self.library.cc_measure_read.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t]
        self.library.cc_prefer_huge_pages.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t]
        # The portable kernels: reading is the same in all.
        self.engine = self.library.cc_engine_create(threads, 0)
        self.space = (ctypes.c_char * TOTAL).from_buffer(mmap.mmap(-1, TOTAL))
        self.start = ctypes.addressof(self.space)
        self.library.cc_prefer_huge_pages(self.start, TOTAL)
        ctypes.memset(self.start, 1, TOTAL)
        self.place = 0

    def sample(self) -> float:
        """Bytes per second."""
        self.place = (self.place + SAMPLE) % TOTAL
        return self.library.cc_measure_read(self.engine, self.start + self.place, SAMPLE)
