// Functions of the host's that programs call, wait sources of the host's, and the low level.
#include "check.h"
#include <pthread.h>

// A source of the host's: a table of two functions over a list of wakers.
typedef struct {
    pthread_mutex_t lock;
    raddle_waker_t *wakers[8];
    int count, arms, disarms, releases, is_ready, completes_in_arm;
} signal_t;

static void *complete(void *waker) {
    CHECK(raddle_waker_complete(waker, NULL));
    raddle_waker_release(waker);
    return NULL;
}

enum { HERE = 1, ELSEWHERE = 2 };

static void signal_arm(void *data, raddle_waker_t *waker) {
    signal_t *signal = data;
    if (signal->completes_in_arm == HERE) {
        complete(waker);
        return;
    }
    if (signal->completes_in_arm == ELSEWHERE) {
        // Another thread has completed and released it before this call returns.
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, complete, waker) == 0 && pthread_join(thread, NULL) == 0);
        return;
    }
    pthread_mutex_lock(&signal->lock);
    CHECK(signal->count < 8);
    signal->wakers[signal->count++] = waker;
    signal->arms += 1;
    pthread_mutex_unlock(&signal->lock);
}

static void signal_disarm(void *data, raddle_waker_name_t name) {
    signal_t *signal = data;
    raddle_waker_t *found = NULL;
    pthread_mutex_lock(&signal->lock);
    for (int i = 0; i < signal->count; i++) {
        raddle_waker_name_t mine;
        OK(raddle_waker_name(signal->wakers[i], &mine));
        if (memcmp(&mine, &name, sizeof name) == 0) {
            found = signal->wakers[i];
            signal->wakers[i] = signal->wakers[--signal->count];
            signal->disarms += 1;
        }
    }
    pthread_mutex_unlock(&signal->lock);
    raddle_waker_release(found);
}

static void signal_release(void *data) { ((signal_t *)data)->releases += 1; }

static uint32_t signal_query(void *data, raddle_status_t **status) {
    (void)status;
    return ((signal_t *)data)->is_ready ? RADDLE_READY_READY : RADDLE_READY_PENDING;
}

static raddle_source_t *source_of(signal_t *signal) {
    pthread_mutex_init(&signal->lock, NULL);
    raddle_source_table_t table = {.struct_size = sizeof table, .name = "signal", .arm = signal_arm,
                                   .query = signal_query, .disarm = signal_disarm, .release = signal_release};
    raddle_source_t *source;
    OK(raddle_source_create(&table, signal, &source));
    return source;
}

// Completes all wakers, each of them twice: the second does nothing.
static int fire(signal_t *signal, const raddle_status_t *status) {
    pthread_mutex_lock(&signal->lock);
    int count = signal->count, counted = 0;
    raddle_waker_t *wakers[8];
    memcpy(wakers, signal->wakers, sizeof wakers);
    signal->count = 0;
    pthread_mutex_unlock(&signal->lock);
    for (int i = 0; i < count; i++) {
        counted += raddle_waker_complete(wakers[i], status);
        CHECK(!raddle_waker_complete(wakers[i], status));
        raddle_waker_release(wakers[i]);
    }
    return counted;
}

static int warnings;
static void hear(void *data, uint32_t severity, const char *message) {
    (void)data;
    CHECK(severity == RADDLE_SEVERITY_WARNING && strstr(message, "'signal' was completed twice"));
    __atomic_fetch_add(&warnings, 1, __ATOMIC_RELAXED);
}

// The functions of the module `host`.
static raddle_status_t *add(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                            raddle_value_t *results, size_t result_count) {
    (void)call;
    CHECK(*(int *)data == 77 && count == 4 && result_count == 1 && results[0].kind == RADDLE_VALUE_KIND_F64);
    results[0].of.f64 = arguments[0].of.i32 + (double)arguments[1].of.i64 + arguments[2].of.f32 + arguments[3].of.f64;
    return NULL;
}

typedef struct {
    raddle_source_t *source;
    int32_t number;
    int ends;
} awaited_t;

static void awaited_end(void *data) { ((awaited_t *)data)->ends += 1; }

static raddle_status_t *go_on(void *data, raddle_native_call_t *call, const raddle_status_t *status, size_t index,
                              raddle_value_t *results, size_t count) {
    (void)call;
    awaited_t *awaited = data;
    CHECK(count == 1 && index == 0);
    if (status) {
        raddle_status_t *failure;
        OK(raddle_status_within(status, "in go_on", &failure));
        return failure;
    }
    results[0].of.i32 = awaited->number;
    return NULL;
}

static raddle_status_t *resume_after_yield(void *data, raddle_native_call_t *call, const raddle_status_t *status,
                                           size_t index, raddle_value_t *results, size_t count) {
    (void)index, (void)results, (void)count;
    CHECK(!status);
    awaited_t *awaited = data;
    const raddle_source_t *sources[] = {awaited->source};
    return raddle_native_wait(call, RADDLE_CONDITION_KIND_UNTIL, sources, 1, RADDLE_NEVER, go_on, data, awaited_end);
}

// Yields, then waits for the value, then gives its number.
static raddle_status_t *await(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                              raddle_value_t *results, size_t result_count) {
    (void)data, (void)results;
    CHECK(count == 1 && result_count == 1);
    void *awaited;
    raddle_status_t *status = raddle_ref_object(arguments[0].of.ref, "awaited", &awaited);
    if (status) return status;
    status = raddle_native_yield(call, resume_after_yield, awaited, awaited_end);
    if (status) return status;
    FAILS(raddle_native_yield(call, resume_after_yield, awaited, awaited_end), RADDLE_CODE_INVALID_ARGUMENT, "already");
    return NULL;
}

static raddle_status_t *sum(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                            raddle_value_t *results, size_t result_count) {
    (void)data, (void)call, (void)result_count;
    CHECK(count == 4 && arguments[1].of.i32 == 2);
    results[0] = of_i64(arguments[0].of.i32 + arguments[2].of.i32 + arguments[3].of.i32);
    return NULL;
}

static raddle_status_t *fail(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                             raddle_value_t *results, size_t result_count) {
    (void)data, (void)call, (void)count, (void)results, (void)result_count;
    return raddle_status_create(arguments[0].of.i32, "as asked");
}

static raddle_session_t *host_session(raddle_runtime_t *runtime, raddle_module_t *client, int *data, awaited_t *end) {
    raddle_native_function_t functions[] = {
        {"add", "0iIfF_F", add, NULL}, {"await", "0r_i", await, NULL}, {"sum", "0iCiD_i", sum, NULL}, {"fail", "0i_v", fail, NULL},
    };
    raddle_native_module_options_t options = {.struct_size = sizeof options, .name = "host", .version = 1,
                                              .function_count = 4, .functions = functions, .user_data = data};
    (void)end;
    raddle_module_t *host;
    OK(raddle_module_native(&options, &host));
    const raddle_module_t *modules[] = {host, client};
    raddle_session_t *session;
    FAILS(raddle_session_create(runtime, modules + 1, 1, NULL, &session), RADDLE_CODE_NOT_FOUND, "module host");
    OK(raddle_session_create(runtime, modules, 2, NULL, &session));
    raddle_module_release(host);
    functions[3].name = "add";
    FAILS(raddle_module_native(&options, &host), RADDLE_CODE_ALREADY_EXISTS, "add");
    functions[3].name = NULL;
    FAILS(raddle_module_native(&options, &host), RADDLE_CODE_INVALID_ARGUMENT, "name");
    functions[3].name = "x";
    functions[3].convention = "i_v";
    FAILS(raddle_module_native(&options, &host), RADDLE_CODE_UNIMPLEMENTED, "i_v");
    functions[3].function = NULL;
    FAILS(raddle_module_native(&options, &host), RADDLE_CODE_INVALID_ARGUMENT, "'x' is null");
    return session;
}

static void native_functions(raddle_runtime_t *runtime, raddle_module_t *client) {
    int data = 77;
    raddle_session_t *session = host_session(runtime, client, &data, NULL);
    raddle_function_t *adds = function_of(session, "add"), *twice = function_of(session, "twice");
    raddle_function_t *sums = function_of(session, "sum"), *fails = function_of(session, "fail");
    raddle_value_t arguments[4] = {of_i32(1), of_i64(2), {RADDLE_VALUE_KIND_F32, {0}}, {RADDLE_VALUE_KIND_F64, {0}}}, result;
    arguments[2].of.f32 = 0.5f;
    arguments[3].of.f64 = 0.25;
    OK(raddle_invoke(adds, arguments, 4, NULL, &result, 1, NULL));
    CHECK(result.of.f64 == 3.75);
    raddle_value_t three[3] = {of_i32(1), of_i32(2), of_i32(3)};
    OK(raddle_invoke(sums, three, 3, NULL, &result, 1, NULL));
    CHECK(result.kind == RADDLE_VALUE_KIND_I32 && result.of.i32 == 6);
    raddle_value_t code = of_i32(RADDLE_CODE_ABORTED);
    FAILS(raddle_invoke(fails, &code, 1, NULL, NULL, 0, NULL), RADDLE_CODE_ABORTED, "host.fail");
    signal_t signals[2] = {0};
    awaited_t awaited[2];
    raddle_ref_t *references[2];
    for (int i = 0; i < 2; i++) {
        awaited[i] = (awaited_t){source_of(&signals[i]), 20 + i, 0};
        OK(raddle_object_create("awaited", &awaited[i], NULL, &references[i]));
    }
    for (int round = 0; round < 2; round++) {
        raddle_value_t both[2] = {of_ref(references[0]), of_ref(references[1])};
        raddle_invocation_t *invocation;
        OK(raddle_invocation_create(twice, both, 2, NULL, &invocation));
        // Runs until it waits: patience is over at once. Then it waits for the first value, then for the second.
        FAILS(raddle_invocation_wait(invocation, 0, &result, 1, NULL), RADDLE_CODE_DEADLINE_EXCEEDED, "");
        raddle_status_t *failure = round == 1 ? raddle_status_create(RADDLE_CODE_DATA_LOSS, "torn") : NULL;
        for (int fired = 0; fired < 1 + (round == 0); ) {
            OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
            fired += fire(&signals[fired], failure);
        }
        if (round == 0) {
            OK(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL));
            CHECK(result.of.i32 == 41);
        } else {
            FAILS(raddle_invocation_wait(invocation, RADDLE_NEVER, &result, 1, NULL), RADDLE_CODE_DATA_LOSS, "torn; in go_on");
        }
        raddle_status_release(failure);
        raddle_invocation_release(invocation);
    }
    CHECK(warnings >= 3 && awaited[0].ends == 4 && awaited[1].ends == 2);
    for (int i = 0; i < 2; i++) {
        raddle_ref_release(references[i]);
        raddle_source_release(awaited[i].source);
        CHECK(signals[i].releases == 1);
    }
    raddle_function_release(adds);
    raddle_function_release(twice);
    raddle_function_release(sums);
    raddle_function_release(fails);
    raddle_session_release(session);
}

typedef struct {
    raddle_event_t *done;
    raddle_code_t code;
    uint32_t outcome;
    size_t index;
} low_t;

static void resume_here(void *data, const raddle_state_t *state, const raddle_status_t *status, size_t index) {
    low_t *low = data;
    low->code = raddle_status_code(status);
    low->index = index;
    raddle_status_t *failure = raddle_resume(state, NULL, &low->outcome);
    CHECK(raddle_status_code(failure) == low->code);
    raddle_status_release(failure);
    raddle_event_set(low->done);
}

static void turn_until(raddle_runtime_t *runtime, raddle_event_t *event) {
    while (!raddle_event_is_set(event)) OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
    raddle_event_reset(event);
}

static void low_level(raddle_runtime_t *runtime, raddle_module_t *sources) {
    raddle_session_t *session = session_of(runtime, sources);
    raddle_function_t *any = function_of(session, "any");
    signal_t mine = {0};
    raddle_source_t *source = source_of(&mine), *event_source;
    raddle_event_t *event;
    OK(raddle_event_create(false, &event));
    OK(raddle_event_source(event, &event_source));
    raddle_ref_t *first, *second;
    OK(raddle_source_ref(event_source, &first));
    OK(raddle_source_ref(source, &second));
    raddle_value_t arguments[2] = {of_ref(first), of_ref(second)}, result;
    low_t low = {0};
    OK(raddle_event_create(false, &low.done));
    for (int round = 0; round < 4; round++) {
        raddle_state_t *state;
        uint32_t outcome;
        OK(raddle_begin(any, arguments, 2, &state, &outcome));
        CHECK(outcome == RADDLE_OUTCOME_WAITING);
        raddle_wait_frame_t *frame;
        OK(raddle_state_wait_frame(state, &frame));
        CHECK(raddle_wait_frame_condition(frame) == RADDLE_CONDITION_KIND_ANY);
        CHECK(raddle_wait_frame_source_count(frame) == 2 && raddle_wait_frame_deadline(frame) == RADDLE_NEVER);
        raddle_source_info_t info = {.struct_size = sizeof info};
        raddle_source_t *found;
        OK(raddle_wait_frame_source(frame, 0, &found));
        OK(raddle_source_info(found, &info));
        CHECK(info.kind == RADDLE_SOURCE_KIND_EVENT && !info.user_data);
        raddle_source_release(found);
        OK(raddle_wait_frame_source(frame, 1, &found));
        OK(raddle_source_info(found, &info));
        CHECK(info.kind == RADDLE_SOURCE_KIND_HOST && info.user_data == &mine);
        raddle_source_release(found);
        char name[16];
        CHECK(raddle_wait_frame_source_name(frame, 1, name, sizeof name) == 6 && strcmp(name, "signal") == 0);
        FAILS(raddle_wait_frame_source(frame, 2, &found), RADDLE_CODE_OUT_OF_RANGE, "2");
        FAILS(raddle_resume(state, NULL, &outcome), RADDLE_CODE_FAILED_PRECONDITION, "not armed");
        FAILS(raddle_state_results(state, &result, 1, NULL), RADDLE_CODE_FAILED_PRECONDITION, "");
        if (round == 3) {
            // A host that has waited by itself.
            raddle_wait_result_t ended = {sizeof ended, 1, NULL};
            OK(raddle_resume(state, &ended, &low.outcome));
        } else {
            uint64_t deadline = round == 2 ? raddle_runtime_now(runtime) + 1000000 : RADDLE_NEVER;
            OK(raddle_wait_invoke_async(state, frame, deadline, resume_here, &low));
            FAILS(raddle_wait_invoke_async(state, frame, deadline, resume_here, &low), RADDLE_CODE_FAILED_PRECONDITION, "");
            if (!raddle_event_is_set(low.done) && round < 2) {
                FAILS(raddle_end(state), RADDLE_CODE_FAILED_PRECONDITION, "armed");
            }
            while (round == 0 && fire(&mine, NULL) == 0) OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
            if (round == 1) CHECK(raddle_wait_cancel(state));
            turn_until(runtime, low.done);
        }
        if (round == 0 || round == 3) {
            CHECK(low.code == 0 || round == 3);
            CHECK(low.outcome == RADDLE_OUTCOME_FINISHED);
            OK(raddle_state_results(state, &result, 1, NULL));
            CHECK(result.of.i32 == 1);
        } else {
            CHECK(low.code == (round == 1 ? RADDLE_CODE_CANCELLED : RADDLE_CODE_DEADLINE_EXCEEDED));
            CHECK(low.outcome == RADDLE_OUTCOME_FAILED);
        }
        OK(raddle_end(state));
        FAILS(raddle_resume(state, NULL, &outcome), RADDLE_CODE_FAILED_PRECONDITION, "ended");
        raddle_wait_frame_release(frame);
        raddle_state_release(state);
    }
    CHECK(mine.arms >= 1);
    // Completed from inside `arm`, and by another thread meanwhile; and ready when asked.
    raddle_function_t *until = function_of(session, "until");
    raddle_value_t one[2] = {of_ref(second), of_i32(3)};
    for (int where = HERE; where <= ELSEWHERE; where++) {
        mine.completes_in_arm = where;
        OK(raddle_invoke(until, one, 2, NULL, &result, 1, NULL));
        CHECK(result.of.i32 == 3);
    }
    mine.completes_in_arm = 0;
    mine.is_ready = 1;
    OK(raddle_invoke(until, one, 2, NULL, &result, 1, NULL));
    CHECK(result.of.i32 == 3);
    uint32_t ready;
    OK(raddle_source_query(source, &ready));
    CHECK(ready == RADDLE_READY_READY);
    // A state that is released while it is armed is kept until its callback.
    mine.is_ready = 0;
    raddle_state_t *state;
    OK(raddle_begin(until, one, 2, &state, NULL));
    OK(raddle_wait_invoke_async(state, NULL, RADDLE_NEVER, resume_here, &low));
    raddle_state_release(state);
    while (fire(&mine, NULL) == 0) OK(raddle_runtime_turn(runtime, 0, NULL, NULL));
    turn_until(runtime, low.done);
    CHECK(low.outcome == RADDLE_OUTCOME_FINISHED);
    raddle_ref_release(first);
    raddle_ref_release(second);
    raddle_source_release(source);
    raddle_source_release(event_source);
    raddle_event_release(event);
    raddle_event_release(low.done);
    raddle_function_release(any);
    raddle_function_release(until);
    raddle_session_release(session);
    CHECK(mine.releases == 1);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    raddle_set_log(hear, NULL);
    raddle_module_t *client = load(argv[1], "host"), *sources = load(argv[1], "sources");
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    native_functions(runtime, client);
    low_level(runtime, sources);
    raddle_runtime_release(runtime);
    raddle_module_release(client);
    raddle_module_release(sources);
    puts("native: ok");
    return 0;
}
