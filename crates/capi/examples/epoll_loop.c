// A plain epoll loop that drives raddle: one descriptor beside the application's own, no thread.
//
// Ten invocations wait for descriptors of the application's and for deadlines; while all of them wait, the loop sleeps, and
// is woken only for what is ready: it counts.

#include <raddle.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

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

static int done;

static void on_done(void *user_data, const raddle_status_t *status, const raddle_value_t *results, size_t count) {
    (void)user_data;
    expect(!status && count == 1 && results[0].of.i32 >= 0, "the invocation returns a number");
    done += 1;
}

static raddle_value_t of_i32(int32_t number) {
    raddle_value_t value = {RADDLE_VALUE_KIND_I32, {0}};
    value.of.i32 = number;
    return value;
}

int main(int argc, char **argv) {
    expect(argc == 2, "the argument is the folder of the programs");
    raddle_runtime_options_t options = {.struct_size = sizeof options, .driver = RADDLE_DRIVER_HOST};
    raddle_runtime_t *runtime;
    check(raddle_runtime_create(&options, &runtime));
    char path[4096];
    snprintf(path, sizeof path, "%s/sources.vmfb", argv[1]);
    raddle_module_t *module;
    check(raddle_module_from_file(path, &module));
    const raddle_module_t *modules[] = {module};
    raddle_session_t *session;
    check(raddle_session_create(runtime, modules, 1, NULL, &session));
    raddle_function_t *until;
    check(raddle_session_function(session, "until", &until));

    // The application's loop: a timer of its own, and raddle.
    int loop = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct epoll_event raddle_event = {.events = EPOLLIN, .data.fd = raddle_runtime_fd(runtime)};
    struct epoll_event timer_event = {.events = EPOLLIN, .data.fd = timer};
    expect(epoll_ctl(loop, EPOLL_CTL_ADD, raddle_event.data.fd, &raddle_event) == 0, "raddle is polled");
    expect(epoll_ctl(loop, EPOLL_CTL_ADD, timer, &timer_event) == 0, "the timer is polled");

    int pipes[10][2];
    for (int i = 0; i < 10; i++) {
        expect(pipe(pipes[i]) == 0, "a pipe");
        raddle_source_t *source;
        check(raddle_source_from_fd(pipes[i][0], RADDLE_INTEREST_READ, &source));
        raddle_value_t arguments[2] = {{RADDLE_VALUE_KIND_REF, {0}}, of_i32(i)};
        check(raddle_source_ref(source, &arguments[0].of.ref));
        check(raddle_invoke_async(until, arguments, 2, NULL, on_done, NULL, NULL));
        raddle_ref_release(arguments[0].of.ref);
        raddle_source_release(source);
    }
    for (bool is_more = true; is_more;) check(raddle_runtime_turn(runtime, 0, NULL, &is_more));
    expect(raddle_session_pending(session) == 10 && done == 0, "all of them wait");

    // Idle: the application's timer comes after 50 ms, and nothing else wakes the loop.
    struct itimerspec soon = {.it_value.tv_nsec = 50000000};
    timerfd_settime(timer, 0, &soon, NULL);
    int idle_wakes = 0, turns = 0;
    for (bool is_over = false; !is_over;) {
        struct epoll_event events[2];
        int count = epoll_wait(loop, events, 2, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == timer) {
                is_over = true;
            } else {
                idle_wakes += 1;
                check(raddle_runtime_turn(runtime, 0, NULL, NULL));
            }
        }
    }
    expect(idle_wakes == 0, "an idle runtime wakes nobody");
    epoll_ctl(loop, EPOLL_CTL_DEL, timer, NULL);

    for (int i = 0; i < 10; i++) expect(write(pipes[i][1], "x", 1) == 1, "a byte");
    while (done < 10) {
        struct epoll_event event;
        if (epoll_wait(loop, &event, 1, -1) != 1) continue;
        // One task at a time: the descriptor stays readable as long as there is more.
        check(raddle_runtime_turn(runtime, 1, NULL, NULL));
        turns += 1;
    }
    printf("epoll_loop: ok (%d wake-ups while idle, %d turns for 10 invocations)\n", idle_wakes, turns);
    for (int i = 0; i < 10; i++) close(pipes[i][0]), close(pipes[i][1]);
    close(timer);
    close(loop);
    raddle_function_release(until);
    raddle_session_release(session);
    raddle_module_release(module);
    raddle_runtime_release(runtime);
    return 0;
}
