// SPDX-License-Identifier: MIT
//
// One execution: threads on stacks of their own in the one thread of the process, and whose turn it
// is. A thread comes here before each step it makes (explore_step, explore_block), says what it
// waits for, and goes on when it is picked; nothing of the program runs in between.
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct explorer *explorer;

// Phases: thread 0 sets up; thread i runs its prologue in phase i; then all run; then thread i ends
// in phase PHASE_EXIT + i.
enum { PHASE_RUN = 100, PHASE_EXIT = 200 };

// A text that begins with a file of the tree, without the path to it.
static const char *below_tree(const char *text) {
    static const char *const folders[] = {"/src/", "/tests/explore/"};
    for (int i = 0; i < 2 && text[0] == '/'; i++) {
        const char *at = strstr(text, folders[i]);
        if (at)
            return at + 1;
    }
    return text;
}

// ---- Findings -------------------------------------------------------------------------------

void explore_abandon(void) {
    struct thread *thread = explorer->current;
    explorer->current = NULL;
    weft__context_switch(&thread->context, &explorer->main);
    __builtin_unreachable();
}

void explore_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char text[sizeof explorer->finding];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(explorer->finding, sizeof explorer->finding, "%s", below_tree(text));
    explorer->has_finding = true;
    if (explorer->current)
        explore_abandon();
    siglongjmp(explorer->crash, 1);
}

void explore_trace(const char *format, ...) {
    bool is_setup = explorer->phase < PHASE_RUN;
    bool is_end = explorer->steps + TRACED / 4 > STEPS;
    if (!explorer->is_tracing || is_setup || (++explorer->traced > TRACED && !is_end))
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = explorer->current ? explorer->current->name : "";
    printf("    %-10s %s\n", name, below_tree(text));
}

static void deadlock(void) {
    char text[400] = "";
    size_t length = 0;
    for (int i = 0; i < explorer->thread_count && length < sizeof text; i++) {
        const struct thread *thread = &explorer->threads[i];
        if (thread->wait == WAIT_EVER || thread->is_through)
            continue;
        length += (size_t)snprintf(text + length, sizeof text - length, "; %s waits at %s",
                                   thread->name, below_tree(thread->site));
    }
    explore_fail("deadlock%s", text);
}

// ---- Whose turn -----------------------------------------------------------------------------

static bool are_others_through(void) {
    for (int i = 1; i < explorer->thread_count; i++)
        if (explorer->now->threads[i].fn && !explorer->threads[i].is_through)
            return false;
    return true;
}

static bool is_enabled(const struct thread *thread) {
    switch (thread->wait) {
    case WAIT_NONE:
        return true;
    case WAIT_ZERO:
        return explore_newest(explore_locate(thread->place, sizeof *thread->place)) == 0;
    case WAIT_SET:
        return explore_newest(explore_locate(thread->place, sizeof *thread->place)) != 0;
    case WAIT_SIGNAL:
        return thread->is_signalled;
    case WAIT_CHANGE:
        return explore_has_changed(thread);
    case WAIT_PHASE:
        return explorer->phase >= thread->phase;
    case WAIT_OTHERS:
        return are_others_through();
    case WAIT_END:
        return explorer->threads[thread->awaited].wait == WAIT_EVER ||
               explorer->threads[thread->awaited].is_through;
    case WAIT_EVER:
        return false;
    }
    return false;
}

static bool is_wait_in_driver(const struct thread *thread) {
    return thread->wait == WAIT_SET || thread->wait == WAIT_SIGNAL;
}

static bool is_timed(const struct thread *thread) {
    return is_wait_in_driver(thread) && thread->until_ns != INT64_MAX;
}

static void add_enabled(struct thread **options, unsigned *count) {
    for (int i = 0; i < explorer->thread_count; i++)
        if (&explorer->threads[i] != explorer->current && is_enabled(&explorer->threads[i]))
            options[(*count)++] = &explorer->threads[i];
}

// Those whose wait may end although what they wait for has not come.
static void add_early(struct thread **options, unsigned *count, bool only_timed) {
    for (int i = 0; i < explorer->thread_count; i++) {
        struct thread *thread = &explorer->threads[i];
        bool may_be = is_timed(thread) || (!only_timed && is_wait_in_driver(thread) &&
                                           explorer->now->wakes_early && explorer->is_exploring);
        if (may_be && !is_enabled(thread))
            options[(*count)++] = thread;
    }
}

// Who only looks, again and again, must not keep the others from doing what it looks for: then the
// one that has not run for the longest time is next.
static struct thread *next_in_line(void) {
    struct thread *next = NULL;
    for (int i = 0; i < explorer->thread_count; i++) {
        struct thread *thread = &explorer->threads[i];
        bool may_run = thread != explorer->current && is_enabled(thread);
        if (may_run && (!next || thread->ran_at < next->ran_at))
            next = thread;
    }
    return next;
}

// The thread that makes its step now; NULL when all have ended.
static struct thread *pick(void) {
    struct thread *options[2 * THREADS], *current = explorer->current;
    unsigned count = 0, free_count;
    bool can_go_on = is_enabled(current);
    struct thread *next = current->polls > POLLS_MAX ? next_in_line() : NULL;
    if (next)
        return next;
    if (can_go_on && !current->gives_way)
        options[count++] = current;
    free_count = count;
    add_enabled(options, &count);
    if (can_go_on && current->gives_way)
        options[count++] = current;
    if (!can_go_on || current->gives_way)
        free_count = count;
    add_early(options, &count, free_count == 0);
    if (free_count == 0) // nothing but time can go on
        free_count = count;
    if (count == 0) {
        for (int i = 0; i < explorer->thread_count; i++)
            if (explorer->threads[i].wait != WAIT_EVER)
                deadlock();
        return NULL;
    }
    if (count == 1)
        return options[0];
    if (explore_is_known()) {
        explorer->is_pruned = true;
        explore_abandon();
    }
    return options[explore_choose(count, free_count)];
}

static void thread_main(void *arg);

static void switch_to(struct thread *next) {
    struct thread *from = explorer->current;
    if (!next->is_started) {
        next->is_started = true;
        weft__context_make(&next->context, next->stack, STACK_SIZE, next->stack + STACK_SIZE,
                           thread_main, next);
    }
    from->ran_at = explorer->steps;
    next->polls = 0;
    explorer->current = next;
    explore_tls_exchange(from, next);
    weft__context_switch(&from->context, &next->context);
}

static void end_early(struct thread *self) {
    self->hash = explore_mix(self->hash, 1);
    if (self->until_ns != INT64_MAX && explorer->now_ns < self->until_ns)
        explorer->now_ns = self->until_ns;
}

void explore_block(enum wait wait, uint32_t *place, int64_t until_ns, const char *site) {
    struct thread *self = explorer->current;
    if (++explorer->steps > STEPS)
        explore_fail("livelock: more than %d steps; %s is at %s", STEPS, self->name, site);
    self->wait = wait;
    self->place = place;
    self->until_ns = until_ns;
    self->site = site;
    struct thread *next = pick();
    if (!next)
        explore_abandon();
    next->is_early = !is_enabled(next);
    if (next != self)
        switch_to(next);
    if (self->is_early)
        end_early(self);
    self->wait = WAIT_NONE;
    self->gives_way = false;
}

void explore_step(const char *site) {
    explore_block(WAIT_NONE, NULL, INT64_MAX, site);
}

void explore_poll(enum wait wait, const char *site) {
    explorer->current->polls++;
    explorer->current->gives_way = true;
    explore_block(wait, NULL, INT64_MAX, site);
}

// ---- A thread's life ------------------------------------------------------------------------

static void synchronize_all(void) {
    for (int i = 1; i < explorer->thread_count; i++)
        explore_synchronize(&explorer->threads[0], &explorer->threads[i]);
    for (int i = 1; i < explorer->thread_count; i++)
        explore_synchronize(&explorer->threads[i], &explorer->threads[0]);
}

static void await_phase(int phase) {
    explorer->current->phase = phase;
    explore_block(WAIT_PHASE, NULL, INT64_MAX, "its turn");
}

static void enter_phase_and_await(int phase, int number) {
    synchronize_all();
    explorer->phase = phase;
    explorer->current->awaited = number;
    explore_block(WAIT_END, NULL, INT64_MAX, "the thread of the phase");
}

void explore_thread_exit(void) {
    struct thread *self = explorer->current;
    void (*at_exit)(void *) = self->at_exit;
    self->at_exit = NULL;
    if (at_exit)
        at_exit(self->exit_arg);
}

void explore_await_others(void) {
    explore_block(WAIT_OTHERS, NULL, INT64_MAX, "the other threads");
    for (int i = 1; i < explorer->thread_count; i++)
        if (explorer->threads[i].is_through)
            explore_synchronize(&explorer->threads[0], &explorer->threads[i]);
}

static void call(void (*fn)(void)) {
    if (fn)
        fn();
}

static void first_main(const struct explore_case *now, int count) {
    call(now->setup);
    call(now->prologue);
    for (int i = 1; i < count; i++)
        enter_phase_and_await(i, i);
    for (int i = 1; i < count; i++)
        explorer->threads[i].is_through = false;
    synchronize_all();
    explorer->phase = PHASE_RUN;
    explorer->is_exploring = true;
    now->threads[0].fn();
    explore_block(WAIT_OTHERS, NULL, INT64_MAX, "the other threads");
    explorer->is_exploring = false;
    synchronize_all();
    for (int i = 1; i < count; i++)
        explorer->threads[i].is_through = false;
    call(now->finish);
    for (int i = 1; i < count; i++)
        enter_phase_and_await(PHASE_EXIT + i, i);
}

static void other_main(struct thread *self, const struct explore_case *now, int i) {
    await_phase(i);
    call(now->prologue);
    self->is_through = true;
    await_phase(PHASE_RUN);
    now->threads[i].fn();
    self->is_through = true;
    await_phase(PHASE_EXIT + i);
}

static void thread_main(void *arg) {
    struct thread *self = arg;
    const struct explore_case *now = explorer->now;
    int i = (int)(self - explorer->threads), count = 0;
    while (count < THREADS && now->threads[count].fn)
        count++;
    self->wait = WAIT_NONE;
    if (i == 0)
        first_main(now, count);
    else if (i < count)
        other_main(self, now, i);
    else
        self->fn(self->arg);
    explore_thread_exit();
    explore_block(WAIT_EVER, NULL, INT64_MAX, "the end");
}

// ---- An execution ---------------------------------------------------------------------------

static struct thread *add_thread(const char *name, void (*fn)(void *), void *arg) {
    if (explorer->thread_count == THREADS)
        explore_fail("more than %d threads", THREADS);
    int number = explorer->thread_count++;
    struct thread *thread = &explorer->threads[number];
    thread->context = (struct weft__context){.sp = NULL};
    thread->stack = explore_stack_of(number);
    snprintf(thread->name, sizeof thread->name, "%s", name);
    thread->fn = fn;
    thread->arg = arg;
    thread->site = "its beginning";
    thread->wait = WAIT_NONE;
    thread->is_started = thread->is_through = thread->is_signalled = false;
    thread->gives_way = thread->is_early = false;
    thread->at_exit = NULL;
    thread->view = thread->acquired = thread->released = (struct view){.seen = {0}};
    thread->view.clock[number] = 1;
    thread->hash = (uint64_t)number + 1;
    thread->look_count = 0;
    thread->clock_looks = 0;
    thread->polls = thread->ran_at = 0;
    return thread;
}

int explore_spawn(const char *name, void (*fn)(void *), void *arg) {
    struct thread *thread = add_thread(name, fn, arg);
    explore_synchronize(thread, explorer->current);
    return (int)(thread - explorer->threads);
}

// Until all have ended, something was found, or all that could follow is known.
void explore_run_once(void) {
    explorer->thread_count = 0;
    explorer->location_count = 1; // 0: none
    explorer->number++;
    explorer->sc = (struct view){.seen = {0}};
    explorer->sc_hash = explorer->sc_fence_hash = 0;
    explorer->steps = explorer->accesses = explorer->traced = 0;
    explorer->phase = 0;
    explorer->is_exploring = explorer->is_pruned = explorer->has_finding = false;
    explorer->now_ns = 1000000000;
    explorer->tickets = 0;
    for (int i = 0; i < THREADS && explorer->now->threads[i].fn; i++)
        add_thread(explorer->now->threads[i].name, NULL, NULL);
    explore_memory_reset();
    if (sigsetjmp(explorer->crash, 1) == 0) {
        struct thread *first = &explorer->threads[0];
        first->is_started = true;
        weft__context_adopt(&explorer->main);
        weft__context_make(&first->context, first->stack, STACK_SIZE, first->stack + STACK_SIZE,
                           thread_main, first);
        explorer->current = first;
        explore_tls_exchange(NULL, first);
        weft__context_switch(&explorer->main, &first->context);
    }
    explorer->current = NULL;
    explorer->executions++;
    explorer->total_steps += explorer->steps;
}
