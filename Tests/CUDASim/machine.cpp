#include "machine.h"
#include "json.h"
#include <algorithm>
#include <cstdio>
#include <tuple>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

const size_t mib = 1024 * 1024;

bool one_of(const std::string &value, std::initializer_list<const char *> values) {
    for (const char *other : values) {
        if (value == other) return true;
    }
    return false;
}

std::string numbered(const char *format, size_t index) {
    char text[64];
    snprintf(text, sizeof text, format, (unsigned)index);
    return text;
}

void parse_capability(Card &card, JsonObject &object) {
    std::string text = object.text("compute_capability", "");
    if (sscanf(text.c_str(), "%d.%d", &card.major, &card.minor) != 2) {
        throw object.where() + ".compute_capability: expected \"9.0\" or the like, got \"" + text + "\"";
    }
}

void parse_mig(Card &card, JsonObject &object, size_t index) {
    const Json *value = object.find("mig");
    if (!value || value->is(Json::Kind::null)) return;
    JsonObject mig(*value, object.where() + ".mig");
    card.mig.enabled = true;
    card.mig.profile = mig.text("profile", "");
    card.mig.uuid = mig.text("uuid", numbered("MIG-00000000-0000-4000-8000-%012x", index));
    card.mig.gpu_instance = (unsigned)mig.number("gpu_instance", 1);
    card.mig.compute_instance = (unsigned)mig.number("compute_instance", 0);
    card.mig.multiprocessors = (unsigned)mig.number("multiprocessors", 0);
    card.mig.bytes = (size_t)mig.number("memory_mib", 0) * mib;
    mig.finish();
    if (!card.mig.bytes || !card.mig.multiprocessors) throw mig.where() + ": memory_mib and multiprocessors are needed";
}

void parse_link_width(Card &card, JsonObject &object) {
    card.pcie_max_generation = (int)object.number("pcie_max_generation", 4);
    card.pcie_max_width = (int)object.number("pcie_max_width", 16);
    card.pcie_generation = (int)object.number("pcie_generation", card.pcie_max_generation);
    card.pcie_width = (int)object.number("pcie_width", card.pcie_max_width);
}

void parse_health(Card &card, JsonObject &object) {
    card.ecc_supported = object.find("ecc") != nullptr;
    card.ecc = object.flag("ecc", false);
    card.ecc_corrected = (unsigned long long)object.number("ecc_corrected", 0);
    card.ecc_uncorrected = (unsigned long long)object.number("ecc_uncorrected", 0);
    card.throttle_reasons = (unsigned long long)object.number("throttle_reasons", 0);
    card.temperature = (unsigned)object.number("temperature", 40);
    card.power_watts = (unsigned)object.number("power_watts", 50);
    card.power_limit_watts = (unsigned)object.number("power_limit_watts", 300);
    card.remapped_rows = (unsigned)object.number("remapped_rows", 0);
    card.retired_pending = (unsigned)object.number("retired_pending", 0);
}

void parse_processes(Card &card, JsonObject &object) {
    for (const Json &item : object.list("processes")) {
        JsonObject process(item, object.where() + ".processes");
        card.processes.push_back({(unsigned)process.number("pid", 0), (size_t)process.number("memory_mib", 0) * mib});
        process.finish();
    }
}

Card parse_card(const Json &item, const std::string &where, size_t index) {
    JsonObject object(item, where);
    Card card;
    card.name = object.text("name", "");
    object.find("count");
    parse_capability(card, object);
    card.multiprocessors = (int)object.number("multiprocessors", 0);
    card.bytes = (size_t)object.number("memory_mib", 0) * mib;
    card.context_bytes = (size_t)object.number("context_mib", 0) * mib;
    card.uuid = object.text("uuid", numbered("GPU-00000000-0000-4000-8000-%012x", index));
    card.pci = object.text("pci", numbered("0000:%02x:00.0", index + 1));
    card.compute_mode = object.text("compute_mode", "default");
    card.clock_mhz = (int)object.number("clock_mhz", 1500);
    card.memory_clock_mhz = (int)object.number("memory_clock_mhz", 1000);
    card.memory_bus_bits = (int)object.number("memory_bus_bits", 256);
    card.l2_mib = (int)object.number("l2_mib", 4);
    card.numa_node = (int)object.number("numa_node", 0);
    card.display = object.flag("display", false);
    card.persistence = object.flag("persistence", true);
    parse_processes(card, object);
    parse_mig(card, object, index);
    parse_link_width(card, object);
    parse_health(card, object);
    object.finish();
    if (card.name.empty() || !card.bytes || !card.multiprocessors) {
        throw where + ": name, memory_mib and multiprocessors are needed";
    }
    if (!one_of(card.compute_mode, {"default", "exclusive_process", "prohibited"})) {
        throw where + ".compute_mode: default, exclusive_process or prohibited";
    }
    if (card.used_by_others() > card.visible_bytes()) throw where + ".processes: they use more memory than there is";
    return card;
}

Link parse_link(JsonObject &object) {
    Link link;
    link.peer = object.text("peer", "none");
    link.ancestor = object.text("ancestor", "node");
    link.nvlinks = (int)object.number("nvlinks", 0);
    link.nvlink_version = (int)object.number("nvlink_version", link.nvlinks ? 4 : 0);
    link.nvswitch = object.flag("nvswitch", false);
    link.atomics = object.flag("atomics", link.nvlinks > 0);
    link.performance_rank = (int)object.number("performance_rank", link.nvlinks ? 0 : 1);
    link.p2p_status = (int)object.number("p2p_status", link.peer == "none" ? 5 : 0);
    link.delay_us = (unsigned)object.number("delay_us", 0);
    if (!one_of(link.peer, {"none", "ok", "corrupt", "dead"})) {
        throw object.where() + ".peer: none, ok, corrupt or dead; got '" + link.peer + "'";
    }
    if (!one_of(link.ancestor, {"internal", "single", "multiple", "hostbridge", "node", "system"})) {
        throw object.where() + ".ancestor: internal, single, multiple, hostbridge, node or system";
    }
    return link;
}

void parse_links(Machine &machine, JsonObject &object) {
    size_t count = machine.cards.size();
    machine.links.assign(count * count, Link());
    if (const Json *value = object.find("every_link")) {
        JsonObject every(*value, "every_link");
        machine.links.assign(count * count, parse_link(every));
        every.finish();
    }
    for (const Json &item : object.list("links")) {
        JsonObject link(item, "links");
        const std::vector<Json> &pair = link.list("between");
        bool fits = pair.size() == 2 && pair[0].number >= 0 && pair[1].number >= 0 && pair[0].number < (double)count &&
                    pair[1].number < (double)count;
        if (!fits) throw std::string("links.between: two indices of devices");
        size_t a = (size_t)pair[0].number, b = (size_t)pair[1].number;
        bool one_way = link.flag("one_way", false);
        machine.links[a * count + b] = parse_link(link);
        if (!one_way) machine.links[b * count + a] = machine.links[a * count + b];
        link.finish();
    }
}

} // namespace

size_t Card::used_by_others() const {
    size_t sum = 0;
    for (const Process &process : processes) sum += process.bytes;
    return sum;
}

std::string Card::visible_name() const {
    // Every place that shows a device shows that it is none.
    return name + (mig.enabled ? " MIG " + mig.profile : "") + " (simulated)";
}

std::vector<size_t> Machine::bus_order() const {
    std::vector<size_t> order;
    for (size_t i = 0; i < cards.size(); ++i) order.push_back(i);
    auto place = [&](size_t index) {
        unsigned domain = 0, bus = 0, device = 0;
        sscanf(cards[index].pci.c_str(), "%x:%x:%x", &domain, &bus, &device);
        return std::make_tuple(domain, bus, device, index);
    };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place(a) < place(b); });
    return order;
}

Machine Machine::parse(const std::string &json) {
    Json value = Json::parse(json);
    JsonObject object(value, "machine");
    Machine machine;
    machine.name = object.text("name", "");
    machine.cuda_version = (int)object.number("cuda_version", 12080);
    machine.driver_release = object.text("driver_release", "570.00") + " (simulated)";
    machine.deterministic = object.flag("deterministic", false);
    machine.seed = (unsigned long long)object.number("seed", 1);
    machine.late_pageable_uploads = object.flag("late_pageable_uploads", false);
    for (const Json &item : object.list("devices")) {
        auto count = item.members.find("count");
        int repeats = count == item.members.end() ? 1 : (int)count->second.number;
        for (int i = 0; i < repeats; ++i) {
            size_t index = machine.cards.size();
            machine.cards.push_back(parse_card(item, "devices[" + std::to_string(index) + "]", index));
        }
    }
    parse_links(machine, object);
    machine.faults = FaultScript::parse(object.list("faults"), "faults");
    object.finish();
    return machine;
}

} // namespace cudasim
