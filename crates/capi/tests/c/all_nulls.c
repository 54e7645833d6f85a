// Every function of the header, each in a child, with nothing but zeros: a status, a value, or the end of the process with a
// message that names the function.
#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void (*any_t)(void);
typedef void (*zeros_t)(void *, void *, void *, void *, void *, void *, void *, void *);

static const struct {
    const char *name;
    any_t function;
} functions[] = {
// FUNCTION(name) for each, made from the header by the test.
#define FUNCTION(name) {#name, (any_t)name},
#include "functions.inc"
};

int main(int argc, char **argv) {
    CHECK(argc == 2 && argv[1]);
    int count = sizeof functions / sizeof *functions, aborts = 0;
    for (int i = 0; i < count; i++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            dup2(ends[1], 2);
            close(ends[0]);
            close(ends[1]);
            signal(SIGABRT, SIG_DFL);
            ((zeros_t)functions[i].function)(0, 0, 0, 0, 0, 0, 0, 0);
            _exit(0);
        }
        close(ends[1]);
        char said[4096], wanted[128];
        size_t size = 0;
        ssize_t got;
        while (size < sizeof said - 1 && (got = read(ends[0], said + size, sizeof said - 1 - size)) > 0) size += (size_t)got;
        said[size] = 0;
        close(ends[0]);
        int state;
        CHECK(waitpid(child, &state, 0) == child);
        snprintf(wanted, sizeof wanted, "raddle: fatal: %s: `the handle` is null", functions[i].name);
        bool has_aborted = WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT && strstr(said, wanted);
        if (state != 0 && !has_aborted) {
            fprintf(stderr, "%s(0, …): state %d, and: %s\n", functions[i].name, state, said);
            return 1;
        }
        aborts += has_aborted;
    }
    CHECK(count > 120 && aborts > 10 && aborts < count / 4);
    printf("all_nulls: ok (%d functions, of which %d end the process)\n", count, aborts);
    return 0;
}
