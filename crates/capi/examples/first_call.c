// The first call: a compiled module, a function, its result. `cc first_call.c $(pkg-config --cflags --libs raddle)`

#include <raddle.h>
#include <stdio.h>
#include <stdlib.h>

static void check(raddle_status_t *status) {
    if (!status) return;
    fprintf(stderr, "%s\n", raddle_status_message(status));
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    char path[4096];
    snprintf(path, sizeof path, "%s/waits.vmfb", argv[1]);

    raddle_runtime_t *runtime;
    raddle_module_t *module;
    raddle_session_t *session;
    raddle_function_t *add;
    check(raddle_runtime_create(NULL, &runtime));
    check(raddle_module_from_file(path, &module));
    check(raddle_session_create(runtime, (const raddle_module_t *[]){module}, 1, NULL, &session));
    check(raddle_session_function(session, "add", &add));

    raddle_value_t arguments[2] = {{RADDLE_VALUE_KIND_I32, {.i32 = 3}}, {RADDLE_VALUE_KIND_I32, {.i32 = 4}}}, result;
    check(raddle_invoke(add, arguments, 2, NULL, &result, 1, NULL));
    printf("3 + 4 = %d\n", result.of.i32);

    raddle_function_release(add);
    raddle_session_release(session);
    raddle_module_release(module);
    raddle_runtime_release(runtime);
    return result.of.i32 == 7 ? 0 : 1;
}
