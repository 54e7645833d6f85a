// DLPack: a foreign tensor goes into a program and a result comes out, without a copy; every deleter runs once.
#include "check.h"
#include "dlpack_abi.h"

enum { ROWS = 16, COLUMNS = 33, CPU = 1, CUDA = 2, READ_ONLY = 1, FLOAT = 2, INT = 0 };

static const char *folder;

// A library's own tensor, which counts how often it is deleted.
typedef struct {
    DLManagedTensorVersioned managed;
    int64_t shape[2], strides[2];
    float *floats;
    int deletions;
} foreign_t;

static void delete_foreign(DLManagedTensorVersioned *self) { ((foreign_t *)self->context)->deletions += 1; }

static void reset(foreign_t *foreign) {
    DLTensor tensor = {foreign->floats, {CPU, 0}, 2, {FLOAT, 32, 1}, foreign->shape, foreign->strides, 0};
    foreign->managed = (DLManagedTensorVersioned){1, 1, foreign, delete_foreign, 0, tensor};
    foreign->shape[0] = ROWS, foreign->shape[1] = COLUMNS;
    foreign->strides[0] = COLUMNS, foreign->strides[1] = 1;
}

// What is refused stays the caller's.
static void refusals(foreign_t *foreign) {
    raddle_ref_t *view;
    FAILS(raddle_dlpack_import(NULL, &view), RADDLE_CODE_INVALID_ARGUMENT, "`tensor` is null");
    FAILS(raddle_dlpack_import_legacy(NULL, &view), RADDLE_CODE_INVALID_ARGUMENT, "`tensor` is null");
    FAILS(raddle_dlpack_import(&foreign->managed, NULL), RADDLE_CODE_INVALID_ARGUMENT, "out_view");
    DLTensor *tensor = &foreign->managed.tensor;
#define REFUSED(change, code, text)                                                \
    do {                                                                           \
        reset(foreign);                                                            \
        change;                                                                    \
        FAILS(raddle_dlpack_import(&foreign->managed, &view), code, text);         \
        CHECK(view == NULL && foreign->deletions == 0);                            \
    } while (0)
    REFUSED(foreign->managed.major = 2, RADDLE_CODE_INCOMPATIBLE, "2.1");
    REFUSED(tensor->device.type = CUDA, RADDLE_CODE_UNIMPLEMENTED, "device type 2");
    REFUSED(tensor->dtype.lanes = 4, RADDLE_CODE_UNIMPLEMENTED, "4 lanes");
    REFUSED(tensor->dtype.lanes = 0, RADDLE_CODE_UNIMPLEMENTED, "0 lanes");
    REFUSED(tensor->dtype.bits = 4, RADDLE_CODE_UNIMPLEMENTED, "4 bits");
    REFUSED(tensor->dtype.code = 99, RADDLE_CODE_UNIMPLEMENTED, "code 99");
    REFUSED(foreign->strides[0] = COLUMNS + 1, RADDLE_CODE_INVALID_ARGUMENT, "[34, 1]");
    REFUSED((foreign->strides[0] = 1, foreign->strides[1] = ROWS), RADDLE_CODE_INVALID_ARGUMENT, "copy it first");
    REFUSED(foreign->strides[1] = -1, RADDLE_CODE_INVALID_ARGUMENT, "-1");
    REFUSED(tensor->byte_offset = 4, RADDLE_CODE_OUT_OF_RANGE, "multiple of 64");
    REFUSED(tensor->data = foreign->floats + 1, RADDLE_CODE_OUT_OF_RANGE, "raddle_buffer_view_create");
    REFUSED(tensor->data = NULL, RADDLE_CODE_INVALID_ARGUMENT, "null");
    REFUSED(tensor->ndim = -1, RADDLE_CODE_INVALID_ARGUMENT, "-1");
    REFUSED(tensor->shape = NULL, RADDLE_CODE_INVALID_ARGUMENT, "shape");
    REFUSED(foreign->shape[0] = -16, RADDLE_CODE_INVALID_ARGUMENT, "-16");
    REFUSED((foreign->shape[0] = INT64_MAX, tensor->strides = NULL), RADDLE_CODE_INVALID_ARGUMENT, "larger than memory");
    reset(foreign);
}

static void in_and_out(raddle_function_t *reduce, foreign_t *foreign, bool is_legacy) {
    reset(foreign);
    // The part behind an aligned offset, and one of three legal ways to say "dense".
    foreign->managed.tensor.data = (char *)foreign->floats - 64;
    foreign->managed.tensor.byte_offset = 64;
    foreign->managed.tensor.strides = NULL;
    for (int i = 0; i < ROWS * COLUMNS; i++) foreign->floats[i] = (float)(i / COLUMNS);
    raddle_ref_t *view;
    OK(raddle_dlpack_import(&foreign->managed, &view));
    void *data;
    uint64_t size;
    bool is_mutable;
    OK(raddle_buffer_view_data(view, &data, &size, &is_mutable));
    CHECK(data == foreign->floats && size == ROWS * COLUMNS * 4 && is_mutable);
    foreign->floats[0] = 100;
    raddle_value_t argument = of_ref(view), results[2];
    OK(raddle_invoke(reduce, &argument, 1, NULL, results, 2, NULL));
    raddle_ref_release(view);
    CHECK(foreign->deletions == 1);
    OK(raddle_buffer_view_data(results[0].of.ref, &data, &size, NULL));
    CHECK(size == ROWS * 4 && ((float *)data)[0] == 100 && ((float *)data)[15] == 15 * COLUMNS);
    // Out: the bytes are the result's own, and outlive it.
    DLTensor *out;
    DLManagedTensor *legacy = NULL;
    DLManagedTensorVersioned *versioned = NULL;
    if (is_legacy) {
        OK(raddle_dlpack_export_legacy(results[0].of.ref, &legacy));
        out = &legacy->tensor;
    } else {
        OK(raddle_dlpack_export(results[0].of.ref, &versioned));
        CHECK(versioned->major == 1 && versioned->flags == 0);
        out = &versioned->tensor;
    }
    CHECK(out->data == data && out->device.type == CPU && out->ndim == 1 && out->shape[0] == ROWS && out->strides[0] == 1);
    CHECK(out->dtype.code == FLOAT && out->dtype.bits == 32 && out->dtype.lanes == 1 && out->byte_offset == 0);
    raddle_ref_release(results[0].of.ref);
    raddle_ref_release(results[1].of.ref);
    ((float *)out->data)[0] = 7;
    CHECK(((float *)out->data)[15] == 15 * COLUMNS);
    // And in again, as somebody else's.
    if (is_legacy) {
        OK(raddle_dlpack_import_legacy(legacy, &view));
    } else {
        OK(raddle_dlpack_import(versioned, &view));
    }
    OK(raddle_buffer_view_data(view, &data, &size, &is_mutable));
    CHECK(((float *)data)[0] == 7 && is_mutable);
    raddle_ref_release(view);
    foreign->deletions = 0;
}

// A program that writes its result into storage of the host's.
static void storage(raddle_session_t *session, foreign_t *foreign) {
    raddle_function_t *square = function_of(session, "inplace");
    foreign_t in = {.floats = foreign->floats + 64};
    reset(foreign), reset(&in);
    foreign->shape[0] = in.shape[0] = 8;
    foreign->managed.tensor.ndim = in.managed.tensor.ndim = 1;
    foreign->strides[0] = in.strides[0] = 1;
    for (int i = 0; i < 8; i++) in.floats[i] = (float)i;
    raddle_value_t arguments[2] = {of_ref(NULL), of_ref(NULL)}, result;
    in.managed.flags = READ_ONLY;
    OK(raddle_dlpack_import(&in.managed, &arguments[0].of.ref));
    OK(raddle_dlpack_import(&foreign->managed, &arguments[1].of.ref));
    OK(raddle_invoke(square, arguments, 2, NULL, &result, 1, NULL));
    for (int i = 0; i < 8; i++) CHECK(foreign->floats[i] == (float)(i * i));
    // Read-only goes along.
    bool is_mutable;
    void *data;
    OK(raddle_buffer_view_data(arguments[0].of.ref, &data, NULL, &is_mutable));
    CHECK(!is_mutable && data == in.floats);
    DLManagedTensorVersioned *versioned;
    DLManagedTensor *legacy;
    OK(raddle_dlpack_export(arguments[0].of.ref, &versioned));
    CHECK(versioned->flags == READ_ONLY && versioned->tensor.data == in.floats);
    FAILS(raddle_dlpack_export_legacy(arguments[0].of.ref, &legacy), RADDLE_CODE_PERMISSION_DENIED, "read-only");
    CHECK(legacy == NULL);
    raddle_ref_release(arguments[0].of.ref);
    CHECK(in.deletions == 0);
    versioned->deleter(versioned);
    CHECK(in.deletions == 1);
    raddle_ref_release(arguments[1].of.ref);
    raddle_ref_release(result.of.ref);
    CHECK(foreign->deletions == 1);
    foreign->deletions = 0;
    raddle_function_release(square);
}

// The deleter runs once where the invocation fails, too: a wrong shape, and a cancellation before it began.
static void failures(raddle_function_t *reduce, foreign_t *foreign) {
    reset(foreign);
    foreign->shape[0] = 8;
    raddle_ref_t *view;
    OK(raddle_dlpack_import(&foreign->managed, &view));
    raddle_value_t argument = of_ref(view), results[2];
    FAILS(raddle_invoke(reduce, &argument, 1, NULL, results, 2, NULL), RADDLE_CODE_INVALID_ARGUMENT, "expected 16 but have 8");
    CHECK(foreign->deletions == 0);
    raddle_invocation_t *invocation;
    OK(raddle_invocation_create(reduce, &argument, 1, NULL, &invocation));
    raddle_ref_release(view);
    CHECK(foreign->deletions == 0);
    raddle_invocation_release(invocation);
    CHECK(foreign->deletions == 1);
    foreign->deletions = 0;
    // Nothing to delete; nothing to hold; no elements.
    reset(foreign);
    foreign->managed.deleter = NULL;
    OK(raddle_dlpack_import(&foreign->managed, &view));
    raddle_ref_release(view);
    foreign->shape[1] = 0;
    foreign->managed.tensor.data = NULL;
    OK(raddle_dlpack_import(&foreign->managed, &view));
    DLManagedTensorVersioned *empty;
    OK(raddle_dlpack_export(view, &empty));
    CHECK(empty->tensor.data == NULL && empty->tensor.ndim == 2 && empty->tensor.shape[1] == 0);
    empty->deleter(empty);
    raddle_ref_release(view);
}

static void exports(raddle_device_t *device) {
    // IREE's i4 and opaque elements have no name there; a list is no tensor.
    uint64_t two = 2;
    raddle_ref_t *view, *list;
    DLManagedTensorVersioned *versioned;
    OK(raddle_buffer_view_create(device, 0x10000004, &two, 1, "\x21", 1, &view));
    FAILS(raddle_dlpack_export(view, &versioned), RADDLE_CODE_UNIMPLEMENTED, "i4");
    raddle_ref_release(view);
    OK(raddle_list_create(&list));
    FAILS(raddle_dlpack_export(list, &versioned), RADDLE_CODE_INVALID_ARGUMENT, "vm.list");
    FAILS(raddle_dlpack_export(NULL, &versioned), RADDLE_CODE_INVALID_ARGUMENT, "null");
    raddle_ref_release(list);
    // A scalar has no strides.
    int32_t seven = 7;
    OK(raddle_buffer_view_create(device, 0x10000020, NULL, 0, &seven, 4, &view));
    OK(raddle_dlpack_export(view, &versioned));
    raddle_ref_release(view);
    CHECK(versioned->tensor.ndim == 0 && versioned->tensor.dtype.code == INT && *(int32_t *)versioned->tensor.data == 7);
    versioned->deleter(versioned);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    folder = argv[1];
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_DEFAULT, 1);
    raddle_device_options_t options = {.struct_size = sizeof options, .is_native_code_run = 1};
    raddle_device_t *device;
    OK(raddle_device_create(runtime, &options, &device));
    raddle_session_t *sums = tensor_session(runtime, device, folder, "p04_reduce.sync");
    raddle_session_t *squares = tensor_session(runtime, device, folder, "p09_inout.sync");
    raddle_function_t *reduce = function_of(sums, "reduce");
    char *memory = aligned_alloc(64, 64 + (ROWS * COLUMNS * 4 + 63) / 64 * 64);
    foreign_t foreign = {.floats = (float *)(memory + 64)};
    reset(&foreign);
    refusals(&foreign);
    in_and_out(reduce, &foreign, false);
    in_and_out(reduce, &foreign, true);
    storage(squares, &foreign);
    failures(reduce, &foreign);
    exports(device);
    // A result outlives everything it came from.
    reset(&foreign);
    raddle_ref_t *view;
    OK(raddle_dlpack_import(&foreign.managed, &view));
    raddle_value_t argument = of_ref(view), results[2];
    OK(raddle_invoke(reduce, &argument, 1, NULL, results, 2, NULL));
    DLManagedTensorVersioned *last;
    OK(raddle_dlpack_export(results[1].of.ref, &last));
    raddle_ref_release(view);
    for (int i = 0; i < 2; i++) raddle_ref_release(results[i].of.ref);
    raddle_function_release(reduce);
    raddle_session_release(sums);
    raddle_session_release(squares);
    raddle_device_release(device);
    raddle_runtime_release(runtime);
    CHECK(foreign.deletions == 1 && last->tensor.ndim == 0 && *(float *)last->tensor.data > 0);
    last->deleter(last);
    free(memory);
    puts("dlpack: ok");
    return 0;
}
