"""The two halves of check-abi.sh that are about text.

    abi.py headers WHEEL... FOLDER    takes the C headers out of wheels
    abi.py checks DECLARATIONS FOLDER writes functions.c and values.cpp, which compile when the declarations are true
"""

import pathlib
import re
import sys
import zipfile

FUNCTIONS = """
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <nvrtc.h>
#include <cublasLt.h>
#include <nvml.h>
#define CCUDA_TYPES_FROM_HEADERS
#include "CCUDA.h"
#define CHECK(name, symbol, result, parameters) \\
    _Static_assert(__builtin_types_compatible_p(__typeof__(symbol), result parameters), #symbol);
CCUDA_DRIVER_FUNCTIONS(CHECK, CHECK)
CCUDA_NVRTC_FUNCTIONS(CHECK, CHECK)
CCUDA_CUBLASLT_FUNCTIONS(CHECK, CHECK)
CCUDA_NVML_FUNCTIONS(CHECK, CHECK)
"""

VALUES = """
#include <stddef.h>
#include <stdint.h>
#include <cuda.h>
#include <nvrtc.h>
#include <cublasLt.h>
#include <nvml.h>
%s
namespace ours {
#include "CCUDA.h"
}
#define CHECK_VALUE(name) static_assert((long long)ours::name == published_##name, #name);
#define CHECK_SIZE(type) static_assert(sizeof(ours::type) == sizeof(::type) && alignof(ours::type) == alignof(::type), #type);
#define CHECK_FIELD(type, field) \\
    static_assert(offsetof(ours::type, field) == offsetof(::type, field), #type "." #field); \\
    static_assert(sizeof(ours::type::field) == sizeof(::type::field), #type "." #field);
"""

# Names by which the headers call a field, where they differ from version to version or have none.
UNNAMED_FIELDS = {("CUlaunchAttribute", "pad")}


def take_headers(wheels, folder):
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                _, found, path = name.partition("/include/")
                if found and not name.endswith("/"):
                    target = pathlib.Path(folder, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))


def constants(text):
    """The names of all enumerators."""
    for body in re.findall(r"enum\s*\w*\s*\{([^}]*)\}", text):
        yield from re.findall(r"(\w+)\s*=", body)


def scalar_types(text):
    """Handles and numbers: typedefs of one line."""
    for name in re.findall(r"^typedef [\w ]+[ *](\w+);$", text, re.MULTILINE):
        yield name


def structs(text):
    """Each struct or union with the names of its own fields, not of those nested in it."""
    for name, body in re.findall(r"^typedef (?:struct|union) (\w+) \{\n(.*?)^\} \1;", text, re.MULTILINE | re.DOTALL):
        own = re.sub(r"\{[^}]*\}", "", body)
        yield name, re.findall(r"(\w+)(?:\[\d+\])?;", own)


def write_checks(declarations, folder):
    text = "".join(path.read_text() for path in sorted(pathlib.Path(declarations).glob("*.h")))
    # Some of the headers' constants are macros, which would replace the names inside our declarations too.
    published = "\n".join(
        f"constexpr long long published_{name} = (long long){name};\n#undef {name}" for name in constants(text))
    lines = [f"CHECK_VALUE({name})" for name in constants(text)]
    lines += [f"CHECK_SIZE({name})" for name in scalar_types(text)]
    for name, fields in structs(text):
        if name.startswith("ccuda_"):  # the tables are ours alone
            continue
        lines.append(f"CHECK_SIZE({name})")
        lines += [f"CHECK_FIELD({name}, {field})" for field in fields if (name, field) not in UNNAMED_FIELDS]
    pathlib.Path(folder, "functions.c").write_text(FUNCTIONS)
    pathlib.Path(folder, "values.cpp").write_text(VALUES % published + "\n".join(lines) + "\n")


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    if command == "headers":
        take_headers(paths[:-1], paths[-1])
    else:
        write_checks(*paths)
