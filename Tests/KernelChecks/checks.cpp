#include "check.h"
#include <cstdio>

namespace {

const checks::check_list &all() {
    static const checks::check_list list = [] {
        checks::check_list list;
        checks::add_conformance_checks(list);
        checks::add_norm_checks(list);
        checks::add_elementwise_checks(list);
        checks::add_gemv_checks(list);
        checks::add_fused_checks(list);
        checks::add_product_checks(list);
        checks::add_code_product_checks(list);
        checks::add_attention_checks(list);
        checks::add_rotary_checks(list);
        checks::add_rows_checks(list);
        checks::add_noise_checks(list);
        return list;
    }();
    return list;
}

} // namespace

unsigned kc_check_count(void) { return (unsigned)all().size(); }
const char *kc_check_name(unsigned index) { return all()[index].name.c_str(); }

int kc_check_run(unsigned index, const kc_machine *machine, char *error, size_t error_size) {
    try {
        checks::bench bench(machine);
        all()[index].run(bench);
        return 0;
    } catch (const std::exception &failure) {
        snprintf(error, error_size, "%s: %s", all()[index].name.c_str(), failure.what());
        return 1;
    }
}
