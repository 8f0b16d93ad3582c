// SPDX-License-Identifier: MIT
//
// The memory of the explored program: its statics and thread-locals, what it allocates, its stacks;
// and each plain access to it, which the compiler's -fsanitize=thread reports to the functions
// below (ThreadSanitizer's own run-time library is not linked).
//
// 1. Statics are copied once, before anything ran, and put back before each execution. What is
//    allocated comes from an arena for each thread, so that its addresses do not depend on who came
//    first. Thread-locals are exchanged with each switch.
// 2. Each byte has a cell: the last plain write and, for each thread, the last plain read that
//    began there, by the thread's clock (Flanagan and Freund, "FastTrack", 2009). An access that
//    does not happen after an earlier one, one of them a write, is a data race. Accesses are
//    compared by their first byte only: one that overlaps another in part is not seen.
// 3. A cell of an older execution is void.
#define _GNU_SOURCE
#include "engine.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ARENA_SIZE = 1 << 19,
    PAGES_SIZE = 1 << 24, // weft's own stacks
    WORLD_SIZE = THREADS * (ARENA_SIZE + STACK_SIZE) + PAGES_SIZE,
};

struct cell {
    uint32_t number; // of the execution
    uint32_t write_pc;
    uint16_t location;
    uint16_t write_clock;
    uint8_t writer, is_freed;
    uint16_t read_clock[THREADS];
};

// Written once, before the first execution; so it is put back unchanged.
static struct {
    char *world; // arenas, stacks, pages
    struct cell *world_cells;
    char *statics;
    size_t statics_size;
    struct cell *statics_cells;
    char *statics_copy;
    char *tls;
    size_t tls_size;
    char tls_copy[TLS_SIZE];
    uintptr_t program; // where it is loaded
} memory;

// The linker's: the statics of the program begin and end here.
extern char data_start[], _end[];

static void *map(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        perror("explore: mmap");
        exit(1);
    }
    return p;
}

static int find_program(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    memory.program = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            memory.tls = info->dlpi_tls_data;
            memory.tls_size = info->dlpi_phdr[i].p_memsz;
        }
    return 1; // the first is the program
}

void explore_memory_prepare(void) {
    explorer = map(sizeof *explorer);
    memory.world = map(WORLD_SIZE);
    memory.world_cells = map(WORLD_SIZE * sizeof(struct cell));
    memory.statics = data_start;
    memory.statics_size = (size_t)(_end - data_start);
    memory.statics_cells = map(memory.statics_size * sizeof(struct cell));
    memory.statics_copy = map(memory.statics_size);
    dl_iterate_phdr(find_program, NULL);
    if (memory.tls_size > TLS_SIZE) {
        fprintf(stderr, "explore: %zu bytes of thread-locals: raise TLS_SIZE\n", memory.tls_size);
        exit(1);
    }
    memcpy(memory.tls_copy, memory.tls, memory.tls_size);
    memcpy(memory.statics_copy, memory.statics, memory.statics_size);
}

void explore_memory_reset(void) {
    memcpy(memory.statics, memory.statics_copy, memory.statics_size);
    for (int i = 0; i < THREADS; i++) {
        struct thread *thread = &explorer->threads[i];
        thread->arena = memory.world + i * ARENA_SIZE;
        thread->arena_end = thread->arena + ARENA_SIZE;
        memcpy(thread->tls, memory.tls_copy, memory.tls_size);
    }
    explorer->pages = explore_stack_of(THREADS);
}

char *explore_stack_of(int number) {
    return memory.world + THREADS * ARENA_SIZE + number * STACK_SIZE;
}

void explore_tls_exchange(struct thread *from, struct thread *to) {
    if (from)
        memcpy(from->tls, memory.tls, memory.tls_size);
    memcpy(memory.tls, to->tls, memory.tls_size);
}

void *explore_pages_take(size_t size) {
    void *pages = explorer->pages;
    if (size > (size_t)(memory.world + WORLD_SIZE - explorer->pages))
        return NULL;
    explorer->pages += size;
    return pages;
}

// ---- Cells ----------------------------------------------------------------------------------

static struct cell *any_cell_of(const void *p) {
    size_t at = (size_t)((const char *)p - memory.world);
    if (at < WORLD_SIZE)
        return &memory.world_cells[at];
    at = (size_t)((const char *)p - memory.statics);
    return at < memory.statics_size ? &memory.statics_cells[at] : NULL;
}

static struct cell *cell_of(const void *p) {
    struct cell *cell = any_cell_of(p);
    if (cell && cell->number != explorer->number)
        *cell = (struct cell){.number = explorer->number};
    return cell;
}

uint16_t *explore_location_at(const void *p) {
    struct cell *cell = cell_of(p);
    return cell ? &cell->location : NULL;
}

void explore_explain_address(uintptr_t pc, char *buf, size_t size) {
    char program[400], command[512];
    buf[0] = '\0';
    FILE *maps = fopen("/proc/self/cmdline", "r");
    if (!maps)
        return;
    size_t length = fread(program, 1, sizeof program - 1, maps);
    fclose(maps);
    program[length] = '\0';
    snprintf(command, sizeof command, "addr2line -fspe '%s' %#zx 2>/dev/null", program,
             (size_t)(pc - 1));
    FILE *output = popen(command, "r");
    if (output && fgets(buf, (int)size, output))
        buf[strcspn(buf, "\n(")] = '\0'; // without "(discriminator 1)"
    if (output)
        pclose(output);
}

// The index of a thread whose access (of the given clocks) does not happen before now, or -1.
static int unordered(const uint16_t *clocks) {
    const struct thread *self = explorer->current;
    for (int i = 0; i < THREADS; i++)
        if (clocks[i] > self->view.clock[i] && self != &explorer->threads[i])
            return i;
    return -1;
}

static int unordered_writer(const struct cell *cell) {
    bool is_ordered = cell->write_clock == 0 ||
                      explorer->current == &explorer->threads[cell->writer] ||
                      cell->write_clock <= explorer->current->view.clock[cell->writer];
    return is_ordered ? -1 : cell->writer;
}

static void race(const char *what, const char *before, int other, uintptr_t before_pc,
                 uintptr_t pc) {
    char here[128] = "?", there[128] = "";
    if (pc)
        explore_explain_address(pc, here, sizeof here);
    else
        snprintf(here, sizeof here, "its last step");
    if (before_pc)
        explore_explain_address(before_pc, there, sizeof there);
    explore_fail("data race: %s by %s at %s, unordered with %s by %s%s%s", what,
                 explorer->current->name, here, before, explorer->threads[other].name,
                 before_pc ? " at " : "", there);
}

void explore_check_atomic(const struct location *location, bool is_write) {
    const struct cell *cell = cell_of(location->address);
    if (cell->is_freed)
        explore_fail("use after free: %s by %s", explorer->current->site, explorer->current->name);
    int other = unordered_writer(cell);
    if (other >= 0)
        race("atomic access", "plain write", other, cell->write_pc, 0);
    other = is_write ? unordered(cell->read_clock) : -1;
    if (other >= 0)
        race("atomic write", "plain read", other, 0, 0);
}

static void check_plain(struct cell *cell, bool is_write, uintptr_t pc) {
    const char *what = is_write ? "plain write" : "plain read";
    if (cell->is_freed) {
        char here[128] = "?";
        explore_explain_address(pc, here, sizeof here);
        explore_fail("use after free: %s by %s at %s", what, explorer->current->name, here);
    }
    int other = unordered_writer(cell);
    if (other >= 0)
        race(what, "plain write", other, cell->write_pc, pc);
    other = is_write ? unordered(cell->read_clock) : -1;
    if (other >= 0)
        race(what, "plain read", other, 0, pc);
    if (cell->location == 0)
        return;
    struct location *location = &explorer->locations[cell->location];
    other = unordered(location->written_clock);
    if (other >= 0)
        race(what, "atomic write", other, 0, pc);
    other = is_write ? unordered(location->read_clock) : -1;
    if (other >= 0)
        race(what, "atomic read", other, 0, pc);
    if (is_write)
        location->is_rewritten = true;
}

// Alone: everything that comes later happens after it.
static void note_plain_alone(const void *p, bool is_write) {
    const struct cell *cell = any_cell_of(p);
    if (is_write && cell && cell->number == explorer->number && cell->location != 0)
        explorer->locations[cell->location].is_rewritten = true;
}

static void note_plain(const void *p, bool is_write, uintptr_t pc) {
    if (!explorer || !explorer->current)
        return;
    if (!explorer->is_exploring) {
        note_plain_alone(p, is_write);
        return;
    }
    struct cell *cell = cell_of(p);
    if (!cell)
        return;
    if (++explorer->accesses > ACCESSES)
        explore_fail("livelock: %s makes no step any more", explorer->current->name);
    pc -= memory.program;
    check_plain(cell, is_write, pc);
    int number = (int)(explorer->current - explorer->threads);
    uint16_t clock = explorer->current->view.clock[number];
    if (is_write) {
        cell->writer = (uint8_t)number;
        cell->write_clock = clock;
        cell->write_pc = (uint32_t)pc;
    } else {
        cell->read_clock[number] = clock;
    }
}

static void note_range(const void *p, size_t size, bool is_write, uintptr_t pc) {
    for (size_t i = 0; i < size; i++)
        note_plain((const char *)p + i, is_write, pc);
}

// Zeroed by whoever takes it, and seen to be so by those it tells of it.
void *explore_arena_take(size_t size) {
    struct thread *thread = explorer->current;
    size = (size + 15) & ~(size_t)15;
    if (size > (size_t)(thread->arena_end - thread->arena))
        explore_fail("a thread has allocated more than %d bytes", ARENA_SIZE);
    void *block = thread->arena;
    thread->arena += size;
    memset(block, 0, size);
    if (explorer->is_exploring)
        note_range(block, size, true, (uintptr_t)__builtin_return_address(0));
    return block;
}

void explore_memory_freed(void *p, size_t size) {
    if (!explorer->is_exploring)
        return; // alone, and soon over
    note_range(p, size, true, (uintptr_t)__builtin_return_address(0));
    for (size_t i = 0; i < size; i++)
        cell_of((char *)p + i)->is_freed = true;
}

// ---- What the compiler calls ----------------------------------------------------------------

#define PC ((uintptr_t)__builtin_return_address(0))

#define ACCESS(name, is_write)                                                                     \
    void __tsan_##name(void *p);                                                                   \
    void __tsan_##name(void *p) {                                                                  \
        note_plain(p, is_write, PC);                                                               \
    }

ACCESS(read1, false)
ACCESS(read2, false)
ACCESS(read4, false)
ACCESS(read8, false)
ACCESS(read16, false)
ACCESS(write1, true)
ACCESS(write2, true)
ACCESS(write4, true)
ACCESS(write8, true)
ACCESS(write16, true)
ACCESS(unaligned_read2, false)
ACCESS(unaligned_read4, false)
ACCESS(unaligned_read8, false)
ACCESS(unaligned_read16, false)
ACCESS(unaligned_write2, true)
ACCESS(unaligned_write4, true)
ACCESS(unaligned_write8, true)
ACCESS(unaligned_write16, true)

#define RANGE(name, is_write)                                                                      \
    void __tsan_##name(void *p, size_t size);                                                      \
    void __tsan_##name(void *p, size_t size) {                                                     \
        note_range(p, size, is_write, PC);                                                         \
    }

RANGE(read_range, false)
RANGE(write_range, true)

void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc) {
    (void)pc;
}
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

// clang's
void *__tsan_memset(void *p, int c, size_t size);
void *__tsan_memset(void *p, int c, size_t size) {
    note_range(p, size, true, PC);
    return memset(p, c, size);
}
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size) {
    note_range(from, size, false, PC);
    note_range(to, size, true, PC);
    return memcpy(to, from, size);
}
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size) {
    note_range(from, size, false, PC);
    note_range(to, size, true, PC);
    return memmove(to, from, size);
}
