/// NVIDIA's libraries as this package uses them, declared by hand and opened while the program runs.
///
/// Nothing of CUDA is linked and no header of it is read, so the package builds and starts where there is none. Each
/// library has one list of functions. The list makes the struct of pointers that Swift calls and the loader that fills
/// it. Types and constants carry the names that NVIDIA's documentation gives them; `Tools/cuda/check-abi.sh` compares
/// every one of them with the published headers.
#pragma once
#include "ccuda_cublaslt.h"
#include "ccuda_driver.h"
#include "ccuda_library.h"
#include "ccuda_nvml.h"
#include "ccuda_nvrtc.h"
