// What documented calls do when they are used wrongly: a status, or the end of the process with a message.
#include "child.h"
#include <pthread.h>

static void nulls(const char *folder) {
    raddle_runtime_t *runtime;
    FAILS(raddle_runtime_create(NULL, NULL), RADDLE_CODE_INVALID_ARGUMENT, "out_runtime");
    raddle_runtime_options_t options = {0};
    FAILS(raddle_runtime_create(&options, &runtime), RADDLE_CODE_INVALID_ARGUMENT, "struct_size");
    options.struct_size = sizeof options;
    options.driver = 9;
    FAILS(raddle_runtime_create(&options, &runtime), RADDLE_CODE_INVALID_ARGUMENT, "9");
    CHECK(runtime == NULL);
    struct { raddle_runtime_options_t options; size_t more; } newer = {{sizeof newer, 0, 1, NULL, 0}, 1};
    FAILS(raddle_runtime_create(&newer.options, &runtime), RADDLE_CODE_UNIMPLEMENTED, "raddle_runtime_options_t");
    runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_session_t *session;
    FAILS(raddle_session_create(NULL, NULL, 0, NULL, &session), RADDLE_CODE_INVALID_ARGUMENT, "`runtime` is null");
    FAILS(raddle_session_create(runtime, NULL, 2, NULL, &session), RADDLE_CODE_INVALID_ARGUMENT, "`modules` is null");
    const raddle_module_t *none[] = {NULL};
    FAILS(raddle_session_create(runtime, none, 1, NULL, &session), RADDLE_CODE_INVALID_ARGUMENT, "a module");
    raddle_module_t *module, *waits = load(folder, "waits");
    FAILS(raddle_session_create((raddle_runtime_t *)waits, NULL, 0, NULL, &session), RADDLE_CODE_INVALID_ARGUMENT,
          "is not a raddle_runtime_t");
    FAILS(raddle_module_from_file("no such file", &module), RADDLE_CODE_NOT_FOUND, "no such file");
    FAILS(raddle_module_from_file("\xff", &module), RADDLE_CODE_INVALID_ARGUMENT, "UTF-8");
    FAILS(raddle_module_from_memory("nonsense", 8, NULL, NULL, &module), RADDLE_CODE_INVALID_ARGUMENT, "");
    FAILS(raddle_module_from_memory(NULL, 8, NULL, NULL, &module), RADDLE_CODE_INVALID_ARGUMENT, "`data` is null");
    session = session_of(runtime, waits);
    raddle_module_release(waits);
    raddle_function_t *function;
    FAILS(raddle_session_function(session, NULL, &function), RADDLE_CODE_INVALID_ARGUMENT, "`name`");
    FAILS(raddle_session_function(session, "nothing", &function), RADDLE_CODE_NOT_FOUND, "nothing");
    function = function_of(session, "add");
    raddle_value_t arguments[2] = {of_i32(1), {99, {0}}}, results[2];
    FAILS(raddle_invoke(function, arguments, 2, NULL, results, 2, NULL), RADDLE_CODE_INVALID_ARGUMENT, "in argument 1");
    FAILS(raddle_invoke(function, arguments, 1, NULL, results, 2, NULL), RADDLE_CODE_INVALID_ARGUMENT, "2 arguments");
    FAILS(raddle_invoke(function, NULL, 2, NULL, results, 2, NULL), RADDLE_CODE_INVALID_ARGUMENT, "`arguments`");
    arguments[1] = of_i32(2);
    FAILS(raddle_invoke(function, arguments, 2, NULL, NULL, 0, NULL), RADDLE_CODE_INVALID_ARGUMENT, "room");
    FAILS(raddle_invoke_async(function, arguments, 2, NULL, NULL, NULL, NULL), RADDLE_CODE_INVALID_ARGUMENT, "callback");
    raddle_invoke_options_t late = {.struct_size = sizeof late, .priority = 44};
    FAILS(raddle_invoke(function, arguments, 2, &late, results, 2, NULL), RADDLE_CODE_INVALID_ARGUMENT, "44");
    raddle_source_t *source;
    FAILS(raddle_source_create(NULL, NULL, &source), RADDLE_CODE_INVALID_ARGUMENT, "`arm`");
    FAILS(raddle_native_yield(NULL, NULL, NULL, NULL), RADDLE_CODE_INVALID_ARGUMENT, "");
    FAILS(raddle_semaphore_fail(NULL, NULL), RADDLE_CODE_INVALID_ARGUMENT, "");
    raddle_runtime_retain(NULL);
    raddle_runtime_release(NULL);
    CHECK(raddle_status_code(NULL) == 0 && strcmp(raddle_status_message(NULL), "OK") == 0);
    CHECK(strcmp(raddle_code_name(99), "UNKNOWN") == 0);
    raddle_function_release(function);
    raddle_session_release(session);
    raddle_runtime_release(runtime);
}

// Runs `crime` in a child; it must abort, with `text` on its standard error.
static void dies(void (*crime)(void *), const char *text) {
    char said[4096];
    int state = in_child(crime, NULL, said, sizeof said);
    if (!has_aborted(state, said, text)) {
        fprintf(stderr, "expected an abort with `%s`, got state %d and: %s\n", text, state, said);
        exit(1);
    }
}

static void release_twice(void *unused) {
    (void)unused;
    raddle_event_t *event;
    OK(raddle_event_create(false, &event));
    raddle_event_release(event);
    raddle_event_release(event);
}

static void use_after_release(void *unused) {
    (void)unused;
    raddle_event_t *event;
    OK(raddle_event_create(false, &event));
    raddle_event_release(event);
    raddle_event_set(event);
}

static void set_null(void *unused) {
    (void)unused;
    raddle_event_set(NULL);
}

static void wrong_kind(void *unused) {
    (void)unused;
    raddle_ref_t *buffer;
    OK(raddle_buffer_create(1, &buffer));
    raddle_event_set((raddle_event_t *)buffer);
}

static raddle_session_t *released;
static raddle_runtime_t *host;


static void release_inside(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    (void)results, (void)count;
    CHECK(raddle_status_code(status) == RADDLE_CODE_CANCELLED || !status);
    // Everything, the runtime too, from inside one of its own callbacks.
    raddle_session_release(released);
    raddle_runtime_release(host);
    raddle_event_set(data);
}

// The last handles are released inside a callback, on a worker and in the host's turn.
static void released_in_a_callback(const char *folder, uint32_t workers) {
    raddle_module_t *module = load(folder, "waits");
    host = runtime_of(workers ? RADDLE_DRIVER_DEFAULT : RADDLE_DRIVER_HOST, workers);
    released = session_of(host, module);
    raddle_function_t *delay = function_of(released, "delay");
    raddle_value_t arguments[2] = {of_i64(100000), of_i32(1)};
    raddle_event_t *done;
    OK(raddle_event_create(false, &done));
    raddle_runtime_t *mine = host;
    if (!workers) raddle_runtime_retain(mine);
    OK(raddle_invoke_async(delay, arguments, 2, NULL, release_inside, done, NULL));
    while (!raddle_event_is_set(done)) {
        if (!workers) OK(raddle_runtime_turn(mine, 0, NULL, NULL));
    }
    if (!workers) raddle_runtime_release(mine);
    raddle_event_release(done);
    raddle_function_release(delay);
    raddle_module_release(module);
}

// A turn inside a turn is refused; a wait inside a turn's callback that would wait for ever is too.
static raddle_function_t *inner;
static void turn_inside(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    (void)status, (void)results, (void)count;
    FAILS(raddle_runtime_turn(host, 0, NULL, NULL), RADDLE_CODE_UNAVAILABLE, "turn");
    raddle_value_t numbers[2] = {of_i32(2), of_i32(3)}, result;
    OK(raddle_invoke(inner, numbers, 2, NULL, &result, 1, NULL));
    CHECK(result.of.i32 == 5);
    raddle_event_set(data);
}

static void reentrant(const char *folder) {
    raddle_module_t *module = load(folder, "waits");
    host = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_session_t *session = session_of(host, module);
    inner = function_of(session, "add");
    raddle_value_t numbers[2] = {of_i32(2), of_i32(3)};
    raddle_event_t *done;
    OK(raddle_event_create(false, &done));
    OK(raddle_invoke_async(inner, numbers, 2, NULL, turn_inside, done, NULL));
    while (!raddle_event_is_set(done)) OK(raddle_runtime_turn(host, 0, NULL, NULL));
    raddle_event_release(done);
    raddle_function_release(inner);
    raddle_session_release(session);
    raddle_runtime_release(host);
    raddle_module_release(module);
}

// A forked child gets statuses, and may release what it inherited.
static void forked(const char *folder) {
    raddle_module_t *module = load(folder, "waits");
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_session_t *session = session_of(runtime, module);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        FAILS(raddle_runtime_turn(runtime, 0, NULL, NULL), RADDLE_CODE_FAILED_PRECONDITION, "fork");
        raddle_session_release(session);
        raddle_runtime_release(runtime);
        raddle_module_release(module);
        _exit(0);
    }
    int state;
    CHECK(waitpid(child, &state, 0) == child && state == 0);
    OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
    raddle_session_release(session);
    raddle_runtime_release(runtime);
    raddle_module_release(module);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    nulls(argv[1]);
    dies(release_twice, "raddle_event_release: `the handle` is a raddle_event_t that was released before");
    dies(use_after_release, "raddle_event_set: `the handle` is a raddle_event_t that was released before");
    dies(set_null, "raddle_event_set: `the handle` is null");
    dies(wrong_kind, "is not a raddle_event_t");
    raddle_event_t *gone;
    OK(raddle_event_create(false, &gone));
    raddle_event_release(gone);
    raddle_ref_t *reference;
    FAILS(raddle_event_ref(gone, &reference), RADDLE_CODE_INVALID_ARGUMENT, "released before");
    released_in_a_callback(argv[1], 0);
    released_in_a_callback(argv[1], 1);
    reentrant(argv[1]);
    forked(argv[1]);
    puts("misuse: ok");
    return 0;
}
