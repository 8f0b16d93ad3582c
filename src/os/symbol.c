// SPDX-License-Identifier: MIT
//
// From an address to the loaded file it belongs to, by dl_iterate_phdr(3), and from there to a name
// by the symbol table in that file (elf(5)), because only that has the static functions, of which
// programs mostly consist. A file is mapped for one look and not trusted: every offset in it is
// checked.
#include "os/symbol.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512 }; // a longer one is cut, and then not found

struct module {
    uintptr_t address;    // in
    char path[PATH_SIZE]; // copied: the module may be gone before it is used
    uintptr_t base;
    bool is_there, is_code;
};

static int visit(struct dl_phdr_info *info, size_t size, void *arg) {
    struct module *module = arg;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || module->address - begin >= part->p_memsz)
            continue;
        (void)snprintf(module->path, PATH_SIZE, "%s", info->dlpi_name);
        module->is_there = true;
        module->base = info->dlpi_addr;
        module->is_code = (part->p_flags & PF_X) != 0;
        return 1;
    }
    return 0;
}

static struct module module_of(uintptr_t address) {
    struct module module = {.address = address};
    (void)dl_iterate_phdr(visit, &module);
    return module;
}

bool weft__symbol_is_code(uintptr_t address) {
    return module_of(address).is_code;
}

// ---- The symbol table -----------------------------------------------------------------------

struct file {
    const char *data;
    size_t size;
};

// `count` things of `size` bytes each, or NULL when they are not all in the file.
static const void *part(const struct file *file, uint64_t offset, uint64_t size, uint64_t count) {
    if (offset > file->size || size == 0 || count > (file->size - offset) / size ||
        offset % sizeof(ElfW(Addr)) != 0)
        return NULL;
    return file->data + offset;
}

static const char *name_at(const struct file *file, const ElfW(Shdr) * names, uint32_t offset) {
    if (names->sh_size > file->size || names->sh_offset > file->size - names->sh_size ||
        offset >= names->sh_size)
        return NULL;
    const char *name = file->data + names->sh_offset + offset;
    return memchr(name, '\0', names->sh_size - offset) ? name : NULL;
}

// The function in one table that has the address, or NULL.
static const char *find_in_table(const struct file *file, const ElfW(Shdr) * table,
                                 const ElfW(Shdr) * names, uintptr_t address,
                                 uintptr_t *ret_begin) {
    size_t count = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols = part(file, table->sh_offset, sizeof *symbols, count);
    for (size_t i = 0; symbols && i < count; i++) {
        bool is_function = (symbols[i].st_info & 0xf) == STT_FUNC && symbols[i].st_shndx != 0;
        if (!is_function || address - symbols[i].st_value >= symbols[i].st_size)
            continue;
        *ret_begin = symbols[i].st_value;
        return name_at(file, names, symbols[i].st_name);
    }
    return NULL;
}

// The full table, which strip(1) removes, before the one of what is exported.
static const char *find(const struct file *file, uintptr_t address, uintptr_t *ret_begin) {
    static const ElfW(Word) kinds[] = {SHT_SYMTAB, SHT_DYNSYM};
    const ElfW(Ehdr) *head = part(file, 0, sizeof *head, 1);
    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_shentsize != sizeof(ElfW(Shdr)))
        return NULL;
    const ElfW(Shdr) *sections = part(file, head->e_shoff, sizeof *sections, head->e_shnum);
    for (size_t kind = 0; sections && kind < 2; kind++)
        for (size_t i = 0; i < head->e_shnum; i++) {
            if (sections[i].sh_type != kinds[kind] || sections[i].sh_link >= head->e_shnum)
                continue;
            const ElfW(Shdr) *names = &sections[sections[i].sh_link];
            const char *name = find_in_table(file, &sections[i], names, address, ret_begin);
            if (name)
                return name;
        }
    return NULL;
}

static void map(const char *path, struct file *ret_file) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_file = (struct file){0};
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0) {
        void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED)
            *ret_file = (struct file){data, (size_t)status.st_size};
    }
    if (fd >= 0)
        close(fd);
}

// ---- Text -----------------------------------------------------------------------------------

static void put_offset(struct weft__text *text, const char *name, uintptr_t offset) {
    weft__text_put_escaped(text, name, strlen(name));
    if (offset > 0)
        weft__text_putf(text, "+0x%llx", (unsigned long long)offset);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put(struct weft__text *text, uintptr_t address, uintptr_t looked_up) {
    struct module module = module_of(looked_up);
    struct file file = {0};
    uintptr_t begin = 0;
    char self[256] = "";
    if (!module.is_there) {
        weft__text_putf(text, "0x%llx", (unsigned long long)address);
        return;
    }
    bool is_program = module.path[0] == '\0';
    map(is_program ? "/proc/self/exe" : module.path, &file);
    const char *name = find(&file, looked_up - module.base, &begin);
    if (!name && is_program && readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        self[0] = '\0';
    if (!name)
        name = last_part(is_program ? self : module.path);
    put_offset(text, name, address - module.base - begin);
    if (file.data)
        munmap((void *)file.data, file.size);
}

void weft__symbol_put(struct weft__text *text, uintptr_t address) {
    put(text, address, address);
}

void weft__symbol_put_caller(struct weft__text *text, uintptr_t address) {
    put(text, address, address - 1);
}
