// GLib's main loop drives raddle: one source on raddle's descriptor, no thread. GTK programs have this loop already.

#include <glib-unix.h>
#include <raddle.h>

static void check(raddle_status_t *status) {
    if (status) g_error("%s", raddle_status_message(status));
}

// Called whenever there is something to do. One turn each time, so that the loop's other sources get theirs.
static gboolean turn(gint fd, GIOCondition condition, gpointer runtime) {
    (void)fd, (void)condition;
    check(raddle_runtime_turn(runtime, 0, NULL, NULL));
    return G_SOURCE_CONTINUE;
}

typedef struct {
    GMainLoop *loop;
    raddle_event_t *event;
    int left;
} app_t;

static void on_done(void *data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    app_t *app = data;
    if (status || count != 1) g_error("%s", raddle_status_message(status));
    g_assert_true(results[0].of.i32 == 5 || results[0].of.i32 == 6);
    if (--app->left == 0) g_main_loop_quit(app->loop);
}

static gboolean on_timer(gpointer data) {
    raddle_event_set(((app_t *)data)->event);
    return G_SOURCE_REMOVE;
}

int main(int argc, char **argv) {
    g_assert_true(argc == 2);
    raddle_runtime_options_t options = {.struct_size = sizeof options, .driver = RADDLE_DRIVER_HOST};
    raddle_runtime_t *runtime;
    check(raddle_runtime_create(&options, &runtime));
    g_autofree char *path = g_build_filename(argv[1], "waits.vmfb", NULL);
    raddle_module_t *module;
    check(raddle_module_from_file(path, &module));
    const raddle_module_t *modules[] = {module};
    raddle_session_t *session;
    check(raddle_session_create(runtime, modules, 1, NULL, &session));
    raddle_function_t *delay, *until;
    check(raddle_session_function(session, "delay", &delay));
    check(raddle_session_function(session, "until", &until));

    app_t app = {g_main_loop_new(NULL, FALSE), NULL, 2};
    check(raddle_event_create(false, &app.event));
    g_unix_fd_add(raddle_runtime_fd(runtime), G_IO_IN, turn, runtime);
    g_timeout_add(5, on_timer, &app);

    // One invocation waits for 2 ms, the other for an event that a timer of GLib's sets.
    raddle_value_t ns = {RADDLE_VALUE_KIND_I64, {0}}, five = {RADDLE_VALUE_KIND_I32, {0}}, six = five;
    raddle_value_t event = {RADDLE_VALUE_KIND_REF, {0}};
    ns.of.i64 = 2000000;
    five.of.i32 = 5;
    six.of.i32 = 6;
    check(raddle_event_ref(app.event, &event.of.ref));
    raddle_value_t of_delay[] = {ns, five}, of_until[] = {event, six};
    check(raddle_invoke_async(delay, of_delay, 2, NULL, on_done, &app, NULL));
    check(raddle_invoke_async(until, of_until, 2, NULL, on_done, &app, NULL));
    g_main_loop_run(app.loop);
    g_assert_true(raddle_session_pending(session) == 0);

    g_main_loop_unref(app.loop);
    raddle_ref_release(event.of.ref);
    raddle_event_release(app.event);
    raddle_function_release(until);
    raddle_function_release(delay);
    raddle_session_release(session);
    raddle_module_release(module);
    raddle_runtime_release(runtime);
    g_print("glib_loop: ok\n");
    return 0;
}
