// SPDX-License-Identifier: MIT
//
// The pool behind WEFT__OP_RESOLVE: at most four threads in getaddrinfo(3), jobs in order of
// arrival. Process-wide, because the threads serve every driver. Not a limit on lookups: each is an
// operation that somebody waits for, and a cancelled one leaves the queue at once.
//
// 1. A job is QUEUED, RUNNING, then FINISHED in its driver's queue, where it waits to be reaped; or
//    ABANDONED: cancelled while it was running. It owns copies of all it needs, so an abandoned job
//    knows neither op nor driver, and the pool frees it when getaddrinfo comes back.
// 2. One lock guards every state, every list, and the threads' table. A thread publishes an answer
//    and calls the driver's `wake` in one locked section. So once a driver's last lookup was reaped
//    or cancelled, which takes the lock, no thread is inside its `wake`, and it may stop.
// 3. A thread is made when there are more queued jobs than idle threads, or else a name that takes
//    its time would hold up the next. It is made, and a predecessor that has ended is joined, under
//    the lock: both are short, and nobody can see a half-made thread.
// 4. At exit idle threads are joined; one that is inside getaddrinfo is left to end with the
//    process.
// 5. In the child of a fork(2) there are no threads: the pool starts afresh. What the parent's
//    other threads were looking up stays the parent's.
#include "driver/resolver.h"

#include "base/address.h"
#include "driver/op.h"
#include "os/inet.h"
#include "os/lock.h"
#include "os/os.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/error.h>

enum job_state { QUEUED, RUNNING, FINISHED, ABANDONED };

struct job {
    struct weft__list link; // in pool.queued, then in queue->finished
    enum job_state state;
    struct weft__driver *driver;       // these three belong to the driver's thread: none of them is
    struct weft__resolve_queue *queue; // touched once the job is ABANDONED
    struct weft__op *op;
    int64_t result;
    uint16_t port;
    size_t capacity;
    char *host;       // behind the list
    weft_addr list[]; // capacity of them
};

struct thread {
    struct weft__os_thread handle;
    enum { NOT_STARTED, IDLE, BUSY, ENDED } state; // ENDED: still to be joined
};

// All of it is guarded by the lock, but `signal`, a futex that changes when there is work.
static struct {
    struct weft__lock lock;
    WEFT__ATOMIC(uint32_t) signal;
    struct weft__list queued;
    size_t queued_count;
    struct thread threads[WEFT__RESOLVE_THREADS];
    bool is_hooked; // the two hooks at the end of this file are registered
    bool is_ending; // the process exits
} pool = {.queued = {&pool.queued, &pool.queued}};

// An answer may have any number of addresses; nobody tries more than these.
enum { LIST_MAX = 256 };

enum { NS_PER_SECOND = 1000000000 };

// ---- One lookup -----------------------------------------------------------------------------

static int64_t error_of(int code) {
    switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -WEFT_ENAME;
    case EAI_MEMORY:
        return -ENOMEM;
    default: // EAI_AGAIN, EAI_FAIL, EAI_SYSTEM: nobody said that there is no such name
        return -WEFT_ENAMEFAIL;
    }
}

// Copies the addresses of the Internet, in their order. Returns how many there were room for.
static size_t store(const struct addrinfo *found, struct job *job) {
    size_t count = 0;
    for (; found != NULL && count < job->capacity; found = found->ai_next) {
        struct sockaddr_storage storage = {0};
        if (found->ai_addrlen > sizeof storage)
            continue;
        memcpy(&storage, found->ai_addr, found->ai_addrlen);
        weft_addr addr;
        if (weft__addr_from_sockaddr(&storage, found->ai_addrlen, &addr) == 0)
            job->list[count++] =
                weft__address_make(weft__address_family(&addr), weft__address_ip(&addr), job->port,
                                   weft__address_zone(&addr));
    }
    return count;
}

// SOCK_STREAM, or each address would come once per kind of socket. No AI_ADDRCONFIG: it hides ::1
// of "localhost" on a machine whose only IPv6 address is the loopback one, which getaddrinfo does
// not count; an address of a family without a route fails at once in connect(2), and the next is
// tried.
static void look_up(struct job *job) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(job->host, NULL, &hints, &found);
    if (code != 0) {
        job->result = error_of(code);
        return;
    }
    size_t count = store(found, job);
    freeaddrinfo(found);
    job->result = count > 0 ? (int64_t)count : -WEFT_ENAME;
}

// ---- The pool's threads ---------------------------------------------------------------------

// With the lock: hands the answer over, or drops it when nobody waits for it any more.
static void publish(struct job *job) {
    if (job->state == ABANDONED) {
        weft__free(job);
        return;
    }
    job->state = FINISHED;
    weft__list_push_back(&job->queue->finished, &job->link);
    job->driver->class->wake(job->driver);
}

static struct job *pop_queued(void) {
    struct weft__list *link = weft__list_pop_front(&pool.queued);
    if (link == NULL)
        return NULL;
    pool.queued_count--;
    return WEFT__CONTAINER(link, struct job, link);
}

// With the lock, which it gives up meanwhile: waits for work. False when there was none for long.
static bool wait_for_work(void) {
    int64_t until = weft__clock_monotonic_ns() + WEFT__RESOLVE_IDLE_S * (int64_t)NS_PER_SECOND;
    while (weft__list_is_empty(&pool.queued) && !pool.is_ending) {
        if (weft__clock_monotonic_ns() >= until)
            return false;
        uint32_t seen = weft__load(&pool.signal, relaxed); // changes under the lock alone
        weft__unlock(&pool.lock);
        weft__futex_wait(&pool.signal, seen, until);
        weft__lock(&pool.lock);
    }
    return !pool.is_ending;
}

static void run_thread(void *arg) {
    struct thread *thread = arg;
    weft__lock(&pool.lock);
    while (wait_for_work()) {
        struct job *job = pop_queued();
        job->state = RUNNING;
        thread->state = BUSY;
        weft__unlock(&pool.lock);
        look_up(job);
        weft__lock(&pool.lock);
        publish(job);
        thread->state = IDLE;
    }
    thread->state = ENDED;
    weft__unlock(&pool.lock);
}

// With the lock: one more thread, if there is room. Returns 0, also when there is none.
static int add_thread(void) {
    for (size_t i = 0; i < WEFT__RESOLVE_THREADS; i++) {
        struct thread *thread = &pool.threads[i];
        if (thread->state == ENDED) { // it was in its last instructions when it wrote that
            weft__os_thread_join(&thread->handle);
            thread->state = NOT_STARTED;
        }
        if (thread->state != NOT_STARTED)
            continue;
        int error = weft__os_thread_create(&thread->handle, "weft-resolver", run_thread, thread);
        if (error == 0)
            thread->state = IDLE;
        return error;
    }
    return 0;
}

static size_t count_threads(bool only_idle) {
    size_t count = 0;
    for (size_t i = 0; i < WEFT__RESOLVE_THREADS; i++) {
        bool is_idle = pool.threads[i].state == IDLE;
        count += is_idle || (!only_idle && pool.threads[i].state == BUSY);
    }
    return count;
}

// ---- Exit and fork --------------------------------------------------------------------------

// A thread that is still in getaddrinfo(3) cannot be ended: nobody waits for it any more.
static void end_pool(void) {
    weft__lock(&pool.lock);
    pool.is_ending = true;
    weft__fetch_add(&pool.signal, 1, relaxed);
    for (size_t i = 0; i < WEFT__RESOLVE_THREADS; i++) {
        struct thread *thread = &pool.threads[i];
        if (thread->state == BUSY)
            weft__os_thread_detach(&thread->handle);
        if (thread->state != IDLE && thread->state != ENDED)
            continue;
        weft__unlock(&pool.lock);
        weft__futex_wake(&pool.signal, WEFT__RESOLVE_THREADS);
        weft__os_thread_join(&thread->handle);
        weft__lock(&pool.lock);
        thread->state = NOT_STARTED;
    }
    weft__unlock(&pool.lock);
}

static void forked(void) {
    weft__store(&pool.lock.word, 0, relaxed);
    weft__list_init(&pool.queued);
    pool.queued_count = 0;
    memset(pool.threads, 0, sizeof pool.threads);
}

// With the lock.
static int hook(void) {
    if (pool.is_hooked)
        return 0;
    if (weft__os_at_fork_child(forked) != 0 || weft__os_at_exit(end_pool) != 0)
        return -ENOMEM;
    pool.is_hooked = true;
    return 0;
}

// ---- The driver's side ----------------------------------------------------------------------

static struct job *make_job(struct weft__driver *d, struct weft__resolve_queue *queue,
                            struct weft__op *op) {
    const struct weft__op_resolve *resolve = op->resolve;
    ASSERT(resolve->capacity >= 1);
    size_t capacity = resolve->capacity < LIST_MAX ? resolve->capacity : LIST_MAX;
    size_t host_size = strlen(resolve->host) + 1;
    struct job *job = weft__alloc_lasting(sizeof *job + capacity * sizeof(weft_addr) + host_size);
    if (job == NULL)
        return NULL;
    job->driver = d;
    job->queue = queue;
    job->op = op;
    job->port = resolve->port;
    job->capacity = capacity;
    job->host = (char *)&job->list[capacity];
    memcpy(job->host, resolve->host, host_size);
    return job;
}

// With the lock. Fails only when nobody would ever run the job.
static int enqueue(struct job *job) {
    if (pool.is_ending || hook() != 0)
        return -ENOMEM;
    if (pool.queued_count + 1 > count_threads(true) && add_thread() != 0 &&
        count_threads(false) == 0)
        return -ENOMEM;
    weft__list_push_back(&pool.queued, &job->link);
    pool.queued_count++;
    weft__fetch_add(&pool.signal, 1, relaxed);
    return 0;
}

int weft__resolve_submit(struct weft__driver *d, struct weft__resolve_queue *queue,
                         struct weft__op *op) {
    struct job *job = make_job(d, queue, op);
    if (job == NULL)
        return -ENOMEM;
    weft__lock(&pool.lock);
    if (queue->finished.next == NULL)
        weft__list_init(&queue->finished);
    int error = enqueue(job);
    weft__unlock(&pool.lock);
    if (error != 0) {
        weft__free(job);
        return error;
    }
    weft__futex_wake(&pool.signal, 1);
    weft__op_begin(d, op);
    op->driver_data = job;
    queue->count++;
    return 0;
}

// With the lock: takes the job from wherever it is. True when the caller has to free it.
static bool withdraw(struct job *job) {
    if (job->state == RUNNING) {
        job->state = ABANDONED;
        return false;
    }
    if (job->state == QUEUED)
        pool.queued_count--;
    weft__list_remove(&job->link);
    return true;
}

void weft__resolve_cancel(struct weft__driver *d, struct weft__resolve_queue *queue,
                          struct weft__op *op) {
    ASSERT(op->is_pending);
    struct job *job = op->driver_data;
    weft__lock(&pool.lock);
    bool is_ours = withdraw(job);
    weft__unlock(&pool.lock);
    if (is_ours)
        weft__free(job);
    queue->count--;
    weft__own_add(&d->stats.cancels, 1);
    weft__op_deliver(d, op, -ECANCELED);
}

static struct job *pop_finished(struct weft__resolve_queue *queue) {
    weft__lock(&pool.lock);
    struct weft__list *link = weft__list_pop_front(&queue->finished);
    weft__unlock(&pool.lock);
    return link == NULL ? NULL : WEFT__CONTAINER(link, struct job, link);
}

// One at a time, because `done` may cancel the next.
size_t weft__resolve_reap(struct weft__driver *d, struct weft__resolve_queue *queue) {
    size_t count = 0;
    struct job *job;
    while (queue->count > 0 && (job = pop_finished(queue)) != NULL) {
        struct weft__op *op = job->op;
        int64_t result = job->result;
        if (result > 0)
            memcpy(op->resolve->ret_list, job->list, (size_t)result * sizeof(weft_addr));
        weft__free(job);
        queue->count--;
        count++;
        weft__op_deliver(d, op, result);
    }
    return count;
}
