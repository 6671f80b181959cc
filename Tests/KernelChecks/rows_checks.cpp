#include "check.h"

namespace checks {

namespace {

std::string with_type(const char *operation, int type) { return std::string(operation) + "_" + type_name(type); }

void check_gather_rows(bench &b, int type, int table_type) {
    constexpr size_t width = 301;
    random_source random(21);
    array table = random_array(random, table_type, 9 * width), old = random_array(random, type, 4 * width);
    std::vector<int> indices = {8, -1, 0, 3};
    void *y = b.put(old);
    b.launch(with_type("gather_rows", type), {4}, 256, 0, b.put(table), table_type, b.put(indices), (int)width, y);
    std::vector<double> expected = old.values;
    for (size_t i = 0; i < expected.size(); ++i) {
        int index = indices[i / width];
        if (index >= 0) expected[i] = table[(size_t)index * width + i % width];
    }
    require_close("y", b.numbers_at(y, type, expected.size()), make_array(type, expected).values, 0, 0);
}

void check_patchify(bench &b, int type) {
    constexpr size_t images = 2, channels = 3, side = 28, patch = 14, grid = side / patch;
    constexpr size_t width = channels * patch * patch;
    random_source random(22);
    array pixels = random_array(random, TYPE_F32, images * channels * side * side);
    std::vector<double> expected(images * grid * grid * width);
    void *y = b.space(expected.size() * element_bytes(type));
    b.launch(
        with_type("patchify", type), {images * grid * grid}, 256, 0, b.put(pixels), (int)channels, (int)side,
        (int)patch, y);
    for (size_t i = 0; i < expected.size(); ++i) {
        size_t image = i / width / (grid * grid), cell = i / width % (grid * grid), at = i % width;
        size_t r = cell / grid * patch + at % (patch * patch) / patch, c = cell % grid * patch + at % patch;
        expected[i] = pixels[((image * channels + at / (patch * patch)) * side + r) * side + c];
    }
    require_close("y", b.numbers_at(y, type, expected.size()), make_array(type, expected).values, 0, 0);
}

void check_gather_neighborhoods(bench &b, int type) {
    constexpr size_t side = 6, channels = 71;
    random_source random(23);
    array cells = random_array(random, type, side * side * channels);
    std::vector<double> expected(cells.count());
    void *y = b.space(cells.bytes.size());
    b.launch(
        with_type("gather_neighborhoods", type), {side * side / 4}, 256, 0, b.put(cells), (int)side, (int)channels, y);
    for (size_t row = 0; row < side * side / 4; ++row) {
        for (size_t i = 0; i < channels * 4; ++i) {
            size_t r = row / (side / 2) * 2 + i % 4 / 2, c = row % (side / 2) * 2 + i % 2;
            expected[row * channels * 4 + i] = cells[(r * side + c) * channels + i / 4];
        }
    }
    require_close("y", b.numbers_at(y, type, expected.size()), expected, 0, 0);
}

} // namespace

void add_rows_checks(check_list &list) {
    for (int type : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
        list.push_back({with_type("patchify", type), [type](bench &b) { check_patchify(b, type); }});
        list.push_back({
            with_type("gather_neighborhoods", type), [type](bench &b) { check_gather_neighborhoods(b, type); }});
        for (int table : {TYPE_F32, TYPE_F16, TYPE_BF16}) {
            list.push_back({
                with_type("gather_rows", type) + " from " + type_name(table),
                [=](bench &b) { check_gather_rows(b, type, table); }});
        }
    }
}

} // namespace checks
