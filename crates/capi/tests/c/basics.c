// Every noun once: values, lists, buffers, events, semaphores, sources, sessions, the three ways to invoke, reports.
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static raddle_module_t *waits, *sources;

static void values_go_round(raddle_runtime_t *runtime) {
    raddle_session_t *session = session_of(runtime, sources);
    raddle_function_t *echo = function_of(session, "echo");
    raddle_ref_t *list;
    OK(raddle_list_create(&list));
    OK(raddle_list_push(list, of_i32(7)));
    OK(raddle_list_push(list, of_ref(NULL)));
    raddle_value_t arguments[4] = {of_ref(list), of_i64(-5), {RADDLE_VALUE_KIND_F32, {0}}, {RADDLE_VALUE_KIND_F64, {0}}};
    arguments[2].of.f32 = 1.5f;
    arguments[3].of.f64 = -2.25;
    raddle_value_t results[4];
    size_t count;
    OK(raddle_invoke(echo, arguments, 4, NULL, results, 4, &count));
    CHECK(count == 4 && raddle_function_result_count(echo) == 4);
    CHECK(results[1].of.i64 == -5 && results[2].of.f32 == 1.5f && results[3].of.f64 == -2.25);
    CHECK(raddle_ref_equal(results[0].of.ref, list) && !raddle_ref_equal(list, NULL));
    // Results outlive their session and runtime.
    raddle_function_release(echo);
    raddle_session_release(session);
    size_t size;
    OK(raddle_list_size(results[0].of.ref, &size));
    raddle_value_t first;
    OK(raddle_list_get(results[0].of.ref, 0, &first));
    CHECK(size == 2 && first.kind == RADDLE_VALUE_KIND_I32 && first.of.i32 == 7);
    FAILS(raddle_list_get(list, 2, &first), RADDLE_CODE_OUT_OF_RANGE, "");
    raddle_ref_release(results[0].of.ref);
    char name[32];
    CHECK(raddle_ref_type_name(list, name, sizeof name) == 7 && strcmp(name, "vm.list") == 0);
    CHECK(raddle_ref_type_name(list, name, 3) == 7 && strcmp(name, "vm") == 0);
    raddle_ref_release(list);
}

static int ended;
static void end(void *data) { *(int *)data += 1; }

static void buffers_and_objects(void) {
    raddle_ref_t *buffer, *wrapped, *object;
    OK(raddle_buffer_create(8, &buffer));
    OK(raddle_buffer_write(buffer, 2, "abc", 3));
    char bytes[8];
    OK(raddle_buffer_read(buffer, 0, bytes, 8));
    CHECK(memcmp(bytes, "\0\0abc\0\0\0", 8) == 0);
    FAILS(raddle_buffer_write(buffer, 6, "abc", 3), RADDLE_CODE_OUT_OF_RANGE, "");
    static const char constant[] = "constant";
    OK(raddle_buffer_wrap(constant, 8, end, &ended, &wrapped));
    void *data;
    bool is_mutable;
    OK(raddle_buffer_data(wrapped, &data, &is_mutable));
    CHECK(data == constant && !is_mutable);
    FAILS(raddle_buffer_write(wrapped, 0, "x", 1), RADDLE_CODE_PERMISSION_DENIED, "constant");
    size_t size;
    OK(raddle_buffer_size(wrapped, &size));
    CHECK(size == 8 && ended == 0);
    raddle_ref_retain(wrapped);
    raddle_ref_release(wrapped);
    raddle_ref_release(wrapped);
    CHECK(ended == 1);
    OK(raddle_object_create("app.thing", &ended, end, &object));
    OK(raddle_ref_object(object, "app.thing", &data));
    CHECK(data == &ended);
    FAILS(raddle_ref_object(object, "app.other", &data), RADDLE_CODE_INVALID_ARGUMENT, "app.thing");
    FAILS(raddle_ref_object(buffer, "app.thing", &data), RADDLE_CODE_INVALID_ARGUMENT, "vm.buffer");
    FAILS(raddle_buffer_size(object, &size), RADDLE_CODE_INVALID_ARGUMENT, "vm.buffer");
    raddle_ref_release(object);
    CHECK(ended == 2);
    raddle_ref_release(buffer);
}

static void *set_later(void *event) {
    raddle_event_set(event);
    return NULL;
}

static void blocking(raddle_runtime_t *runtime) {
    raddle_session_t *session = session_of(runtime, waits);
    raddle_function_t *add = function_of(session, "waits.add"), *until = function_of(session, "until");
    raddle_value_t numbers[2] = {of_i32(3), of_i32(4)}, result;
    for (int i = 0; i < 1000; i++) OK(raddle_invoke(add, numbers, 2, NULL, &result, 1, NULL));
    CHECK(result.kind == RADDLE_VALUE_KIND_I32 && result.of.i32 == 7);
    char convention[16];
    CHECK(raddle_function_convention(add, convention, sizeof convention) == 5 && strcmp(convention, "0ii_i") == 0);
    raddle_event_t *event;
    OK(raddle_event_create(false, &event));
    raddle_ref_t *reference;
    OK(raddle_event_ref(event, &reference));
    raddle_value_t arguments[2] = {of_ref(reference), of_i32(9)};
    pthread_t thread;
    pthread_create(&thread, NULL, set_later, event);
    OK(raddle_invoke(until, arguments, 2, NULL, &result, 1, NULL));
    pthread_join(thread, NULL);
    CHECK(result.of.i32 == 9 && raddle_event_is_set(event));
    CHECK(raddle_event_reset(event) && !raddle_event_reset(event));
    // A deadline of the invocation, and a waiter's patience.
    raddle_invoke_options_t options = {.struct_size = sizeof options, .priority = RADDLE_PRIORITY_HIGH};
    options.deadline = raddle_runtime_now(runtime) + 1000000;
    FAILS(raddle_invoke(until, arguments, 2, &options, &result, 1, NULL), RADDLE_CODE_DEADLINE_EXCEEDED, "deadline");
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(until, arguments, 2, NULL, &invocation));
    FAILS(raddle_invocation_wait(invocation, raddle_runtime_now(runtime) + 1000000, &result, 1, NULL),
          RADDLE_CODE_DEADLINE_EXCEEDED, "");
    CHECK(raddle_invocation_ending(invocation) == RADDLE_ENDING_NONE);
    CHECK(!raddle_invocation_is_done(invocation) && raddle_session_pending(session) == 1);
    CHECK(raddle_invocation_cancel(invocation));
    FAILS(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL), RADDLE_CODE_CANCELLED, "waits.until");
    CHECK(!raddle_invocation_cancel(invocation) && raddle_invocation_is_done(invocation));
    CHECK(raddle_invocation_ending(invocation) == RADDLE_ENDING_WHILE_WAITING);
    FAILS(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL), RADDLE_CODE_FAILED_PRECONDITION, "");
    raddle_invocation_release(invocation);
    OK(raddle_session_wait_idle(session, RADDLE_NEVER));
    CHECK(!raddle_session_is_stateful(session));
    raddle_ref_release(reference);
    raddle_event_release(event);
    raddle_function_release(until);
    raddle_function_release(add);
    raddle_session_release(session);
}

typedef struct {
    raddle_event_t *done;
    raddle_code_t code;
    int32_t number;
    int calls;
} told_t;

static void tell(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    told_t *told = data;
    told->code = raddle_status_code(status);
    told->number = count > 0 ? results[0].of.i32 : -1;
    told->calls += 1;
    raddle_event_set(told->done);
}

// A host without threads that turns until the event is set.
static void turn_until(raddle_runtime_t *runtime, raddle_event_t *event) {
    int fd = raddle_runtime_fd(runtime);
    CHECK(fd >= 0);
    for (int i = 0; i < 1000000 && !raddle_event_is_set(event); i++) {
        OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
    }
    CHECK(raddle_event_is_set(event));
}

static void hosted(void) {
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_session_t *session = session_of(runtime, waits);
    raddle_function_t *delay = function_of(session, "delay"), *reaches = function_of(session, "reaches");
    told_t told = {0};
    OK(raddle_event_create(false, &told.done));
    CHECK(raddle_runtime_next_timeout(runtime) == -1);
    raddle_value_t arguments[2] = {of_i64(2000000), of_i32(5)};
    OK(raddle_invoke_async(delay, arguments, 2, NULL, tell, &told, NULL));
    CHECK(told.calls == 0);
    turn_until(runtime, told.done);
    CHECK(told.calls == 1 && told.code == 0 && told.number == 5);
    raddle_runtime_counts_t counts = {.struct_size = sizeof counts};
    OK(raddle_runtime_counts(runtime, &counts));
    CHECK(counts.poller_turns > 0);
    // A semaphore, signalled from inside the loop; the failure of one.
    raddle_semaphore_t *semaphore;
    OK(raddle_semaphore_create(1, &semaphore));
    raddle_ref_t *reference;
    OK(raddle_semaphore_ref(semaphore, &reference));
    raddle_value_t waits_for[2] = {of_ref(reference), of_i64(3)};
    raddle_event_reset(told.done);
    raddle_invocation_t *invocation;
    OK(raddle_invoke_async(reaches, waits_for, 2, NULL, tell, &told, &invocation));
    uint32_t tasks;
    bool is_more;
    OK(raddle_runtime_turn(runtime, 1, &tasks, &is_more));
    CHECK(tasks == 1 && told.calls == 1 && !raddle_invocation_is_done(invocation));
    OK(raddle_semaphore_signal(semaphore, 2));
    OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
    CHECK(told.calls == 1);
    raddle_status_t *failure = raddle_status_create(RADDLE_CODE_DATA_LOSS, "the disk is gone");
    OK(raddle_semaphore_fail(semaphore, failure));
    raddle_status_release(failure);
    turn_until(runtime, told.done);
    CHECK(told.calls == 2 && told.code == RADDLE_CODE_DATA_LOSS && raddle_invocation_is_done(invocation));
    uint64_t value;
    FAILS(raddle_semaphore_value(semaphore, &value), RADDLE_CODE_DATA_LOSS, "the disk is gone");
    FAILS(raddle_semaphore_signal(semaphore, 9), RADDLE_CODE_DATA_LOSS, "");
    raddle_invocation_release(invocation);
    raddle_ref_release(reference);
    raddle_semaphore_release(semaphore);
    raddle_event_release(told.done);
    raddle_function_release(delay);
    raddle_function_release(reaches);
    raddle_session_release(session);
    raddle_runtime_release(runtime);
}

static void collect(void *data, const char *text, size_t size) {
    (void)size;
    CHECK(strstr(text, (const char *)data));
}

static void reports_and_shutdown(void) {
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_DEFAULT, 1);
    raddle_session_t *session = session_of(runtime, waits);
    raddle_function_t *delay = function_of(session, "delay");
    told_t told = {0};
    OK(raddle_event_create(false, &told.done));
    raddle_value_t arguments[2] = {of_i64(3600000000000), of_i32(5)};
    OK(raddle_invoke_async(delay, arguments, 2, NULL, tell, &told, NULL));
    OK(raddle_runtime_dump(runtime, RADDLE_DUMP_FORMAT_TEXT, collect, "test"));
    OK(raddle_runtime_dump(runtime, RADDLE_DUMP_FORMAT_JSON, collect, "\"workers\""));
    FAILS(raddle_runtime_dump(runtime, 7, collect, ""), RADDLE_CODE_INVALID_ARGUMENT, "7");
    FAILS(raddle_runtime_turn(runtime, 0, NULL, NULL), RADDLE_CODE_FAILED_PRECONDITION, "");
    raddle_shutdown_report_t report = {.struct_size = sizeof report};
    OK(raddle_runtime_shutdown(runtime, RADDLE_NEVER, &report));
    CHECK(told.calls == 1 && told.code == RADDLE_CODE_CANCELLED);
    CHECK(report.scopes_cancelled == 1 && report.scopes_leaked == 0 && report.threads_left == 0);
    // After the end: a status, and the callback is told.
    raddle_value_t result;
    FAILS(raddle_invoke(delay, arguments, 2, NULL, &result, 1, NULL), RADDLE_CODE_FAILED_PRECONDITION, "");
    OK(raddle_invoke_async(delay, arguments, 2, NULL, tell, &told, NULL));
    CHECK(told.calls == 2 && told.code == RADDLE_CODE_FAILED_PRECONDITION);
    raddle_event_release(told.done);
    raddle_function_release(delay);
    raddle_session_release(session);
    raddle_runtime_release(runtime);
}

// Ready through a descriptor, which the host closes at once: raddle has a duplicate.
static void descriptors(raddle_runtime_t *runtime) {
    raddle_session_t *session = session_of(runtime, sources);
    raddle_function_t *until = function_of(session, "until");
    int ends[2];
    CHECK(pipe(ends) == 0);
    raddle_source_t *source;
    OK(raddle_source_from_fd(ends[0], RADDLE_INTEREST_READ, &source));
    close(ends[0]);
    raddle_ref_t *reference;
    OK(raddle_source_ref(source, &reference));
    raddle_source_release(source);
    raddle_value_t arguments[2] = {of_ref(reference), of_i32(4)}, result;
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(until, arguments, 2, NULL, &invocation));
    OK(raddle_invocation_start(invocation));
    CHECK(write(ends[1], "x", 1) == 1);
    OK(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL));
    CHECK(result.of.i32 == 4);
    close(ends[1]);
    FAILS(raddle_source_from_fd(ends[1], RADDLE_INTEREST_READ, &source), RADDLE_CODE_FAILED_PRECONDITION, "");
    FAILS(raddle_source_from_fd(-3, RADDLE_INTEREST_READ, &source), RADDLE_CODE_INVALID_ARGUMENT, "-3");
    CHECK(source == NULL);
    raddle_invocation_release(invocation);
    raddle_ref_release(reference);
    raddle_function_release(until);
    raddle_session_release(session);
}

int main(int argc, char **argv) {
    CHECK(argc == 2 && raddle_version() == RADDLE_VERSION);
    waits = load(argv[1], "waits");
    sources = load(argv[1], "sources");
    char name[16];
    CHECK(raddle_module_name(waits, name, sizeof name) == 5 && strcmp(name, "waits") == 0);
    buffers_and_objects();
    // Two runtimes in one process, one of them without a worker.
    raddle_runtime_t *workers = runtime_of(RADDLE_DRIVER_DEFAULT, 2), *host = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_runtime_t *all[] = {workers, host};
    for (int i = 0; i < 2; i++) {
        blocking(all[i]);
        values_go_round(all[i]);
        descriptors(all[i]);
    }
    raddle_runtime_release(host);
    raddle_runtime_release(workers);
    hosted();
    reports_and_shutdown();
    raddle_module_release(waits);
    raddle_module_release(sources);
    puts("basics: ok");
    return 0;
}
