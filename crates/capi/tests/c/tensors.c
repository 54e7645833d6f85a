// Tensors from C: copied in, wrapped without a copy, and programs whose fences are the host's.
#include "check.h"

enum { F32 = 0x21000020 };

static int ended;
static void end(void *data) { *(int *)data += 1; }

static void expect_number(raddle_ref_t *view, float wanted) {
    raddle_buffer_view_info_t info = {.struct_size = sizeof info};
    OK(raddle_buffer_view_info(view, &info, NULL, 0));
    CHECK(info.element_type == F32 && info.encoding == 1 && info.rank == 0 && info.size >= 4);
    float number;
    OK(raddle_buffer_view_read(view, 0, &number, sizeof number, NULL));
    CHECK(number == wanted);
    FAILS(raddle_buffer_view_read(view, info.size, &number, sizeof number, NULL), RADDLE_CODE_OUT_OF_RANGE, "");
}

// The program waits for the host's semaphore, and its end signals the host's fence.
static void fences(raddle_runtime_t *runtime, raddle_device_t *device, const char *folder) {
    raddle_session_t *session = tensor_session(runtime, device, folder, "abs.async");
    raddle_function_t *abs = function_of(session, "abs");
    float minus = -3;
    raddle_ref_t *view, *begin, *done;
    OK(raddle_buffer_view_create(device, F32, NULL, 0, &minus, sizeof minus, &view));
    raddle_semaphore_t *semaphore;
    OK(raddle_semaphore_create(0, &semaphore));
    OK(raddle_fence_create(semaphore, 5, &begin));
    OK(raddle_fence_create(NULL, 0, &done));
    raddle_value_t arguments[3] = {of_ref(view), of_ref(begin), of_ref(done)}, result;
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(abs, arguments, 3, NULL, &invocation));
    OK(raddle_invocation_start(invocation));
    bool is_reached;
    OK(raddle_fence_query(done, &is_reached));
    CHECK(!is_reached);
    raddle_source_t *source;
    OK(raddle_fence_source(done, &source));
    OK(raddle_semaphore_signal(semaphore, 5));
    OK(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL));
    raddle_invocation_release(invocation);
    while (!is_reached) {
        raddle_status_release(raddle_runtime_turn(runtime, 0, NULL, NULL));
        OK(raddle_fence_query(done, &is_reached));
    }
    uint32_t ready;
    OK(raddle_source_query(source, &ready));
    CHECK(ready == RADDLE_READY_READY);
    expect_number(result.of.ref, 3);
    FAILS(raddle_fence_signal(done), RADDLE_CODE_INVALID_ARGUMENT, "");
    raddle_source_release(source);
    raddle_ref_release(result.of.ref);
    // What fails before the program begins fails it.
    raddle_ref_t *torn;
    OK(raddle_fence_create(NULL, 0, &torn));
    raddle_ref_release(done);
    OK(raddle_fence_create(NULL, 0, &done));
    raddle_value_t again[3] = {of_ref(view), of_ref(torn), of_ref(done)};
    OK(raddle_invocation_create(abs, again, 3, NULL, &invocation));
    OK(raddle_invocation_start(invocation));
    raddle_status_t *failure = raddle_status_create(RADDLE_CODE_DATA_LOSS, "torn");
    OK(raddle_fence_fail(torn, failure));
    raddle_status_release(failure);
    // The invocation fails, or it returns a tensor whose fence has failed: as the program was compiled.
    raddle_status_t *told = raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL);
    if (!told) {
        raddle_ref_release(result.of.ref);
        while (!told) {
            raddle_status_release(raddle_runtime_turn(runtime, 0, NULL, NULL));
            told = raddle_fence_query(done, &is_reached);
        }
    }
    CHECK(raddle_status_code(told) == RADDLE_CODE_DATA_LOSS && strstr(raddle_status_message(told), "torn"));
    raddle_status_release(told);
    raddle_invocation_release(invocation);
    raddle_ref_release(torn);
    raddle_ref_release(begin);
    raddle_ref_release(done);
    raddle_ref_release(view);
    raddle_semaphore_release(semaphore);
    raddle_function_release(abs);
    raddle_session_release(session);
}

// The fences of a call in its options: two semaphores of the host's before it, one after it.
static void fences_of_an_invoke(raddle_runtime_t *runtime, raddle_device_t *device, const char *folder) {
    raddle_session_t *session = tensor_session(runtime, device, folder, "abs.async");
    raddle_function_t *abs = function_of(session, "abs");
    float minus = -3;
    raddle_ref_t *view, *begin, *done, *joined;
    OK(raddle_buffer_view_create(device, F32, NULL, 0, &minus, sizeof minus, &view));
    raddle_semaphore_t *semaphores[3];
    for (int i = 0; i < 3; i++) OK(raddle_semaphore_create(0, &semaphores[i]));
    uint64_t values[] = {5, 2}, value;
    const raddle_semaphore_t *both[] = {semaphores[0], semaphores[1]}, *none[] = {NULL};
    OK(raddle_fence_create_at(both, values, 2, &begin));
    FAILS(raddle_fence_create_at(none, values, 1, &done), RADDLE_CODE_INVALID_ARGUMENT, "a semaphore");
    FAILS(raddle_fence_create_at(both, NULL, 2, &done), RADDLE_CODE_INVALID_ARGUMENT, "values");
    OK(raddle_fence_create(semaphores[2], 7, &done));
    const raddle_ref_t *fences[] = {begin, NULL, done};
    OK(raddle_fence_join(fences, 3, &joined));
    char model[32];
    size_t size;
    OK(raddle_function_attribute(abs, "iree.abi.model", model, sizeof model, &size));
    CHECK(size == 13 && strcmp(model, "coarse-fences") == 0);
    FAILS(raddle_function_attribute(abs, "color", model, sizeof model, NULL), RADDLE_CODE_NOT_FOUND, "color");
    raddle_invoke_options_t options = {.struct_size = sizeof options, .wait_fence = begin, .signal_fence = done};
    raddle_value_t argument = of_ref(view), result;
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(abs, &argument, 1, &options, &invocation));
    OK(raddle_invocation_start(invocation));
    OK(raddle_semaphore_signal(semaphores[0], 5));
    FAILS(raddle_invocation_wait(invocation, raddle_runtime_now(runtime) + 1000000, &result, 1, NULL),
          RADDLE_CODE_DEADLINE_EXCEEDED, "");
    bool is_reached;
    OK(raddle_fence_query(joined, &is_reached));
    CHECK(!is_reached);
    OK(raddle_semaphore_signal(semaphores[1], 2));
    OK(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL));
    expect_number(result.of.ref, 3);
    OK(raddle_semaphore_value(semaphores[2], &value));
    OK(raddle_fence_query(joined, &is_reached));
    CHECK(value == 7 && is_reached);
    raddle_ref_release(result.of.ref);
    // Only the one, only the other, neither.
    const raddle_ref_t *first[] = {begin, NULL, NULL, begin};
    for (int i = 0; i < 4; i++) {
        raddle_ref_t *end = NULL;
        if (i == 1) OK(raddle_fence_create(NULL, 0, &end));
        options.wait_fence = first[i];
        options.signal_fence = end;
        OK(raddle_invoke(abs, &argument, 1, &options, &result, 1, NULL));
        expect_number(result.of.ref, 3);
        if (end) OK(raddle_fence_query(end, &is_reached));
        CHECK(is_reached);
        raddle_ref_release(result.of.ref);
        raddle_ref_release(end);
    }
    // What fails before, fails it and what it was to signal.
    raddle_ref_t *torn, *after;
    OK(raddle_fence_create(NULL, 0, &torn));
    OK(raddle_fence_create(NULL, 0, &after));
    raddle_status_t *failure = raddle_status_create(RADDLE_CODE_DATA_LOSS, "torn");
    OK(raddle_fence_fail(torn, failure));
    raddle_status_release(failure);
    options.wait_fence = torn;
    options.signal_fence = after;
    FAILS(raddle_invoke(abs, &argument, 1, &options, &result, 1, NULL), RADDLE_CODE_DATA_LOSS, "torn");
    FAILS(raddle_fence_query(after, &is_reached), RADDLE_CODE_DATA_LOSS, "torn");
    // No fences, and none that are taken.
    options.wait_fence = view;
    FAILS(raddle_invoke(abs, &argument, 1, &options, &result, 1, NULL), RADDLE_CODE_INVALID_ARGUMENT, "hal.fence");
    options.wait_fence = begin;
    raddle_session_t *synchronous = tensor_session(runtime, device, folder, "abs.sync");
    raddle_function_t *simple = function_of(synchronous, "abs");
    FAILS(raddle_invoke(simple, &argument, 1, &options, &result, 1, NULL), RADDLE_CODE_INVALID_ARGUMENT, "takes no fences");
    raddle_function_release(simple);
    raddle_session_release(synchronous);
    raddle_ref_t *all[] = {torn, after, begin, done, joined, view};
    for (int i = 0; i < 6; i++) raddle_ref_release(all[i]);
    for (int i = 0; i < 3; i++) raddle_semaphore_release(semaphores[i]);
    raddle_invocation_release(invocation);
    raddle_function_release(abs);
    raddle_session_release(session);
}

// A fence of two semaphores is one source: for programs, for native functions, for the low level.
static void fence_source(raddle_runtime_t *runtime, const char *folder) {
    raddle_module_t *sources = load(folder, "sources");
    raddle_session_t *session = session_of(runtime, sources);
    raddle_function_t *until = function_of(session, "until");
    for (int torn = 0; torn < 2; torn++) {
        raddle_semaphore_t *one, *two;
        OK(raddle_semaphore_create(0, &one));
        OK(raddle_semaphore_create(0, &two));
        const raddle_semaphore_t *both[] = {one, two};
        uint64_t values[] = {1, 1};
        raddle_ref_t *fence, *reference;
        OK(raddle_fence_create_at(both, values, 2, &fence));
        raddle_source_t *source;
        OK(raddle_fence_source(fence, &source));
        raddle_ref_release(fence);
        OK(raddle_source_ref(source, &reference));
        raddle_value_t arguments[2] = {of_ref(reference), of_i32(9)}, result;
        raddle_invocation_t *invocation;
        OK(raddle_invocation_create(until, arguments, 2, NULL, &invocation));
        // Patience is over at once: it runs until it waits.
        FAILS(raddle_invocation_wait(invocation, 0, &result, 1, NULL), RADDLE_CODE_DEADLINE_EXCEEDED, "");
        OK(raddle_semaphore_signal(two, 1));
        uint32_t ready;
        OK(raddle_source_query(source, &ready));
        CHECK(ready == RADDLE_READY_PENDING);
        FAILS(raddle_invocation_wait(invocation, raddle_runtime_now(runtime) + 1000000, &result, 1, NULL),
              RADDLE_CODE_DEADLINE_EXCEEDED, "");
        if (torn) {
            raddle_status_t *failure = raddle_status_create(RADDLE_CODE_DATA_LOSS, "torn");
            OK(raddle_semaphore_fail(one, failure));
            raddle_status_release(failure);
            FAILS(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL), RADDLE_CODE_DATA_LOSS, "torn");
        } else {
            OK(raddle_semaphore_signal(one, 1));
            OK(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL));
            CHECK(result.of.i32 == 9);
        }
        raddle_invocation_release(invocation);
        raddle_ref_release(reference);
        raddle_source_release(source);
        raddle_semaphore_release(one);
        raddle_semaphore_release(two);
    }
    raddle_function_release(until);
    raddle_session_release(session);
    raddle_module_release(sources);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    for (uint32_t workers = 0; workers < 3; workers++) {
        raddle_runtime_t *runtime = runtime_of(workers ? RADDLE_DRIVER_DEFAULT : RADDLE_DRIVER_HOST, workers);
        raddle_device_options_t options = {.struct_size = sizeof options, .is_native_code_run = 1};
        raddle_device_t *device;
        OK(raddle_device_create(runtime, &options, &device));
        raddle_session_t *session = tensor_session(runtime, device, argv[1], "abs.sync");
        raddle_function_t *abs = function_of(session, "abs");
        float minus = -2.5f;
        raddle_ref_t *view;
        FAILS(raddle_buffer_view_create(device, F32, NULL, 0, &minus, 3, &view), RADDLE_CODE_INVALID_ARGUMENT, "3 bytes");
        OK(raddle_buffer_view_create(device, F32, NULL, 0, &minus, sizeof minus, &view));
        raddle_value_t argument = of_ref(view), result;
        OK(raddle_invoke(abs, &argument, 1, NULL, &result, 1, NULL));
        expect_number(result.of.ref, 2.5f);
        raddle_ref_release(result.of.ref);
        raddle_ref_release(view);
        // Without a copy.
        float *mine = aligned_alloc(64, 64);
        mine[0] = -7;
        uint64_t two = 2;
        ended = 0;
        FAILS(raddle_buffer_view_wrap(F32, &two, 1, mine, 4, end, &ended, &view), RADDLE_CODE_INVALID_ARGUMENT, "4 bytes");
        FAILS(raddle_buffer_view_wrap(F32, NULL, 0, mine + 1, 4, end, &ended, &view), RADDLE_CODE_OUT_OF_RANGE, "64");
        OK(raddle_buffer_view_wrap(F32, NULL, 0, mine, 4, end, &ended, &view));
        mine[0] = -8;
        argument = of_ref(view);
        OK(raddle_invoke(abs, &argument, 1, NULL, &result, 1, NULL));
        expect_number(result.of.ref, 8);
        CHECK(ended == 0);
        raddle_ref_release(view);
        fences(runtime, device, argv[1]);
        fences_of_an_invoke(runtime, device, argv[1]);
        fence_source(runtime, argv[1]);
        raddle_function_release(abs);
        raddle_session_release(session);
        raddle_device_release(device);
        raddle_runtime_release(runtime);
        // A result outlives its session, device and runtime.
        expect_number(result.of.ref, 8);
        raddle_ref_release(result.of.ref);
        CHECK(ended == 1);
        free(mine);
    }
    puts("tensors: ok");
    return 0;
}
