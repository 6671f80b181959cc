#include "ccuda_cublaslt.h"
#include "table.h"

CCUDA_LOADER(ccuda_cublaslt_load, ccuda_cublaslt, CCUDA_CUBLASLT_FUNCTIONS)
