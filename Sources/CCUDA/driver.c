#include "ccuda_driver.h"
#include "table.h"

CCUDA_LOADER(ccuda_driver_load, ccuda_driver, CCUDA_DRIVER_FUNCTIONS)
