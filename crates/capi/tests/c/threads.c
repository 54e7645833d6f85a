// Many threads on one runtime: invocations, cancellations, completions from another thread during `arm`, shared handles.
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 200 };

static raddle_function_t *add, *until;
static atomic_int arms, ended[3];

// A source whose wakers are completed by a thread of its own, as soon as they are there.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static raddle_waker_t *queue[THREADS * ROUNDS * 2];
static int queued, taken, is_over;

static void arm(void *data, raddle_waker_t *waker) {
    (void)data;
    arms += 1;
    // Two holders: the other thread may complete and release its own before this call returns.
    raddle_waker_retain(waker);
    pthread_mutex_lock(&lock);
    queue[queued++] = waker;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    raddle_waker_complete(waker, NULL);
    raddle_waker_release(waker);
}

static void *complete(void *unused) {
    pthread_mutex_lock(&lock);
    for (;;) {
        while (taken == queued && !is_over) pthread_cond_wait(&filled, &lock);
        if (taken == queued) break;
        raddle_waker_t *waker = queue[taken++];
        pthread_mutex_unlock(&lock);
        raddle_waker_complete(waker, NULL);
        raddle_waker_release(waker);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

static void on_end(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    (void)data;
    if (status) {
        CHECK(raddle_status_code(status) == RADDLE_CODE_CANCELLED);
        ended[1] += 1;
    } else {
        CHECK(count == 1 && results[0].of.i32 >= 0);
        ended[0] += 1;
    }
}

static void *work(void *source) {
    raddle_ref_t *reference;
    OK(raddle_source_ref(source, &reference));
    for (int i = 0; i < ROUNDS; i++) {
        raddle_value_t numbers[2] = {of_i32(i), of_i32(1)}, result;
        OK(raddle_invoke(add, numbers, 2, NULL, &result, 1, NULL));
        CHECK(result.of.i32 == i + 1);
        raddle_value_t waits[2] = {of_ref(reference), of_i32(i)};
        OK(raddle_invoke(until, waits, 2, NULL, &result, 1, NULL));
        CHECK(result.of.i32 == i);
        raddle_invocation_t *invocation;
        OK(raddle_invoke_async(until, waits, 2, NULL, on_end, NULL, &invocation));
        if (i % 2) raddle_invocation_cancel(invocation);
        raddle_invocation_release(invocation);
    }
    raddle_ref_release(reference);
    return NULL;
}

static void quiet(void *data, uint32_t severity, const char *message) { (void)data, (void)severity, (void)message; }

int main(int argc, char **argv) {
    CHECK(argc == 2);
    raddle_set_log(quiet, NULL);
    raddle_module_t *waits = load(argv[1], "waits"), *sources = load(argv[1], "sources");
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_DEFAULT, 2);
    raddle_session_t *first = session_of(runtime, waits), *second = session_of(runtime, sources);
    add = function_of(first, "add");
    until = function_of(second, "until");
    raddle_source_table_t table = {.struct_size = sizeof table, .arm = arm};
    raddle_source_t *source;
    OK(raddle_source_create(&table, NULL, &source));
    pthread_t completer, threads[THREADS];
    pthread_create(&completer, NULL, complete, NULL);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, source);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    OK(raddle_session_wait_idle(second, RADDLE_NEVER));
    CHECK(ended[0] + ended[1] == THREADS * ROUNDS);
    pthread_mutex_lock(&lock);
    is_over = 1;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
    pthread_join(completer, NULL);
    CHECK(arms >= THREADS * ROUNDS);
    raddle_source_release(source);
    raddle_function_release(add);
    raddle_function_release(until);
    raddle_session_release(first);
    raddle_session_release(second);
    raddle_runtime_release(runtime);
    raddle_module_release(waits);
    raddle_module_release(sources);
    puts("threads: ok");
    return 0;
}
