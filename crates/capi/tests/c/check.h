// What the C tests share: checks that say where they failed.
#ifndef CHECK_H
#define CHECK_H

#include <raddle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

// The call succeeds.
#define OK(call)                                                                                   \
    do {                                                                                           \
        raddle_status_t *status_ = (call);                                                         \
        if (status_) {                                                                             \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, raddle_status_message(status_)); \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// The call fails with this code, and its message contains this text.
#define FAILS(call, wanted, text)                                                                  \
    do {                                                                                           \
        raddle_status_t *status_ = (call);                                                         \
        if (raddle_status_code(status_) != (wanted) || !strstr(raddle_status_message(status_), text)) { \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, raddle_status_message(status_)); \
            exit(1);                                                                               \
        }                                                                                          \
        raddle_status_release(status_);                                                            \
    } while (0)

static inline raddle_value_t of_i32(int32_t number) {
    raddle_value_t value = {RADDLE_VALUE_KIND_I32, {0}};
    value.of.i32 = number;
    return value;
}

static inline raddle_value_t of_i64(int64_t number) {
    raddle_value_t value = {RADDLE_VALUE_KIND_I64, {0}};
    value.of.i64 = number;
    return value;
}

static inline raddle_value_t of_ref(raddle_ref_t *reference) {
    raddle_value_t value = {RADDLE_VALUE_KIND_REF, {0}};
    value.of.ref = reference;
    return value;
}

// The compiled programs lie in the folder that is the first argument.
static inline raddle_module_t *load(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.vmfb", folder, name);
    raddle_module_t *module;
    OK(raddle_module_from_file(path, &module));
    return module;
}

static inline raddle_runtime_t *runtime_of(uint32_t driver, uint32_t workers) {
    raddle_runtime_options_t options = {sizeof options, driver, workers, "test", 0};
    raddle_runtime_t *runtime;
    OK(raddle_runtime_create(&options, &runtime));
    return runtime;
}

static inline raddle_session_t *session_of(raddle_runtime_t *runtime, raddle_module_t *module) {
    const raddle_module_t *modules[] = {module};
    raddle_session_t *session;
    OK(raddle_session_create(runtime, modules, 1, NULL, &session));
    return session;
}

static inline raddle_function_t *function_of(raddle_session_t *session, const char *name) {
    raddle_function_t *function;
    OK(raddle_session_function(session, name, &function));
    return function;
}

// A session of one program of tensors, on this device.
static inline raddle_session_t *tensor_session(raddle_runtime_t *runtime, raddle_device_t *device, const char *folder,
                                               const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/../hal", folder);
    raddle_module_t *module = load(path, name);
    const raddle_module_t *modules[] = {module};
    const raddle_device_t *devices[] = {device};
    raddle_session_options_t options = {.struct_size = sizeof options, .device_count = 1, .devices = devices};
    raddle_session_t *session;
    OK(raddle_session_create(runtime, modules, 1, &options, &session));
    raddle_module_release(module);
    return session;
}

#endif
