// libuv drives raddle: one uv_poll_t on raddle's descriptor, no thread.

#include <raddle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void check(raddle_status_t *status) {
    if (!status) return;
    fprintf(stderr, "%s\n", raddle_status_message(status));
    exit(1);
}

static void expect(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

typedef struct {
    raddle_runtime_t *runtime;
    uv_poll_t poll;
    uv_timer_t timer;
    raddle_event_t *event;
    int left;
} app_t;

static void turn(uv_poll_t *poll, int status, int events) {
    expect(status == 0 && events == UV_READABLE, "the descriptor is polled");
    app_t *app = poll->data;
    check(raddle_runtime_turn(app->runtime, 0, NULL, NULL));
}

static void on_timer(uv_timer_t *timer) { raddle_event_set(((app_t *)timer->data)->event); }

static void on_done(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    app_t *app = data;
    expect(!status && count == 1 && results[0].of.i32 > 0, "the invocation returns");
    if (--app->left > 0) return;
    // Nothing is left to wait for: without these two handles the loop ends.
    uv_close((uv_handle_t *)&app->poll, NULL);
    uv_close((uv_handle_t *)&app->timer, NULL);
}

int main(int argc, char **argv) {
    expect(argc == 2, "the argument is the folder of the programs");
    raddle_runtime_options_t options = {.struct_size = sizeof options, .driver = RADDLE_DRIVER_HOST};
    app_t app = {.left = 2};
    check(raddle_runtime_create(&options, &app.runtime));
    char path[4096];
    snprintf(path, sizeof path, "%s/waits.vmfb", argv[1]);
    raddle_module_t *module;
    check(raddle_module_from_file(path, &module));
    const raddle_module_t *modules[] = {module};
    raddle_session_t *session;
    check(raddle_session_create(app.runtime, modules, 1, NULL, &session));
    raddle_function_t *delay, *until;
    check(raddle_session_function(session, "delay", &delay));
    check(raddle_session_function(session, "until", &until));
    check(raddle_event_create(false, &app.event));

    uv_loop_t loop;
    expect(uv_loop_init(&loop) == 0, "a loop");
    expect(uv_poll_init(&loop, &app.poll, raddle_runtime_fd(app.runtime)) == 0, "a poll handle");
    expect(uv_timer_init(&loop, &app.timer) == 0, "a timer");
    app.poll.data = app.timer.data = &app;
    uv_poll_start(&app.poll, UV_READABLE, turn);
    uv_timer_start(&app.timer, on_timer, 5, 0);

    // One invocation waits for 2 ms, the other for an event that a timer of libuv's sets.
    raddle_value_t of_delay[2] = {{RADDLE_VALUE_KIND_I64, {0}}, {RADDLE_VALUE_KIND_I32, {0}}};
    raddle_value_t of_until[2] = {{RADDLE_VALUE_KIND_REF, {0}}, {RADDLE_VALUE_KIND_I32, {0}}};
    of_delay[0].of.i64 = 2000000;
    of_delay[1].of.i32 = of_until[1].of.i32 = 7;
    check(raddle_event_ref(app.event, &of_until[0].of.ref));
    check(raddle_invoke_async(delay, of_delay, 2, NULL, on_done, &app, NULL));
    check(raddle_invoke_async(until, of_until, 2, NULL, on_done, &app, NULL));
    expect(uv_run(&loop, UV_RUN_DEFAULT) == 0 && app.left == 0, "the loop ends when all is done");
    expect(uv_loop_close(&loop) == 0, "nothing is left in the loop");

    raddle_ref_release(of_until[0].of.ref);
    raddle_event_release(app.event);
    raddle_function_release(until);
    raddle_function_release(delay);
    raddle_session_release(session);
    raddle_module_release(module);
    raddle_runtime_release(app.runtime);
    puts("uv_loop: ok");
    return 0;
}
