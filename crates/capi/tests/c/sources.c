// The whole table of a wait source: what it hands out, what it takes back, a descriptor in place of `arm`; and the sources that
// raddle has of its own.
#include "check.h"
#include <poll.h>
#include <unistd.h>

static raddle_runtime_t *runtime;
static raddle_session_t *session;

static void turn(void) {
    for (bool is_more = true; is_more;) OK(raddle_runtime_turn(runtime, 0, NULL, &is_more));
}

typedef struct {
    raddle_code_t code;
    int32_t number;
    int calls;
} told_t;

static void tell(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    told_t *told = data;
    told->code = raddle_status_code(status);
    told->number = count > 0 ? results[0].of.i32 : -1;
    told->calls += 1;
}

// Begins a call of two sources, or of a source and a number, which waits then.
static raddle_invocation_t *call(const char *name, raddle_source_t *first, raddle_source_t *second, told_t *told) {
    raddle_function_t *function = function_of(session, name);
    bool is_all = strcmp(name, "all") == 0;
    raddle_value_t arguments[3] = {of_ref(NULL), of_i32(77), of_i32(77)};
    OK(raddle_source_ref(first, &arguments[0].of.ref));
    if (second) {
        arguments[1] = of_ref(NULL);
        OK(raddle_source_ref(second, &arguments[1].of.ref));
    }
    *told = (told_t){0};
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(function, arguments, is_all ? 3 : 2, NULL, &invocation));
    OK(raddle_invocation_on_complete(invocation, tell, told));
    FAILS(raddle_invocation_on_complete(invocation, tell, told), RADDLE_CODE_FAILED_PRECONDITION, "callback");
    raddle_ref_release(arguments[0].of.ref);
    if (second) raddle_ref_release(arguments[1].of.ref);
    char text[16];
    CHECK(raddle_function_name(function, text, sizeof text) == strlen("sources.") + strlen(name));
    raddle_function_release(function);
    turn();
    return invocation;
}

// A source that hands out tickets, as many as there are.
typedef struct {
    raddle_waker_t *waker;
    int arms, disarms, tickets, commits, lost, given_back, declined, released;
} desk_t;

static void desk_arm(void *data, raddle_waker_t *waker) {
    desk_t *desk = data;
    CHECK(!desk->waker);
    desk->waker = waker;
    desk->arms += 1;
}

static void desk_disarm(void *data, raddle_waker_name_t name) {
    (void)name;
    ((desk_t *)data)->disarms += 1;
}

static bool desk_commit(void *data) {
    desk_t *desk = data;
    desk->commits += 1;
    if (desk->tickets == 0) {
        desk->lost += 1;
        return false;
    }
    desk->tickets -= 1;
    return true;
}

static void desk_give_back(void *data) {
    ((desk_t *)data)->tickets += 1;
    ((desk_t *)data)->given_back += 1;
}

static void desk_decline(void *data) { ((desk_t *)data)->declined += 1; }
static void desk_release(void *data) { ((desk_t *)data)->released += 1; }

static raddle_source_t *open_desk(desk_t *desk) {
    raddle_source_table_t table = {.struct_size = sizeof table, .name = "desk", .arm = desk_arm, .disarm = desk_disarm,
                                   .commit = desk_commit, .give_back = desk_give_back, .decline = desk_decline,
                                   .release = desk_release};
    raddle_source_t *source;
    *desk = (desk_t){0};
    OK(raddle_source_create(&table, desk, &source));
    return source;
}

static void fire(desk_t *desk) {
    CHECK(desk->waker);
    raddle_waker_complete(desk->waker, NULL);
    raddle_waker_release(desk->waker);
    desk->waker = NULL;
}

static void tickets(void) {
    desk_t first, second;
    told_t told;
    raddle_source_t *one = open_desk(&first), *two = open_desk(&second);
    // Somebody else was faster: the wait goes on, and takes the next ticket.
    raddle_invocation_t *invocation = call("until", one, NULL, &told);
    CHECK(first.arms == 1 && told.calls == 0);
    fire(&first);
    turn();
    CHECK(first.lost == 1 && first.arms == 2 && told.calls == 0);
    first.tickets = 1;
    fire(&first);
    turn();
    CHECK(told.calls == 1 && told.number == 77 && first.tickets == 0 && first.commits == 2 && first.declined == 1);
    raddle_invocation_release(invocation);

    // Any of two: both are fired, one hands out its ticket, the other is told that nobody takes it.
    invocation = call("any", one, two, &told);
    first.tickets = second.tickets = 1;
    fire(&second);
    fire(&first);
    turn();
    CHECK(told.calls == 1 && told.number == 1);
    CHECK(second.tickets == 0 && first.tickets == 1 && first.declined == 2 && first.commits == 2);
    raddle_invocation_release(invocation);

    // All of two, of which one has no ticket: what the other handed out is given back, until both have one.
    first.tickets = 1;
    second.tickets = 0;
    int arms = first.arms + second.arms;
    invocation = call("all", one, two, &told);
    fire(&first);
    fire(&second);
    turn();
    CHECK(told.calls == 0 && first.tickets == 1 && first.given_back == 1 && second.lost == 1);
    CHECK(first.arms + second.arms > arms + 2);
    second.tickets = 1;
    for (int i = 0; i < 2 && told.calls == 0; i++) {
        if (first.waker) fire(&first);
        if (second.waker) fire(&second);
        turn();
    }
    CHECK(told.calls == 1 && told.code == 0 && first.tickets == 0 && second.tickets == 0);
    raddle_invocation_release(invocation);

    // A wait that is given up is disarmed, and takes nothing.
    int disarms = first.disarms, commits = first.commits;
    invocation = call("until", one, NULL, &told);
    CHECK(raddle_invocation_cancel(invocation));
    turn();
    CHECK(told.calls == 1 && told.code == RADDLE_CODE_CANCELLED && first.disarms == disarms + 1 && first.commits == commits);
    fire(&first);
    turn();
    CHECK(told.calls == 1);
    raddle_invocation_release(invocation);
    raddle_source_retain(one);
    raddle_source_release(one);
    CHECK(first.released == 0);
    raddle_source_release(one);
    raddle_source_release(two);
    CHECK(first.released == 1 && second.released == 1);
}

static int export_end(void *data) { return *(int *)data; }

// A descriptor in place of `arm`, which the host closes as soon as it was asked for.
static void exported(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    raddle_source_table_t table = {.struct_size = sizeof table, .name = "pipe", .export_fd = export_end};
    raddle_source_t *source;
    OK(raddle_source_create(&table, &ends[0], &source));
    close(ends[0]);
    raddle_source_info_t info = {.struct_size = sizeof info};
    OK(raddle_source_info(source, &info));
    CHECK(info.kind == RADDLE_SOURCE_KIND_HOST && info.user_data == &ends[0]);
    told_t told;
    raddle_invocation_t *invocation = call("until", source, NULL, &told);
    CHECK(told.calls == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    for (int i = 0; i < 1000000 && told.calls == 0; i++) turn();
    CHECK(told.calls == 1 && told.number == 77);
    raddle_invocation_release(invocation);
    raddle_source_release(source);
    ends[0] = -1;
    FAILS(raddle_source_create(&table, &ends[0], &source), RADDLE_CODE_INVALID_ARGUMENT, "-1");
    close(ends[1]);
    ends[0] = ends[1];
    FAILS(raddle_source_create(&table, &ends[0], &source), RADDLE_CODE_FAILED_PRECONDITION, "");
}

static bool is_readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void own_sources(void) {
    // An event as a descriptor for a foreign loop, and back from a program's reference.
    raddle_event_t *event, *same;
    OK(raddle_event_create(false, &event));
    int fd, again;
    OK(raddle_event_export(event, &fd));
    FAILS(raddle_event_export(event, &again), RADDLE_CODE_ALREADY_EXISTS, "");
    CHECK(again == -1 && !is_readable(fd));
    raddle_ref_t *reference;
    OK(raddle_event_ref(event, &reference));
    OK(raddle_ref_event(reference, &same));
    raddle_event_set(same);
    CHECK(is_readable(fd) && raddle_event_is_set(event));
    CHECK(raddle_event_reset(event) && !is_readable(fd));
    close(fd);
    raddle_ref_release(reference);
    raddle_event_release(same);

    // A semaphore likewise; its source says what it waits for.
    raddle_semaphore_t *semaphore, *known;
    OK(raddle_semaphore_create(0, &semaphore));
    OK(raddle_semaphore_ref(semaphore, &reference));
    OK(raddle_ref_semaphore(reference, &known));
    FAILS(raddle_ref_event(reference, &same), RADDLE_CODE_INVALID_ARGUMENT, "event");
    raddle_ref_release(reference);
    raddle_source_t *reaches, *later;
    OK(raddle_semaphore_source(known, 4, &reaches));
    OK(raddle_source_at(raddle_runtime_now(runtime) + 1000000, &later));
    raddle_source_info_t info = {.struct_size = sizeof info};
    OK(raddle_source_info(reaches, &info));
    CHECK(info.kind == RADDLE_SOURCE_KIND_SEMAPHORE && info.value == 4);
    OK(raddle_source_info(later, &info));
    CHECK(info.kind == RADDLE_SOURCE_KIND_MOMENT && info.fd == -1);
    told_t told;
    raddle_invocation_t *invocation = call("any", reaches, later, &told);
    for (int i = 0; i < 100000000 && told.calls == 0; i++) turn();
    CHECK(told.calls == 1 && told.number == 1);
    raddle_invocation_release(invocation);
    invocation = call("until", reaches, NULL, &told);
    OK(raddle_semaphore_signal(semaphore, 4));
    turn();
    CHECK(told.calls == 1 && told.number == 77);
    raddle_invocation_release(invocation);
    raddle_semaphore_release(semaphore);
    raddle_semaphore_release(known);
    raddle_source_release(reaches);
    raddle_source_release(later);

    // The low level, held twice; then the session is cancelled, for good.
    raddle_source_t *source;
    OK(raddle_event_source(event, &source));
    raddle_function_t *until = function_of(session, "until");
    raddle_value_t arguments[2] = {of_ref(NULL), of_i32(5)}, result;
    OK(raddle_source_ref(source, &arguments[0].of.ref));
    raddle_state_t *state;
    uint32_t outcome;
    OK(raddle_begin(until, arguments, 2, &state, &outcome));
    raddle_wait_frame_t *frame;
    OK(raddle_state_wait_frame(state, &frame));
    raddle_state_retain(state);
    raddle_state_release(state);
    raddle_wait_frame_retain(frame);
    raddle_wait_frame_release(frame);
    CHECK(outcome == RADDLE_OUTCOME_WAITING && raddle_wait_frame_condition(frame) == RADDLE_CONDITION_KIND_UNTIL);
    raddle_wait_frame_release(frame);
    OK(raddle_end(state));
    raddle_state_release(state);
    invocation = call("until", source, NULL, &told);
    raddle_session_cancel(session);
    turn();
    CHECK(told.calls == 1 && told.code == RADDLE_CODE_CANCELLED && raddle_session_pending(session) == 0);
    raddle_invocation_retain(invocation);
    raddle_invocation_release(invocation);
    raddle_invocation_release(invocation);
    FAILS(raddle_invoke(until, arguments, 2, NULL, &result, 1, NULL), RADDLE_CODE_CANCELLED, "");
    raddle_ref_release(arguments[0].of.ref);
    raddle_function_release(until);
    raddle_source_release(source);
    raddle_event_release(event);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    raddle_module_t *module = load(argv[1], "sources");
    runtime = runtime_of(RADDLE_DRIVER_HOST, 0);
    session = session_of(runtime, module);
    tickets();
    exported();
    own_sources();
    raddle_session_release(session);
    raddle_runtime_release(runtime);
    raddle_module_release(module);
    puts("sources: ok");
    return 0;
}
