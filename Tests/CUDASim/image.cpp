#include "image.h"
#include <cstdio>
#include <cstring>
#include <elf.h>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

const unsigned machine_cuda = 190;
const unsigned char osabi_cuda = 33;
const unsigned char abi_version = 7;
const unsigned exact_flag = 0x800, exact_flag_new = 0x8; // sm_90a

bool is_elf(const unsigned char *bytes) { return memcmp(bytes, ELFMAG, SELFMAG) == 0; }

Image read_elf(const unsigned char *bytes) {
    Elf64_Ehdr header;
    memcpy(&header, bytes, sizeof header);
    if (bytes[EI_CLASS] != ELFCLASS64 || header.e_machine != machine_cuda || header.e_shentsize != sizeof(Elf64_Shdr)) {
        fail(CUDA_ERROR_INVALID_IMAGE, "an ELF file, but no cubin (machine %u)", header.e_machine);
    }
    Image image;
    // From ABI version 8 on the architecture stands in the second byte of the flags.
    bool is_new = bytes[EI_ABIVERSION] >= 8;
    image.architecture = (int)(is_new ? header.e_flags >> 8 & 0xff : header.e_flags & 0xff);
    image.is_exact = header.e_flags & (is_new ? exact_flag_new : exact_flag);
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    memcpy(sections.data(), bytes + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
    if (header.e_shstrndx >= sections.size()) fail(CUDA_ERROR_INVALID_IMAGE, "a cubin without names of sections");
    const char *names = (const char *)bytes + sections[header.e_shstrndx].sh_offset;
    for (const Elf64_Shdr &section : sections) {
        const char *name = names + section.sh_name;
        if (strncmp(name, ".text.", 6) == 0) image.kernels.push_back(name + 6);
    }
    return image;
}

Image read_ptx(const char *text) {
    Image image;
    image.is_portable = true;
    const char *target = strstr(text, ".target sm_");
    if (!target || sscanf(target, ".target sm_%d", &image.architecture) != 1) {
        fail(CUDA_ERROR_INVALID_PTX, "PTX without a target");
    }
    for (const char *at = text; (at = strstr(at, ".entry"));) {
        at += 6;
        while (*at == ' ' || *at == '\t' || *at == '\n') ++at;
        size_t length = strcspn(at, " \t\n(");
        image.kernels.push_back(std::string(at, length));
    }
    return image;
}

} // namespace

bool Image::runs_on(const Device &device) const {
    int major = architecture / 10, minor = architecture % 10;
    if (is_portable) return device.at_least(major, minor);
    if (is_exact) return device.card->major == major && device.card->minor == minor;
    return device.card->major == major && device.card->minor >= minor;
}

Image read_image(const void *bytes) {
    const unsigned char *start = (const unsigned char *)bytes;
    unsigned first;
    memcpy(&first, start, 4);
    if (is_elf(start)) return read_elf(start);
    if (first == 0xBA55ED50 || first == 0x466243B1) {
        fail(CUDA_ERROR_INVALID_IMAGE, "a fatbin: the simulator loads cubins and PTX; compile for one architecture");
    }
    const char *text = (const char *)bytes;
    if (strncmp(text, "//", 2) == 0 || strncmp(text, ".version", 8) == 0) return read_ptx(text);
    fail(CUDA_ERROR_INVALID_IMAGE, "neither a cubin nor PTX: it begins with 0x%08x", first);
}

std::vector<char> make_cubin(int architecture, bool is_exact, const std::vector<std::string> &kernels) {
    std::string names(1, '\0');
    std::vector<Elf64_Shdr> sections(1);
    auto add = [&](const std::string &name, unsigned type) {
        Elf64_Shdr section = {};
        section.sh_name = (unsigned)names.size();
        section.sh_type = type;
        names += name + '\0';
        sections.push_back(section);
    };
    for (const std::string &kernel : kernels) add(".text." + kernel, SHT_PROGBITS);
    add(".shstrtab", SHT_STRTAB);
    sections.back().sh_offset = sizeof(Elf64_Ehdr);
    sections.back().sh_size = names.size();
    while (names.size() % 8 != 0) names += '\0';

    Elf64_Ehdr header = {};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_ident[EI_OSABI] = osabi_cuda;
    header.e_ident[EI_ABIVERSION] = abi_version;
    header.e_type = ET_EXEC;
    header.e_machine = machine_cuda;
    header.e_version = EV_CURRENT;
    header.e_flags = (unsigned)architecture | (is_exact ? exact_flag : 0);
    header.e_shoff = sizeof header + names.size();
    header.e_ehsize = sizeof header;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = (Elf64_Half)sections.size();
    header.e_shstrndx = (Elf64_Half)(sections.size() - 1);

    std::vector<char> cubin((const char *)&header, (const char *)&header + sizeof header);
    cubin.insert(cubin.end(), names.begin(), names.end());
    const char *table = (const char *)sections.data();
    cubin.insert(cubin.end(), table, table + sections.size() * sizeof(Elf64_Shdr));
    return cubin;
}

} // namespace cudasim
