// Random calls with random handles: live ones, null, released ones, ones of another kind. Each call succeeds or gives a status;
// whatever was accepted calls back once, whatever was made ends once. A seed makes the same sequence again, with one compiler and
// but for time.
//
// With debug assertions the library knows a dead handle; functions that can't fail are called with live ones only.
#include "check.h"

enum { STEPS = 6000, SLOTS = 64, KINDS = 8 };
enum kind { EVENT, SEMAPHORE, SOURCE, REF, INVOCATION, STATE, FRAME, STATUS };

typedef struct {
    void *handle;
    bool is_live;
} slot_t;

static slot_t slots[KINDS][SLOTS];
static uint64_t seed;
static int failures, accepted, called_back, made, ended;

static uint32_t next(uint32_t below) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

// A failure is as good as a success.
static bool ok(raddle_status_t *status) {
    if (!status) return true;
    CHECK(raddle_status_code(status) >= 1 && raddle_status_code(status) <= 18 && *raddle_status_message(status));
    CHECK(raddle_status_code(status) != RADDLE_CODE_INTERNAL);
    raddle_status_release(status);
    failures += 1;
    return false;
}

static void release(enum kind kind, void *handle) {
    switch (kind) {
        case EVENT: raddle_event_release(handle); break;
        case SEMAPHORE: raddle_semaphore_release(handle); break;
        case SOURCE: raddle_source_release(handle); break;
        case REF: raddle_ref_release(handle); break;
        case INVOCATION: raddle_invocation_release(handle); break;
        case STATE: raddle_state_release(handle); break;
        case FRAME: raddle_wait_frame_release(handle); break;
        case STATUS: raddle_status_release(handle); break;
    }
}

// Keeps what a call has made (in `out`), in the place of something older.
#define KEEP(kind, call)            \
    do {                            \
        bool is_made = ok(call);    \
        keep(kind, is_made, out);   \
    } while (0)
static void keep(enum kind kind, bool is_made, void *handle) {
    if (!is_made) {
        CHECK(!handle);
        return;
    }
    CHECK(handle);
    slot_t *slot = &slots[kind][next(SLOTS)];
    if (slot->is_live) release(kind, slot->handle);
    *slot = (slot_t){handle, true};
}

// A live handle of this kind, or null.
static void *live(enum kind kind) {
    slot_t *slot = &slots[kind][next(SLOTS)];
    return slot->is_live ? slot->handle : NULL;
}

// Mostly a live handle of this kind; now and then a dead one, or one of another kind.
static void *any(enum kind kind) {
    if (next(10) == 0) return slots[next(10) == 0 ? next(KINDS) : kind][next(SLOTS)].handle;
    return live(kind);
}

static void on_done(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    (void)data, (void)results;
    CHECK(!status || raddle_status_code(status) != RADDLE_CODE_INTERNAL);
    CHECK(status || count >= 1);
    called_back += 1;
}

static void on_woken(void *data, const raddle_state_t *state, const raddle_status_t *status, size_t index) {
    (void)data, (void)state, (void)status, (void)index;
    called_back += 1;
}

static void end(void *data) {
    CHECK(data == &made);
    ended += 1;
}

static raddle_value_t value(void) {
    switch (next(8)) {
        case 0: return of_i64(next(10));
        case 1: return (raddle_value_t){next(9), {.i64 = 0}};
        case 2: return of_i32((int32_t)next(10));
        default: return of_ref(any(REF));
    }
}

static void step(raddle_runtime_t *runtime, raddle_function_t *functions[], uint32_t function_count) {
    static char bytes[64];
    void *out = NULL;
    raddle_value_t values[4] = {value(), value(), value(), value()}, results[4];
    raddle_function_t *function = functions[next(function_count)];
    size_t count, argument_count = next(20) ? raddle_function_result_count(function) == 4 ? 4 : 2 : next(5);
    uint32_t word;
    bool is;
    if (argument_count == 2 && next(3)) values[1] = of_i32((int32_t)next(9));
    raddle_invoke_options_t options = {.struct_size = sizeof options, .priority = next(4)};
    if (next(4) == 0) options.deadline = raddle_runtime_now(runtime) + next(200000);
    if (next(16) == 0) options.wait_fence = any(REF);
    const raddle_semaphore_t *semaphores[2] = {any(SEMAPHORE), any(SEMAPHORE)};
    const raddle_ref_t *fences[2] = {any(REF), any(REF)};
    uint64_t points[2] = {next(4), next(4)}, point;
    raddle_wait_result_t result = {sizeof result, next(3), next(4) ? NULL : live(STATUS)};
    switch (next(34)) {
        case 0: KEEP(EVENT, raddle_event_create(next(2), (raddle_event_t **)&out)); break;
        case 1: KEEP(SEMAPHORE, raddle_semaphore_create(next(3), (raddle_semaphore_t **)&out)); break;
        case 2: KEEP(SOURCE, raddle_event_source(any(EVENT), (raddle_source_t **)&out)); break;
        case 3: KEEP(SOURCE, raddle_semaphore_source(any(SEMAPHORE), next(4), (raddle_source_t **)&out)); break;
        case 4: KEEP(SOURCE, raddle_fence_source(any(REF), (raddle_source_t **)&out)); break;
        case 5: KEEP(SOURCE, raddle_source_at(raddle_runtime_now(runtime) + next(100000), (raddle_source_t **)&out)); break;
        case 6: case 7: KEEP(REF, raddle_source_ref(any(SOURCE), (raddle_ref_t **)&out)); break;
        case 8: KEEP(REF, raddle_event_ref(any(EVENT), (raddle_ref_t **)&out)); break;
        case 9: KEEP(REF, raddle_list_create((raddle_ref_t **)&out)); break;
        case 10: KEEP(REF, raddle_buffer_create(next(64), (raddle_ref_t **)&out)); break;
        case 11: KEEP(REF, raddle_fence_create_at(semaphores, points, next(3), (raddle_ref_t **)&out)); break;
        case 12: KEEP(REF, raddle_fence_join(fences, next(3), (raddle_ref_t **)&out)); break;
        case 13:
            made += 1;
            KEEP(REF, raddle_object_create("app.thing", &made, end, (raddle_ref_t **)&out));
            break;
        case 14: KEEP(EVENT, raddle_ref_event(any(REF), (raddle_event_t **)&out)); break;
        case 15: keep(STATUS, true, raddle_status_create(1 + next(12), "by chance")); break;
        case 16: ok(raddle_list_push(any(REF), values[0])); break;
        case 17:
            if (ok(raddle_list_get(any(REF), next(3), results)) && results->kind == RADDLE_VALUE_KIND_REF && results->of.ref) {
                keep(REF, true, results->of.ref);
            }
            break;
        case 18: ok(raddle_buffer_write(any(REF), next(64), bytes, next(64))); break;
        case 19: ok(raddle_buffer_read(any(REF), next(64), bytes, next(64))); break;
        case 20: ok(raddle_semaphore_signal(any(SEMAPHORE), next(5))); break;
        case 21: ok(next(30) ? raddle_semaphore_value(any(SEMAPHORE), &point) : raddle_semaphore_fail(any(SEMAPHORE), any(STATUS))); break;
        case 22: ok(next(2) ? raddle_fence_query(any(REF), &is) : raddle_fence_signal(any(REF))); break;
        case 23: if ((out = live(EVENT))) next(2) ? raddle_event_set(out) : (void)raddle_event_reset(out); break;
        case 24: case 25:
            is = ok(raddle_invoke_async(function, values, argument_count, next(2) ? &options : NULL, on_done, NULL,
                                        next(2) ? (raddle_invocation_t **)&out : NULL));
            accepted += is;
            if (out) keep(INVOCATION, true, out);
            break;
        case 26:
            KEEP(INVOCATION, raddle_invocation_create(function, values, argument_count, next(2) ? &options : NULL, (raddle_invocation_t **)&out));
            break;
        case 27: ok(raddle_invocation_start(any(INVOCATION))); break;
        case 28:
            if (ok(raddle_invocation_wait(any(INVOCATION), 0, results, next(5), &count))) {
                for (size_t i = 0; i < count; i++) {
                    if (results[i].kind == RADDLE_VALUE_KIND_REF && results[i].of.ref) keep(REF, true, results[i].of.ref);
                }
            }
            break;
        case 29: accepted += ok(raddle_invocation_on_complete(any(INVOCATION), on_done, NULL)); break;
        case 30: if ((out = live(INVOCATION))) raddle_invocation_cancel(out); break;
        case 31: KEEP(STATE, raddle_begin(function, values, argument_count, (raddle_state_t **)&out, &word)); break;
        case 32:
            switch (next(4)) {
                case 0: KEEP(FRAME, raddle_state_wait_frame(any(STATE), (raddle_wait_frame_t **)&out)); break;
                case 1: accepted += ok(raddle_wait_invoke_async(any(STATE), next(2) ? any(FRAME) : NULL, RADDLE_NEVER, on_woken, NULL)); break;
                case 2: ok(raddle_resume(any(STATE), next(2) ? &result : NULL, &word)); break;
                case 3: ok(next(4) ? raddle_state_results(any(STATE), results, 0, &count) : raddle_end(any(STATE))); break;
            }
            break;
        case 33: ok(raddle_runtime_turn(runtime, next(8), NULL, NULL)); break;
    }
    if (next(3) == 0) {
        enum kind kind = (enum kind)next(KINDS);
        slot_t *slot = &slots[kind][next(SLOTS)];
        if (slot->is_live) release(kind, slot->handle);
        slot->is_live = false;
    }
}

static void run(const char *folder, uint64_t number) {
    seed = number * 0x9E3779B97F4A7C15;
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    raddle_module_t *sources = load(folder, "sources"), *waits = load(folder, "waits");
    raddle_session_t *first = session_of(runtime, sources), *second = session_of(runtime, waits);
    raddle_function_t *functions[] = {function_of(first, "until"), function_of(first, "any"), function_of(first, "echo"),
                                      function_of(second, "until"), function_of(second, "add"), function_of(second, "delay")};
    for (int i = 0; i < STEPS; i++) step(runtime, functions, 6);
    // The end of the runtime ends what waits; the handles outlive it.
    OK(raddle_runtime_shutdown(runtime, RADDLE_NEVER, NULL));
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < SLOTS; i++) {
            if (slots[kind][i].is_live) release((enum kind)kind, slots[kind][i].handle);
            slots[kind][i] = (slot_t){NULL, false};
        }
    }
    for (int i = 0; i < 6; i++) raddle_function_release(functions[i]);
    raddle_session_release(first);
    raddle_session_release(second);
    raddle_module_release(sources);
    raddle_module_release(waits);
    raddle_runtime_release(runtime);
}

int main(int argc, char **argv) {
    CHECK(argc >= 2);
    uint64_t from = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, count = argc > 2 ? 1 : 4;
    for (uint64_t number = from; number < from + count; number++) {
        run(argv[1], number);
        if (accepted != called_back) fprintf(stderr, "seed %llu: %d accepted, %d called back\n", (unsigned long long)number, accepted, called_back);
        CHECK(accepted == called_back && accepted > 0 && failures > 100);
        // Lists may hold each other in a circle; nothing else is lost.
        CHECK(ended <= made);
    }
    printf("sequences: ok (%d failures, %d calls back, %d of %d objects ended)\n", failures, called_back, ended, made);
    return 0;
}
