// The allocator hook: everything is allocated with the host's functions, and given back to them.
#include "check.h"
#include <stdatomic.h>

static atomic_size_t live, calls;

static void *allocate(void *data, size_t size, size_t alignment) {
    CHECK(data == &live);
    live += size;
    calls += 1;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void deallocate(void *data, void *memory, size_t size, size_t alignment) {
    CHECK(data == &live && alignment > 0);
    live -= size;
    free(memory);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    raddle_allocator_t allocator = {sizeof allocator, &live, allocate, NULL};
    raddle_allocator_t whole = allocator;
    whole.deallocate = deallocate;
    OK(raddle_set_allocator(&whole));
    FAILS(raddle_set_allocator(&whole), RADDLE_CODE_FAILED_PRECONDITION, "already");
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_DEFAULT, 1);
    raddle_module_t *module = load(argv[1], "waits");
    raddle_session_t *session = session_of(runtime, module);
    raddle_function_t *add = function_of(session, "add");
    raddle_value_t numbers[2] = {of_i32(1), of_i32(2)}, result;
    OK(raddle_invoke(add, numbers, 2, NULL, &result, 1, NULL));
    CHECK(result.of.i32 == 3);
    // From the second call on nothing is allocated.
    size_t before = calls;
    for (int i = 0; i < 100; i++) OK(raddle_invoke(add, numbers, 2, NULL, &result, 1, NULL));
    CHECK(calls == before);
    CHECK(live > 10000);
    raddle_function_release(add);
    raddle_session_release(session);
    raddle_module_release(module);
    raddle_runtime_release(runtime);
    puts("hooks: ok");
    return 0;
}
