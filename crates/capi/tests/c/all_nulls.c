// Every function of the header, each in a child, with nothing but zeros: a status, a value, or the end of the process with a
// message that names the function.
#include "child.h"

typedef void (*any_t)(void);
typedef void (*zeros_t)(void *, void *, void *, void *, void *, void *, void *, void *);

typedef struct {
    const char *name;
    any_t function;
} function_t;

static const function_t functions[] = {
// FUNCTION(name) for each, made from the header by the test.
#define FUNCTION(name) {#name, (any_t)name},
#include "functions.inc"
};

static void call(void *data) { ((zeros_t)((const function_t *)data)->function)(0, 0, 0, 0, 0, 0, 0, 0); }

int main(int argc, char **argv) {
    CHECK(argc == 2 && argv[1]);
    int count = sizeof functions / sizeof *functions, aborts = 0;
    for (int i = 0; i < count; i++) {
        char said[4096], wanted[128];
        int state = in_child(call, (void *)&functions[i], said, sizeof said);
        snprintf(wanted, sizeof wanted, "raddle: fatal: %s: `the handle` is null", functions[i].name);
        bool is_abort = has_aborted(state, said, wanted);
        if (state != 0 && !is_abort) {
            fprintf(stderr, "%s(0, …): state %d, and: %s\n", functions[i].name, state, said);
            return 1;
        }
        aborts += is_abort;
    }
    CHECK(count > 120 && aborts > 10 && aborts < count / 4);
    printf("all_nulls: ok (%d functions, of which %d end the process)\n", count, aborts);
    return 0;
}
