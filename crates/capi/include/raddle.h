// raddle for C: programs of IREE's that wait without a thread.
//
// Handles are opaque, counted, and thread-safe: `_create` and other results named out_… give one that is the caller's,
// `_retain` adds a holder, `_release` takes one away. Every fallible function returns null, or a status that the caller
// releases. What may block, who calls back from where, and in which order things end: docs/embedding.md.


#ifndef RADDLE_H
#define RADDLE_H

// Generated from crates/capi/src; don't edit.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RADDLE_MUST_USE __attribute__((warn_unused_result))
#else
#define RADDLE_MUST_USE
#endif

// Of <dlpack/dlpack.h>, for those who exchange tensors with other libraries.
struct DLManagedTensor;
struct DLManagedTensorVersioned;


// No moment: wait for ever.
#define RADDLE_NEVER UINT64_MAX

// The version that this header belongs to: `major << 16 | minor << 8 | patch`.
#define RADDLE_VERSION 256

// The kind of a failure. The numbers are IREE's and never change.
enum raddle_code_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Success: not a failure.
    RADDLE_CODE_OK = 0,
    // The caller, or the owner of its session, asked for the work to stop.
    RADDLE_CODE_CANCELLED = 1,
    // A failure whose kind is not known, such as a panic in foreign code.
    RADDLE_CODE_UNKNOWN = 2,
    // An argument is wrong whatever the state of the system.
    RADDLE_CODE_INVALID_ARGUMENT = 3,
    // A deadline passed before the work was done.
    RADDLE_CODE_DEADLINE_EXCEEDED = 4,
    // A named thing does not exist.
    RADDLE_CODE_NOT_FOUND = 5,
    // A thing that was to be made exists already.
    RADDLE_CODE_ALREADY_EXISTS = 6,
    // The thing exists but may not be used in this way by this caller.
    RADDLE_CODE_PERMISSION_DENIED = 7,
    // A limit was reached: memory, slots, descriptors, stack.
    RADDLE_CODE_RESOURCE_EXHAUSTED = 8,
    // The system is not in the state that the call needs.
    RADDLE_CODE_FAILED_PRECONDITION = 9,
    // The work was given up because something that it depends on failed.
    RADDLE_CODE_ABORTED = 10,
    // An index, offset or length lies outside what exists now.
    RADDLE_CODE_OUT_OF_RANGE = 11,
    // The operation is not supported here.
    RADDLE_CODE_UNIMPLEMENTED = 12,
    // An invariant of raddle's is broken: please report it.
    RADDLE_CODE_INTERNAL = 13,
    // The service can't be had at the moment. Retry with a pause.
    RADDLE_CODE_UNAVAILABLE = 14,
    // Data was lost or damaged beyond repair.
    RADDLE_CODE_DATA_LOSS = 15,
    // The caller did not say who it is.
    RADDLE_CODE_UNAUTHENTICATED = 16,
    // The work is suspended and will be resumed; never the final status of anything.
    RADDLE_CODE_DEFERRED = 17,
    // Two parts don't fit together: a version, a calling convention, a processor feature.
    RADDLE_CODE_INCOMPATIBLE = 18,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_code_t raddle_code_t;
#else
typedef uint32_t raddle_code_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a `raddle_value_t` holds.
enum raddle_value_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing: an element of a list that was never set.
    RADDLE_VALUE_KIND_EMPTY = 0,
    // `i32`; narrower integers too.
    RADDLE_VALUE_KIND_I32 = 1,
    // `i64`.
    RADDLE_VALUE_KIND_I64 = 2,
    // `f32`.
    RADDLE_VALUE_KIND_F32 = 3,
    // `f64`.
    RADDLE_VALUE_KIND_F64 = 4,
    // `ref`, which may be null.
    RADDLE_VALUE_KIND_REF = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_value_kind_t raddle_value_kind_t;
#else
typedef uint32_t raddle_value_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who looks at descriptors and deadlines.
enum raddle_driver_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Idle workers.
    RADDLE_DRIVER_DEFAULT = 0,
    // Idle workers; busy ones now and then.
    RADDLE_DRIVER_WORKERS = 1,
    // A thread that does nothing else.
    RADDLE_DRIVER_THREAD = 2,
    // The host, in `raddle_runtime_turn`. The only one that needs no worker.
    RADDLE_DRIVER_HOST = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_driver_t raddle_driver_t;
#else
typedef uint32_t raddle_driver_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a dump is written.
enum raddle_dump_format_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A page of text.
    RADDLE_DUMP_FORMAT_TEXT = 0,
    // JSON.
    RADDLE_DUMP_FORMAT_JSON = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_dump_format_t raddle_dump_format_t;
#else
typedef uint32_t raddle_dump_format_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a descriptor is to be ready for.
enum raddle_interest_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A read would not block.
    RADDLE_INTEREST_READ = 0,
    // A write would not block.
    RADDLE_INTEREST_WRITE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_interest_t raddle_interest_t;
#else
typedef uint32_t raddle_interest_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What `query` says.
enum raddle_ready_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Not ready, or not known.
    RADDLE_READY_PENDING = 0,
    // Ready now.
    RADDLE_READY_READY = 1,
    // Never ready again.
    RADDLE_READY_FAILED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_ready_t raddle_ready_t;
#else
typedef uint32_t raddle_ready_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What kind of source it is.
enum raddle_source_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // None of the others.
    RADDLE_SOURCE_KIND_OTHER = 0,
    // A `raddle_source_create`: `user_data` is the host's.
    RADDLE_SOURCE_KIND_HOST = 1,
    // An event.
    RADDLE_SOURCE_KIND_EVENT = 2,
    // A semaphore: `value` is waited for.
    RADDLE_SOURCE_KIND_SEMAPHORE = 3,
    // A moment of the runtime's clock: `value`.
    RADDLE_SOURCE_KIND_MOMENT = 4,
    // A descriptor: `fd`, of which `value` says the interest.
    RADDLE_SOURCE_KIND_DESCRIPTOR = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_source_kind_t raddle_source_kind_t;
#else
typedef uint32_t raddle_source_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How several sources are waited for.
enum raddle_condition_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Until the one source is ready.
    RADDLE_CONDITION_KIND_UNTIL = 0,
    // Until the first of them is ready, or fails.
    RADDLE_CONDITION_KIND_ANY = 1,
    // Until all of them are ready, or one fails.
    RADDLE_CONDITION_KIND_ALL = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_condition_kind_t raddle_condition_kind_t;
#else
typedef uint32_t raddle_condition_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a call came to.
enum raddle_outcome_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It returned: `raddle_state_results`.
    RADDLE_OUTCOME_FINISHED = 0,
    // It waits: `raddle_state_wait_frame`, `raddle_wait_invoke_async`.
    RADDLE_OUTCOME_WAITING = 1,
    // It gave up its turn: resume it when others have had theirs.
    RADDLE_OUTCOME_YIELDED = 2,
    // It used up its slice of about a millisecond: resume it.
    RADDLE_OUTCOME_OUT_OF_BUDGET = 3,
    // Another invocation has the turn of the stateful session: end this one, and begin another later.
    RADDLE_OUTCOME_BUSY = 4,
    // It failed; the status says how.
    RADDLE_OUTCOME_FAILED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_outcome_t raddle_outcome_t;
#else
typedef uint32_t raddle_outcome_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How urgent an invocation is.
enum raddle_priority_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // As usual.
    RADDLE_PRIORITY_NORMAL = 0,
    // After the others, but not never.
    RADDLE_PRIORITY_LOW = 1,
    // Before the others.
    RADDLE_PRIORITY_HIGH = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_priority_t raddle_priority_t;
#else
typedef uint32_t raddle_priority_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How an invocation ended; if it was stopped, by a cancellation or its deadline, where that was.
enum raddle_ending_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It runs, waits, or has not begun.
    RADDLE_ENDING_NONE = 0,
    // It returned.
    RADDLE_ENDING_FINISHED = 1,
    // It failed by itself.
    RADDLE_ENDING_FAILED = 2,
    // It was stopped before its first instruction.
    RADDLE_ENDING_NOT_STARTED = 3,
    // It was stopped in a wait.
    RADDLE_ENDING_WHILE_WAITING = 4,
    // It was stopped while it ran.
    RADDLE_ENDING_WHILE_RUNNING = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_ending_t raddle_ending_t;
#else
typedef uint32_t raddle_ending_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How bad a message of the log is.
enum raddle_severity_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Something is done wrong, at no harm: a wait source was completed twice.
    RADDLE_SEVERITY_WARNING = 1,
    // The process ends after this message.
    RADDLE_SEVERITY_FATAL = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum raddle_severity_t raddle_severity_t;
#else
typedef uint32_t raddle_severity_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A device on this processor, for the programs of one runtime. Thread-safe.
typedef struct raddle_device_t raddle_device_t;

// An event. Thread-safe.
typedef struct raddle_event_t raddle_event_t;

// What a suspended call waits for: a condition over sources, and a deadline.
typedef struct raddle_wait_frame_t raddle_wait_frame_t;

// An exported function of a session. Thread-safe.
typedef struct raddle_function_t raddle_function_t;

// A module, to be linked into any number of sessions. Thread-safe.
typedef struct raddle_module_t raddle_module_t;

// A call of a function of the host's, for the time of the call: with it the function can suspend, and finds its session's
// state.
typedef struct raddle_native_call_t raddle_native_call_t;

// One call of a function. Thread-safe. Releasing it before it began takes it back; afterwards it goes on without the handle.
typedef struct raddle_invocation_t raddle_invocation_t;

// A reference to an object that programs can hold: a buffer, a list, an event, something of the host's.
typedef struct raddle_ref_t raddle_ref_t;

// Workers and a poller stage. Thread-safe.
//
// Releasing the last handle ends it: invocations in flight end as cancelled, and the workers are joined, unless that
// happens on one of them. Sessions and functions don't keep it: calls after its end fail.
typedef struct raddle_runtime_t raddle_runtime_t;

// A timeline semaphore. Thread-safe.
typedef struct raddle_semaphore_t raddle_semaphore_t;

// Linked modules with their state. Thread-safe. If its programs change globals, one invocation runs at a time; the others
// wait without a thread. It does not keep the runtime; what came out of it outlives it.
typedef struct raddle_session_t raddle_session_t;

// A wait source. Thread-safe.
typedef struct raddle_source_t raddle_source_t;

// A call that the host drives. Thread-safe; one thread at a time gets on with it.
typedef struct raddle_state_t raddle_state_t;

// A failure with its message. Success is a null pointer. Whoever gets one from a function owns it and releases it;
// a callback borrows the one that it is given.
typedef struct raddle_status_t raddle_status_t;

// Resumes one wait, once. It may be completed from any thread, late, from inside `arm`, and after the runtime is gone.
typedef struct raddle_waker_t raddle_waker_t;

// Functions that raddle allocates with. They are called from any thread, must not call raddle, and must not throw.
typedef struct {
    // `sizeof(raddle_allocator_t)`.
    size_t struct_size;
    // Passed to the functions.
    void *user_data;
    // `size` bytes at a multiple of `alignment`, a power of two; null if there are none.
    void *(*allocate)(void *user_data, size_t size, size_t alignment);
    // Takes back what `allocate` gave for this size and alignment.
    void (*deallocate)(void *user_data, void *memory, size_t size, size_t alignment);
} raddle_allocator_t;

// Ends the user data of a callback or a source.
typedef void (*raddle_destroy_t)(void *user_data);

// How a device is made. Zero is the default of every field but `struct_size`.
typedef struct {
    // `sizeof(raddle_device_options_t)`.
    size_t struct_size;
    // What programs ask for with patterns such as `local*`; null for "local-task". Copied.
    const char *id;
    // 1: executables of machine code are loaded. They run with the rights of the process: only for modules whose makers you
    // would run a program of.
    uint32_t is_native_code_run;
    // 1: everything runs on the thread that makes it ready, however large it is.
    uint32_t is_inline_only;
    // The memory that its buffers may take at a time, in bytes; 0 for what the machine has.
    uint64_t memory_bytes_max;
} raddle_device_options_t;

// The content of a value.
typedef union {
    // Of `RADDLE_VALUE_KIND_I32`.
    int32_t i32;
    // Of `RADDLE_VALUE_KIND_I64`.
    int64_t i64;
    // Of `RADDLE_VALUE_KIND_F32`.
    float f32;
    // Of `RADDLE_VALUE_KIND_F64`.
    double f64;
    // Of `RADDLE_VALUE_KIND_REF`.
    raddle_ref_t *ref;
} raddle_value_content_t;

// A value. Whoever owns a value that holds a reference releases the reference.
typedef struct {
    // A `raddle_value_kind_t`.
    uint32_t kind;
    // By kind.
    raddle_value_content_t of;
} raddle_value_t;

// How a function is called. Zero is the default of every field but `struct_size`.
typedef struct {
    // `sizeof(raddle_invoke_options_t)`.
    size_t struct_size;
    // When the invocation fails with DEADLINE_EXCEEDED, running or waiting, on the runtime's clock; 0 for never.
    uint64_t deadline;
    // A `raddle_priority_t`.
    uint32_t priority;
    // For functions of the asynchronous interface, in place of their last two arguments, which are then not given: a fence
    // that is waited for before the function's work begins; null for none.
    const raddle_ref_t *wait_fence;
    // As above: a fence that is signalled when the results exist, or fails as the function does; null for one that nobody
    // else sees. In both cases the invocation ends then.
    const raddle_ref_t *signal_fence;
} raddle_invoke_options_t;

// Called once, when an invocation has ended. `status` is null, or how it failed; `results` are there if it is null. Both are
// borrowed: retain what is to be kept. It runs on a worker, or in the host's turn; only when the runtime has ended, and
// nobody else is left, inside `raddle_invoke_async`. It must not block; it may call raddle, and release any handle.
typedef void (*raddle_invoke_callback_t)(void *user_data,
                                         const raddle_status_t *status,
                                         const raddle_value_t *results,
                                         size_t result_count);

// Gets the messages. `severity` is a `raddle_severity_t`. The text lives for the call. It may be called from any thread,
// with no lock of raddle's held, and must not call raddle.
typedef void (*raddle_log_t)(void *user_data, uint32_t severity, const char *message);

// A function of the host's. `arguments` are borrowed; a repeated group is its count (i32) and then its items. `results` are
// zero or null; references written there are taken over by raddle. Returns null, or a status, which raddle takes over.
//
// To suspend, it calls `raddle_native_wait` or `raddle_native_yield` and returns null; its results are then those of
// the resume function. It runs on the thread that runs the program, several calls at a time, and must not block.
typedef raddle_status_t *(*raddle_native_function_callback_t)(void *user_data,
                                                              raddle_native_call_t *call,
                                                              const raddle_value_t *arguments,
                                                              size_t argument_count,
                                                              raddle_value_t *results,
                                                              size_t result_count);

// One function of a module of the host's.
typedef struct {
    // Its name in the module. Copied.
    const char *name;
    // Its calling convention, as compiled modules write it: `"0" arguments "_" results`, of the letters i, I (i32, i64), f, F
    // (f32, f64), r (reference), `C…D` around a repeated group, and v for nothing: "0iCrD_v". Copied.
    const char *convention;
    // The function.
    raddle_native_function_callback_t function;
    // Passed to it in place of the module's; null for the module's.
    void *user_data;
} raddle_native_function_t;

// How a module of the host's is made.
typedef struct {
    // `sizeof(raddle_native_module_options_t)`.
    size_t struct_size;
    // The name by which programs import from it. Copied.
    const char *name;
    // Against which the dependencies of programs are checked.
    uint32_t version;
    // How many functions.
    size_t function_count;
    // The functions. Copied.
    const raddle_native_function_t *functions;
    // Passed to the functions.
    void *user_data;
    // Ends `user_data`, once, when neither the module nor a session needs it any more; null for nothing.
    raddle_destroy_t destroy;
    // How many types.
    size_t type_count;
    // The names of the types of the host's objects that the functions take and return: "app.thing"
    // (`raddle_object_create`), which programs that import from the module write as `!vm.ref<!app.thing>`. Copied.
    const char *const *types;
    // Makes what one session has of the module, for `raddle_native_state`; null for nothing. Called by
    // `raddle_session_create` and `raddle_session_fork`, which fail with the status that it returns, and which raddle
    // takes over.
    raddle_status_t *(*create_state)(void *user_data, void **out_state);
    // Ends a state, once, on any thread, when its session and its suspended calls are gone; null for nothing.
    raddle_destroy_t destroy_state;
} raddle_native_module_options_t;

// The rest of a function that has suspended. `status` says how the wait ended (null: as it should; borrowed), `index` which
// source of a wait for any was first. Otherwise as the function itself; it may suspend again.
typedef raddle_status_t *(*raddle_native_resume_t)(void *user_data,
                                                   raddle_native_call_t *call,
                                                   const raddle_status_t *status,
                                                   size_t index,
                                                   raddle_value_t *results,
                                                   size_t result_count);

// How a runtime is made. Zero is the default of every field but `struct_size`.
typedef struct {
    // `sizeof(raddle_runtime_options_t)`.
    size_t struct_size;
    // A `raddle_driver_t`.
    uint32_t driver;
    // How many workers. 0: none, if the host drives; otherwise as many as the process may use at once.
    uint32_t workers;
    // A name for threads, dumps and reports; null for "raddle". Copied.
    const char *name;
    // The stack of each worker, in bytes; 0 for 2 MiB.
    size_t stack_bytes;
} raddle_runtime_options_t;

// Takes one part of a text: `size` bytes of UTF-8, without a final 0, for the time of the call.
typedef void (*raddle_write_t)(void *user_data, const char *text, size_t size);

// What was counted since the runtime was made.
typedef struct {
    // `sizeof(raddle_runtime_counts_t)`, set by the caller.
    size_t struct_size;
    // Tasks run.
    uint64_t tasks_run;
    // Waits that were begun.
    uint64_t waits_begun;
    // Waits that ended without waiting.
    uint64_t waits_inline;
    // Sleepers that were woken.
    uint64_t wakes;
    // Looks at descriptors and deadlines.
    uint64_t poller_turns;
} raddle_runtime_counts_t;

// How a runtime ended. Unit: scopes; each session is one.
typedef struct {
    // `sizeof(raddle_shutdown_report_t)`, set by the caller.
    size_t struct_size;
    // Were idle.
    size_t scopes_done;
    // Had work, which was cancelled and has ended.
    size_t scopes_cancelled;
    // Have work that did not end in time.
    size_t scopes_leaked;
    // Invocations in those.
    size_t invocations_leaked;
    // Threads that were inside a task when the deadline passed. They end when it returns.
    size_t threads_left;
} raddle_shutdown_report_t;

// What the programs of a session may use. Zero is the default of every field but `struct_size`.
typedef struct {
    // `sizeof(raddle_session_options_t)`.
    size_t struct_size;
    // The stack of one invocation, in bytes.
    size_t stack_bytes_max;
    // Elements of one list.
    uint32_t list_length_max;
    // Memory of all objects that its programs have made, in bytes.
    uint64_t allocation_bytes_max;
    // How many devices.
    size_t device_count;
    // The devices that programs of tensors find through the module `hal`: the first that suits a program is the one it uses.
    // Borrowed.
    const raddle_device_t *const *devices;
} raddle_session_options_t;

// Names one waker, to find it again in `disarm`. Never reused while the waker lives.
typedef struct {
    // Both numbers are the name.
    uint64_t numbers[2];
} raddle_waker_name_t;

// The functions of a wait source of the host's. Only `arm` is needed, or `export_fd` in its place. They are called from any
// thread, with no lock of raddle's held, and must not block. They may call raddle, and complete wakers from inside.
typedef struct {
    // `sizeof(raddle_source_table_t)`.
    size_t struct_size;
    // What dumps call the source; may be null. Copied.
    const char *name;
    // Keeps `waker`, which it owns, and completes it when the source is ready: at once, from inside this call, if it is
    // ready already. Afterwards it is released. A source may be armed any number of times, by several waits at once.
    void (*arm)(void *user_data, raddle_waker_t *waker);
    // Whether the source is ready (`raddle_ready_t`), as a hint that consumes nothing. When it says failed it may write a
    // status, which raddle takes over.
    uint32_t (*query)(void *user_data, raddle_status_t **out_status);
    // A request to forget the waker of this name; completing it afterwards is harmless.
    void (*disarm)(void *user_data, raddle_waker_name_t name);
    // A descriptor that is readable when the source is ready. Called once, by `raddle_source_create`; raddle duplicates the
    // descriptor, so that the host may close its own. With it, `arm` is not called.
    int32_t (*export_fd)(void *user_data);
    // Takes what the source hands out, for the wait that it has ended: true if it did, false if somebody else was faster and
    // the wait has to go on. By default true.
    bool (*commit)(void *user_data);
    // Undoes a commit: another source of the same wait for all was lost.
    void (*give_back)(void *user_data);
    // A waker was completed, but its wait takes nothing: it has ended otherwise, or `commit` said false. Whoever waits
    // next may be woken in its place.
    void (*decline)(void *user_data);
    // Ends `user_data`, once, when nobody holds the source any more.
    void (*release)(void *user_data);
} raddle_source_table_t;

// What is known of a source.
typedef struct {
    // `sizeof(raddle_source_info_t)`, set by the caller.
    size_t struct_size;
    // A `raddle_source_kind_t`.
    uint32_t kind;
    // The duplicate of the descriptor, or -1.
    int32_t fd;
    // By kind.
    uint64_t value;
    // The host's; null for other kinds.
    void *user_data;
} raddle_source_info_t;

// Called once, when the wait of a call has ended: on a worker, or in the host's turn. `status` (borrowed) is null, or how the
// wait failed: a source's failure, CANCELLED, DEADLINE_EXCEEDED. `index` says which source of a wait for any was first. The
// callback, or whoever it tells, resumes the call; `state` is borrowed.
typedef void (*raddle_wait_callback_t)(void *user_data,
                                       const raddle_state_t *state,
                                       const raddle_status_t *status,
                                       size_t index);

// How a wait ended, for a host that has waited by itself.
typedef struct {
    // `sizeof(raddle_wait_result_t)`.
    size_t struct_size;
    // Which source of a wait for any was first.
    size_t index;
    // Null, or how the wait failed; borrowed.
    const raddle_status_t *status;
} raddle_wait_result_t;

// What is known of a tensor.
typedef struct {
    // `sizeof(raddle_buffer_view_info_t)`, set by the caller.
    size_t struct_size;
    // IREE's number of the element type.
    uint32_t element_type;
    // IREE's number of the layout; 1 is dense, row by row.
    uint32_t encoding;
    // How many extents the shape has.
    size_t rank;
    // The length of its buffer, in bytes.
    uint64_t size;
} raddle_buffer_view_info_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes raddle allocate with these functions, for the whole process and for good. `allocator` is copied. Call it before
// anything else of raddle's.
//
// FAILED_PRECONDITION: something was allocated before. INVALID_ARGUMENT: a function is missing.
RADDLE_MUST_USE
raddle_status_t *raddle_set_allocator(const raddle_allocator_t *allocator);

// A changeable buffer of `size` zeros.
//
// RESOURCE_EXHAUSTED: no memory.
RADDLE_MUST_USE raddle_status_t *raddle_buffer_create(uint64_t size, raddle_ref_t **out_buffer);

// A constant buffer over `size` bytes of the host's; nothing is copied. The bytes must not change until `destroy(user_data)`
// is called, once, on any thread, when nobody holds the buffer any more. On failure `destroy` is not called.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_wrap(const void *data,
                                    size_t size,
                                    raddle_destroy_t destroy,
                                    void *user_data,
                                    raddle_ref_t **out_buffer);

// The size in bytes.
RADDLE_MUST_USE raddle_status_t *raddle_buffer_size(const raddle_ref_t *buffer, size_t *out_size);

// Copies `size` bytes out, from `offset` on.
//
// OUT_OF_RANGE: the buffer ends before.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_read(const raddle_ref_t *buffer,
                                    size_t offset,
                                    void *target,
                                    size_t size);

// Copies `size` bytes in, from `offset` on.
//
// OUT_OF_RANGE: the buffer ends before. PERMISSION_DENIED: it is constant.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_write(const raddle_ref_t *buffer,
                                     size_t offset,
                                     const void *source,
                                     size_t size);

// The address of the first byte, as long as the buffer lives: for bytes that no program changes meanwhile, and, if
// `out_is_mutable` says so, for changing them.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_data(const raddle_ref_t *buffer,
                                    void **out_data,
                                    bool *out_is_mutable);

// A device whose waits and large work are carried by this runtime. `options` may be null: such a device runs no machine code.
RADDLE_MUST_USE
raddle_status_t *raddle_device_create(const raddle_runtime_t *runtime,
                                      const raddle_device_options_t *options,
                                      raddle_device_t **out_device);

// One holder more. Null is nothing.
void raddle_device_retain(const raddle_device_t *device);

// One holder less. Null is nothing. Sessions and tensors keep what they need of it.
void raddle_device_release(const raddle_device_t *device);

// Makes a tensor of a struct of DLPack's, without a copy: programs may read its bytes and, unless it is flagged as
// read-only, write them. On success it belongs to the tensor, whose last holder has its deleter called, once, on any
// thread; on failure it stays the caller's.
//
// A tensor that is flagged as read-only is not written by transfers, which fail with PERMISSION_DENIED; kernels of compiled
// programs write no arguments but those that are declared as storage for results.
//
// INCOMPATIBLE: another major version than 1. UNIMPLEMENTED: memory of another device than the CPU, elements of several
// lanes, or of a type that IREE does not have. INVALID_ARGUMENT: it is not dense, row by row, or is malformed.
// OUT_OF_RANGE: data and `byte_offset` make no multiple of 64.
RADDLE_MUST_USE
raddle_status_t *raddle_dlpack_import(struct DLManagedTensorVersioned *tensor,
                                      raddle_ref_t **out_view);

// The same for the struct of libraries from before DLPack 1.0, which has neither version nor flags: programs may write it.
RADDLE_MUST_USE
raddle_status_t *raddle_dlpack_import_legacy(struct DLManagedTensor *tensor,
                                             raddle_ref_t **out_view);

// Describes a tensor by a struct of DLPack's, version 1.1, without a copy. Its bytes stay until the struct's deleter is
// called, which its holder does once, on any thread; view, session, device and runtime may be gone by then. What is read
// is settled only behind the fence of whoever wrote it; results of programs without fences are settled. It is flagged as
// read-only if it was imported so.
//
// UNIMPLEMENTED: elements that DLPack does not have, or a layout that is not dense. FAILED_PRECONDITION: the tensor does
// not exist yet.
RADDLE_MUST_USE
raddle_status_t *raddle_dlpack_export(const raddle_ref_t *view,
                                      struct DLManagedTensorVersioned **out_tensor);

// The same with the struct of libraries from before DLPack 1.0.
//
// PERMISSION_DENIED: the tensor is read-only, which that struct can't say. Otherwise as `raddle_dlpack_export`.
RADDLE_MUST_USE
raddle_status_t *raddle_dlpack_export_legacy(const raddle_ref_t *view,
                                             struct DLManagedTensor **out_tensor);

// An event that is not set. One that resets itself (`is_auto`) ends at most one wait for each time it is set; the other
// stays set until it is reset.
RADDLE_MUST_USE
raddle_status_t *raddle_event_create(bool is_auto,
                                     raddle_event_t **out_event);

// One holder more. Null is nothing.
void raddle_event_retain(const raddle_event_t *event);

// One holder less. Null is nothing.
void raddle_event_release(const raddle_event_t *event);

// Sets the event: ends the waits for it. Blocks never; nothing that waited runs inside this call.
void raddle_event_set(const raddle_event_t *event);

// Takes the signal back; says whether there was one.
bool raddle_event_reset(const raddle_event_t *event);

// Whether the event is set now.
bool raddle_event_is_set(const raddle_event_t *event);

// A descriptor that is readable while the event is set, for a foreign loop. Poll it, don't read it. The caller closes it.
//
// ALREADY_EXISTS: the event was exported before.
RADDLE_MUST_USE
raddle_status_t *raddle_event_export(const raddle_event_t *event,
                                     int32_t *out_fd);

// The event as an argument of a program.
RADDLE_MUST_USE raddle_status_t *raddle_event_ref(const raddle_event_t *event, raddle_ref_t **out_reference);

// The event that a program's reference leads to.
//
// INVALID_ARGUMENT: it leads to something else.
RADDLE_MUST_USE raddle_status_t *raddle_ref_event(const raddle_ref_t *reference, raddle_event_t **out_event);

// The event as a wait source.
RADDLE_MUST_USE
raddle_status_t *raddle_event_source(const raddle_event_t *event,
                                     raddle_source_t **out_source);

// A fence that is reached when the semaphore of the host's has reached `value`; without a semaphore, when it is signalled.
// It is an argument for programs of the asynchronous interface: the one that they wait for, and the one that they signal.
RADDLE_MUST_USE
raddle_status_t *raddle_fence_create(const raddle_semaphore_t *semaphore,
                                     uint64_t value,
                                     raddle_ref_t **out_fence);

// A fence that is reached when each of the host's semaphores has reached its value. Signalling it signals all of them.
RADDLE_MUST_USE
raddle_status_t *raddle_fence_create_at(const raddle_semaphore_t *const *semaphores,
                                        const uint64_t *values,
                                        size_t count,
                                        raddle_ref_t **out_fence);

// A fence that is reached when all of these are; null ones count as reached.
RADDLE_MUST_USE
raddle_status_t *raddle_fence_join(const raddle_ref_t *const *fences,
                                   size_t count,
                                   raddle_ref_t **out_fence);

// Reaches the fence. Nothing that waited runs inside this call.
//
// INVALID_ARGUMENT: it was reached before; otherwise the failure of a fence that has failed.
RADDLE_MUST_USE raddle_status_t *raddle_fence_signal(const raddle_ref_t *fence);

// Fails the fence for good: what waits for it ends with a copy of `status`, which is borrowed.
RADDLE_MUST_USE raddle_status_t *raddle_fence_fail(const raddle_ref_t *fence, const raddle_status_t *status);

// Whether the fence is reached; or its failure.
RADDLE_MUST_USE raddle_status_t *raddle_fence_query(const raddle_ref_t *fence, bool *out_is_reached);

// The fence as a wait source, however many timelines it joins.
RADDLE_MUST_USE raddle_status_t *raddle_fence_source(const raddle_ref_t *fence, raddle_source_t **out_source);

// How the sources of the frame are waited for, a `raddle_condition_kind_t`: the outermost kind, if conditions are nested.
uint32_t raddle_wait_frame_condition(const raddle_wait_frame_t *frame);

// How many sources it has, those of nested conditions included.
size_t raddle_wait_frame_source_count(const raddle_wait_frame_t *frame);

// The source with this index. `raddle_source_info` tells what it is.
//
// OUT_OF_RANGE: there is none.
RADDLE_MUST_USE
raddle_status_t *raddle_wait_frame_source(const raddle_wait_frame_t *frame,
                                          size_t index,
                                          raddle_source_t **out_source);

// Writes the name of the source with this index, with a final 0, cut to `capacity` bytes, and returns its length without
// the 0; 0 if there is none.
size_t raddle_wait_frame_source_name(const raddle_wait_frame_t *frame,
                                     size_t index,
                                     char *buffer,
                                     size_t capacity);

// The moment of the runtime's clock at which the wait gives up; `RADDLE_NEVER` for none.
uint64_t raddle_wait_frame_deadline(const raddle_wait_frame_t *frame);

// One holder more. Null is nothing.
void raddle_wait_frame_retain(const raddle_wait_frame_t *frame);

// One holder less. Null is nothing.
void raddle_wait_frame_release(const raddle_wait_frame_t *frame);

// Calls the function and waits for its results: it runs on this thread until it has to wait.
//
// `results` has room for `result_capacity` values, which must be enough; `out_result_count` may be null. References in the
// results are the caller's to release. `options` may be null.
//
// Blocks: until the invocation has ended; on a runtime that the host drives it turns meanwhile. Fails as the function
// does; INVALID_ARGUMENT: arguments of another number or kind, or too little room; FAILED_PRECONDITION: the runtime is
// shutting down, or the wait would put its last worker to sleep.
RADDLE_MUST_USE
raddle_status_t *raddle_invoke(const raddle_function_t *function,
                               const raddle_value_t *arguments,
                               size_t argument_count,
                               const raddle_invoke_options_t *options,
                               raddle_value_t *results,
                               size_t result_capacity,
                               size_t *out_result_count);

// Calls the function and has `callback` called when the invocation has ended. `out_invocation` may be null; it gets a handle
// by which the invocation can be cancelled, before `callback` can be called.
//
// Blocks never. On failure `callback` is not called: INVALID_ARGUMENT: a null pointer, or an option.
RADDLE_MUST_USE
raddle_status_t *raddle_invoke_async(const raddle_function_t *function,
                                     const raddle_value_t *arguments,
                                     size_t argument_count,
                                     const raddle_invoke_options_t *options,
                                     raddle_invoke_callback_t callback,
                                     void *user_data,
                                     raddle_invocation_t **out_invocation);

// Writes the name, "module.function", with a final 0, cut to `capacity` bytes, and returns its length without the 0.
size_t raddle_function_name(const raddle_function_t *function,
                            char *buffer,
                            size_t capacity);

// Writes the calling convention ("0ii_i": see `raddle_native_function_t`) with a final 0, cut to `capacity` bytes, and
// returns its length without the 0.
size_t raddle_function_convention(const raddle_function_t *function,
                                  char *buffer,
                                  size_t capacity);

// Writes an attribute that the compiler left ("iree.abi.declaration" says what was compiled) with a final 0, cut to
// `capacity` bytes; `out_size`, which may be null, gets its length without the 0.
//
// NOT_FOUND: it has no such attribute.
RADDLE_MUST_USE
raddle_status_t *raddle_function_attribute(const raddle_function_t *function,
                                           const char *key,
                                           char *buffer,
                                           size_t capacity,
                                           size_t *out_size);

// How many results it has.
size_t raddle_function_result_count(const raddle_function_t *function);

// One holder more. Null is nothing.
void raddle_function_retain(const raddle_function_t *function);

// One holder less. Null is nothing. Invocations keep what they need of it.
void raddle_function_release(const raddle_function_t *function);

// A call of the function that has not begun. `options` may be null.
RADDLE_MUST_USE
raddle_status_t *raddle_invocation_create(const raddle_function_t *function,
                                          const raddle_value_t *arguments,
                                          size_t argument_count,
                                          const raddle_invoke_options_t *options,
                                          raddle_invocation_t **out_invocation);

// Gives the invocation to the workers, or to the host's turn. Does nothing if it has begun. Blocks never.
//
// FAILED_PRECONDITION: the runtime is shutting down.
RADDLE_MUST_USE raddle_status_t *raddle_invocation_start(const raddle_invocation_t *invocation);

// Waits for the results, at most until the moment `patience`, after which the invocation can be waited for again. If it has
// not begun, it runs on this thread until it has to wait. The results are given once. Otherwise as `raddle_invoke`.
//
// DEADLINE_EXCEEDED: patience is over (or the invocation's own deadline: `raddle_invocation_is_done` tells).
// FAILED_PRECONDITION: another thread waits for it, or a callback was given, or the results were given before.
RADDLE_MUST_USE
raddle_status_t *raddle_invocation_wait(const raddle_invocation_t *invocation,
                                        uint64_t patience,
                                        raddle_value_t *results,
                                        size_t result_capacity,
                                        size_t *out_result_count);

// Has `callback` called when the invocation has ended, and starts it: see `raddle_invoke_async`.
//
// On failure `callback` is not called. FAILED_PRECONDITION: a callback was given before, or somebody waits for it.
RADDLE_MUST_USE
raddle_status_t *raddle_invocation_on_complete(const raddle_invocation_t *invocation,
                                               raddle_invoke_callback_t callback,
                                               void *user_data);

// Asks the invocation to stop: its wait ends, or its code stops at the next loop or call. Its status is then CANCELLED and
// says where it was. False: it has ended already. One that is about to end may still finish. Blocks never.
bool raddle_invocation_cancel(const raddle_invocation_t *invocation);

// Whether it has ended.
bool raddle_invocation_is_done(const raddle_invocation_t *invocation);

// How it ended, a `raddle_ending_t`: exactly one of the kinds, which stays when the results have been taken.
uint32_t raddle_invocation_ending(const raddle_invocation_t *invocation);

// One holder more. Null is nothing.
void raddle_invocation_retain(const raddle_invocation_t *invocation);

// One holder less. Null is nothing.
void raddle_invocation_release(const raddle_invocation_t *invocation);

// An empty list of anything.
RADDLE_MUST_USE raddle_status_t *raddle_list_create(raddle_ref_t **out_list);

// Adds a copy of `value`, converted to the list's type; a reference is retained.
//
// UNAVAILABLE: a program is changing the list at this moment.
RADDLE_MUST_USE raddle_status_t *raddle_list_push(const raddle_ref_t *list, raddle_value_t value);

// How many elements there are.
//
// UNAVAILABLE: see `raddle_list_push`.
RADDLE_MUST_USE raddle_status_t *raddle_list_size(const raddle_ref_t *list, size_t *out_size);

// The element at `index`; a reference is the caller's to release.
//
// OUT_OF_RANGE: there is none. UNAVAILABLE: see `raddle_list_push`.
RADDLE_MUST_USE
raddle_status_t *raddle_list_get(const raddle_ref_t *list,
                                 size_t index,
                                 raddle_value_t *out_value);

// Has messages sent to `callback` from now on, in place of the one before; null for nobody. A call that is under way may
// still reach the one before. Thread-safe.
void raddle_set_log(raddle_log_t callback,
                    void *user_data);

// Loads and verifies a compiled module (`.vmfb`). Blocks: for reading it.
//
// NOT_FOUND, PERMISSION_DENIED: the file; otherwise what is wrong with the module.
RADDLE_MUST_USE raddle_status_t *raddle_module_from_file(const char *path, raddle_module_t **out_module);

// Verifies a compiled module in memory. With `destroy` the constants are used in place: the bytes must not change until
// `destroy(user_data)` is called, once, when nobody needs them any more, on failure too. Without it the bytes are copied.
RADDLE_MUST_USE
raddle_status_t *raddle_module_from_memory(const void *data,
                                           size_t size,
                                           raddle_destroy_t destroy,
                                           void *user_data,
                                           raddle_module_t **out_module);

// Writes the name by which others import from the module, with a final 0, cut to `capacity` bytes, and returns its length
// without the 0.
size_t raddle_module_name(const raddle_module_t *module,
                          char *buffer,
                          size_t capacity);

// One holder more. Null is nothing.
void raddle_module_retain(const raddle_module_t *module);

// One holder less. Null is nothing. Sessions keep what they need of it.
void raddle_module_release(const raddle_module_t *module);

// A module whose functions are the host's. On failure `destroy` is not called.
//
// INVALID_ARGUMENT: a name or function is missing, or a calling convention is malformed. ALREADY_EXISTS: two functions
// have one name.
RADDLE_MUST_USE
raddle_status_t *raddle_module_native(const raddle_native_module_options_t *options,
                                      raddle_module_t **out_module);

// Inside a function of the host's: what `create_state` made for the session that the program belongs to; null if the
// module has none. Programs of a session that is not stateful call from several threads at once.
void *raddle_native_state(const raddle_native_call_t *call);

// Inside a function of the host's: suspends the call until the sources are ready (`condition` is a
// `raddle_condition_kind_t`), or until `deadline`, and has `resume` called then. The sources are borrowed. `destroy` ends
// `user_data`, once, after `resume` or without it; on failure it is not called.
RADDLE_MUST_USE
raddle_status_t *raddle_native_wait(raddle_native_call_t *call,
                                    uint32_t condition_kind,
                                    const raddle_source_t *const *sources,
                                    size_t source_count,
                                    uint64_t deadline,
                                    raddle_native_resume_t resume,
                                    void *user_data,
                                    raddle_destroy_t destroy);

// Inside a function of the host's: suspends the call until others have had their turn. Otherwise as `raddle_native_wait`.
RADDLE_MUST_USE
raddle_status_t *raddle_native_yield(raddle_native_call_t *call,
                                     raddle_native_resume_t resume,
                                     void *user_data,
                                     raddle_destroy_t destroy);

// One holder more. Null is nothing.
void raddle_ref_retain(const raddle_ref_t *reference);

// One holder less. Null is nothing.
void raddle_ref_release(const raddle_ref_t *reference);

// Whether both lead to the same object; null equals null.
bool raddle_ref_equal(const raddle_ref_t *a, const raddle_ref_t *b);

// Writes the name of the object's type ("vm.buffer") with a final 0, cut to `capacity` bytes, and returns its length
// without the 0.
size_t raddle_ref_type_name(const raddle_ref_t *reference,
                            char *buffer,
                            size_t capacity);

// Makes an object of `data`, which `destroy` ends when nobody holds the object any more, on any thread. `type_name` says
// what it is ("app.thing"): the name that `raddle_ref_object` and `raddle_ref_type_name` know it by, and that programs
// write as `!vm.ref<!app.thing>` if a module of the host's has it among its `types`. Names are kept for the life of the
// process: don't make one for each object. On failure `destroy` is not called.
RADDLE_MUST_USE
raddle_status_t *raddle_object_create(const char *type_name,
                                      void *data,
                                      raddle_destroy_t destroy,
                                      raddle_ref_t **out_reference);

// The data of an object of the host's of this type.
//
// INVALID_ARGUMENT: the reference is null, or leads to something else.
RADDLE_MUST_USE
raddle_status_t *raddle_ref_object(const raddle_ref_t *reference,
                                   const char *type_name,
                                   void **out_data);

// Starts a runtime. `options` may be null.
//
// INVALID_ARGUMENT: a driver that does not fit the workers, or too many of them. RESOURCE_EXHAUSTED: the system refuses
// threads or descriptors.
RADDLE_MUST_USE
raddle_status_t *raddle_runtime_create(const raddle_runtime_options_t *options,
                                       raddle_runtime_t **out_runtime);

// One holder more. Null is nothing.
void raddle_runtime_retain(const raddle_runtime_t *runtime);

// One holder less. Null is nothing. The last one ends the runtime. Blocks: until the workers have ended, unless this is one
// of them.
void raddle_runtime_release(const raddle_runtime_t *runtime);

// The present moment of the runtime's clock, in nanoseconds: what deadlines are compared with.
uint64_t raddle_runtime_now(const raddle_runtime_t *runtime);

// A descriptor that is readable when `raddle_runtime_turn` would make progress, and now and then when it would not. Poll it;
// don't read, write or close it. It lives as long as the runtime. For `RADDLE_DRIVER_HOST`.
int32_t raddle_runtime_fd(const raddle_runtime_t *runtime);

// How long until the next deadline, in nanoseconds, for a host that can't poll the descriptor, which becomes readable by
// itself then; -1 for no deadline.
int64_t raddle_runtime_next_timeout(const raddle_runtime_t *runtime);

// Runs what is ready, on this thread: invocations, callbacks, waits that have ended; at most `tasks_max` tasks, or a default
// number for 0. `out_tasks` gets how many were run, `out_is_more` whether some were left (the descriptor stays readable
// then). Both may be null.
//
// Blocks never, beyond what the tasks do. FAILED_PRECONDITION: the host does not drive this runtime. UNAVAILABLE: a turn is
// under way, on another thread or on this one.
RADDLE_MUST_USE
raddle_status_t *raddle_runtime_turn(const raddle_runtime_t *runtime,
                                     uint32_t tasks_max,
                                     uint32_t *out_tasks,
                                     bool *out_is_more);

// What the runtime does and waits on at this moment: workers, queues, scopes, outstanding waits. `write` gets it.
// `format` is a `raddle_dump_format_t`. Thread-safe.
RADDLE_MUST_USE
raddle_status_t *raddle_runtime_dump(const raddle_runtime_t *runtime,
                                     uint32_t format,
                                     raddle_write_t write,
                                     void *user_data);

// What was counted since the runtime was made. Thread-safe.
RADDLE_MUST_USE
raddle_status_t *raddle_runtime_counts(const raddle_runtime_t *runtime,
                                       raddle_runtime_counts_t *out_counts);

// Ends the runtime: refuses new calls, cancels those in flight, joins the workers. `out_report` may be null.
//
// Blocks: until all has ended, at most until `deadline` on the runtime's clock. Callbacks of what is cancelled run before it
// returns. FAILED_PRECONDITION: in a forked child.
RADDLE_MUST_USE
raddle_status_t *raddle_runtime_shutdown(const raddle_runtime_t *runtime,
                                         uint64_t deadline,
                                         raddle_shutdown_report_t *out_report);

// A semaphore that stands at `value`.
RADDLE_MUST_USE raddle_status_t *raddle_semaphore_create(uint64_t value, raddle_semaphore_t **out_semaphore);

// One holder more. Null is nothing.
void raddle_semaphore_retain(const raddle_semaphore_t *semaphore);

// One holder less. Null is nothing.
void raddle_semaphore_release(const raddle_semaphore_t *semaphore);

// Raises the value: ends the waits up to it. Nothing that waited runs inside this call.
//
// INVALID_ARGUMENT: `value` is not above the present one; otherwise the failure of a semaphore that has failed.
RADDLE_MUST_USE
raddle_status_t *raddle_semaphore_signal(const raddle_semaphore_t *semaphore,
                                         uint64_t value);

// Fails the semaphore for good: its waits, present and later, end with a copy of `status`, which is borrowed. The first
// failure stays.
RADDLE_MUST_USE
raddle_status_t *raddle_semaphore_fail(const raddle_semaphore_t *semaphore,
                                       const raddle_status_t *status);

// The value that was signalled last, or the failure.
RADDLE_MUST_USE
raddle_status_t *raddle_semaphore_value(const raddle_semaphore_t *semaphore,
                                        uint64_t *out_value);

// The semaphore as an argument of a program.
RADDLE_MUST_USE
raddle_status_t *raddle_semaphore_ref(const raddle_semaphore_t *semaphore,
                                      raddle_ref_t **out_reference);

// The semaphore that a program's reference leads to.
//
// INVALID_ARGUMENT: it leads to something else.
RADDLE_MUST_USE
raddle_status_t *raddle_ref_semaphore(const raddle_ref_t *reference,
                                      raddle_semaphore_t **out_semaphore);

// A wait source: ready when the semaphore has reached `value`.
RADDLE_MUST_USE
raddle_status_t *raddle_semaphore_source(const raddle_semaphore_t *semaphore,
                                         uint64_t value,
                                         raddle_source_t **out_source);

// Links modules, in order of dependency, and runs their `__init` functions on this thread. The module `raddle` is there from
// the start. The modules are borrowed; `options` may be null.
//
// NOT_FOUND: an import or a dependency is missing; otherwise what linking or an `__init` function fails with.
RADDLE_MUST_USE
raddle_status_t *raddle_session_create(const raddle_runtime_t *runtime,
                                       const raddle_module_t *const *modules,
                                       size_t module_count,
                                       const raddle_session_options_t *options,
                                       raddle_session_t **out_session);

// The function with this name: "module.function", or an export of the last module. Look it up once and call it often.
//
// NOT_FOUND: there is none.
RADDLE_MUST_USE
raddle_status_t *raddle_session_function(const raddle_session_t *session,
                                         const char *name,
                                         raddle_function_t **out_function);

// How many functions the last compiled module exports.
size_t raddle_session_export_count(const raddle_session_t *session);

// Writes the name of the export with this index, with a final 0, cut to `capacity` bytes, and returns its length without
// the 0; 0 if there is none.
size_t raddle_session_export_name(const raddle_session_t *session,
                                  size_t index,
                                  char *buffer,
                                  size_t capacity);

// A session of the same modules with a copy of the state as it is now: the invocations of each see nothing of the other's.
// Objects that globals refer to are shared; modules of the host's make a new state. A few microseconds.
//
// UNAVAILABLE: the session is stateful, and an invocation is under way. Otherwise what `create_state` of a module fails with.
RADDLE_MUST_USE
raddle_status_t *raddle_session_fork(const raddle_session_t *session,
                                     raddle_session_t **out_session);

// Whether invocations run one at a time.
bool raddle_session_is_stateful(const raddle_session_t *session);

// How many invocations of the session have begun and not ended.
size_t raddle_session_pending(const raddle_session_t *session);

// Cancels all invocations of the session, for good: later ones end as cancelled too.
void raddle_session_cancel(const raddle_session_t *session);

// Waits until no invocation of the session runs or waits. Blocks: so long, at most until `deadline`; on a runtime that the
// host drives it turns meanwhile.
//
// DEADLINE_EXCEEDED; FAILED_PRECONDITION: the wait would put the last worker to sleep.
RADDLE_MUST_USE
raddle_status_t *raddle_session_wait_idle(const raddle_session_t *session,
                                          uint64_t deadline);

// One holder more. Null is nothing.
void raddle_session_retain(const raddle_session_t *session);

// One holder less. Null is nothing. Functions and invocations keep what they need of it.
void raddle_session_release(const raddle_session_t *session);

// A wait source of the host's. `table` is copied. On failure `release` is not called.
//
// INVALID_ARGUMENT: the table has neither `arm` nor `export_fd`. FAILED_PRECONDITION: the descriptor can't be duplicated.
RADDLE_MUST_USE
raddle_status_t *raddle_source_create(const raddle_source_table_t *table,
                                      void *user_data,
                                      raddle_source_t **out_source);

// A wait source: ready when the descriptor is, for `interest` (`raddle_interest_t`). The descriptor is duplicated: the host
// may close its own, and the wait goes on.
//
// FAILED_PRECONDITION: it can't be duplicated: it is closed, or the process has no descriptors left.
RADDLE_MUST_USE
raddle_status_t *raddle_source_from_fd(int32_t fd,
                                       uint32_t interest,
                                       raddle_source_t **out_source);

// A wait source: ready at this moment of the runtime's clock (`raddle_runtime_now`).
RADDLE_MUST_USE raddle_status_t *raddle_source_at(uint64_t moment, raddle_source_t **out_source);

// One holder more. Null is nothing.
void raddle_source_retain(const raddle_source_t *source);

// One holder less. Null is nothing.
void raddle_source_release(const raddle_source_t *source);

// The source as an argument of a program.
RADDLE_MUST_USE
raddle_status_t *raddle_source_ref(const raddle_source_t *source,
                                   raddle_ref_t **out_reference);

// Whether the source is ready now, as far as it knows without waiting: a `raddle_ready_t`. A source that has failed gives its
// failure.
RADDLE_MUST_USE
raddle_status_t *raddle_source_query(const raddle_source_t *source,
                                     uint32_t *out_ready);

// What is known of a source, so that a host recognises its own in a wait frame.
RADDLE_MUST_USE
raddle_status_t *raddle_source_info(const raddle_source_t *source,
                                    raddle_source_info_t *out_info);

// Calls the function on this thread for one slice of about a millisecond. `out_state` gets the call, `out_outcome` (a
// `raddle_outcome_t`) what it came to. A function that fails gives its status, and no state.
RADDLE_MUST_USE
raddle_status_t *raddle_begin(const raddle_function_t *function,
                              const raddle_value_t *arguments,
                              size_t argument_count,
                              raddle_state_t **out_state,
                              uint32_t *out_outcome);

// What a call waits for.
//
// FAILED_PRECONDITION: it does not wait, or was armed.
RADDLE_MUST_USE
raddle_status_t *raddle_state_wait_frame(const raddle_state_t *state,
                                         raddle_wait_frame_t **out_frame);

// Waits for what the call waits for, without a thread, at most until `deadline` (`RADDLE_NEVER` for no other than the
// frame's own), and calls `callback` then. `frame` is the call's, or null. The state is kept until then.
//
// Blocks never. On failure `callback` is not called: FAILED_PRECONDITION: the call does not wait, or is armed, or the runtime is
// shutting down, which ends the call. INVALID_ARGUMENT: the frame of another wait.
RADDLE_MUST_USE
raddle_status_t *raddle_wait_invoke_async(const raddle_state_t *state,
                                          const raddle_wait_frame_t *frame,
                                          uint64_t deadline,
                                          raddle_wait_callback_t callback,
                                          void *user_data);

// Ends the wait of an armed call as cancelled, which its callback is told; false if it has ended, or was not armed. Blocks
// never.
bool raddle_wait_cancel(const raddle_state_t *state);

// Goes on with a call for one slice, on this thread: after its callback, after a yield, or, with `result`, after a wait of the
// host's own (null otherwise). `out_outcome` (a `raddle_outcome_t`) gets what it came to. A function that fails gives its
// status, and its state has ended.
//
// FAILED_PRECONDITION: the call is armed, or waits and there is no result, or has ended, or another thread resumes it.
RADDLE_MUST_USE
raddle_status_t *raddle_resume(const raddle_state_t *state,
                               const raddle_wait_result_t *result,
                               uint32_t *out_outcome);

// The results of a call that has finished; references are the caller's to release.
//
// FAILED_PRECONDITION: it has not finished. INVALID_ARGUMENT: too little room.
RADDLE_MUST_USE
raddle_status_t *raddle_state_results(const raddle_state_t *state,
                                      raddle_value_t *results,
                                      size_t result_capacity,
                                      size_t *out_result_count);

// Ends a call, wherever it is: what it holds is released. The state itself is released by `raddle_state_release`, which ends it
// too.
//
// FAILED_PRECONDITION: it is armed (`raddle_wait_cancel` first, and wait for the callback), or another thread resumes it.
RADDLE_MUST_USE
raddle_status_t *raddle_end(const raddle_state_t *state);

// One holder more. Null is nothing.
void raddle_state_retain(const raddle_state_t *state);

// One holder less. Null is nothing. An armed call is kept until its callback has returned.
void raddle_state_release(const raddle_state_t *state);

// A failure of this code with this message, for callbacks that fail. Code 0 and unknown codes become `UNKNOWN`;
// a message that is null is empty. Thread-safe; blocks never.
RADDLE_MUST_USE
raddle_status_t *raddle_status_create(uint32_t code,
                                      const char *message);

// The number of a status (`raddle_code_t`); 0 for null.
uint32_t raddle_status_code(const raddle_status_t *status);

// What happened and where, as one line of text; "OK" for null. It lives as long as the status.
const char *raddle_status_message(const raddle_status_t *status);

// The name of a code: "NOT_FOUND"; "OK" for 0, "UNKNOWN" for what is no code. It lives for ever.
const char *raddle_code_name(uint32_t code);

// One holder more. Null is nothing.
void raddle_status_retain(const raddle_status_t *status);

// One holder less. Null is nothing.
void raddle_status_release(const raddle_status_t *status);

// The same failure, seen one level further out: `place` is added to its message. `status` is not changed; null gives null.
RADDLE_MUST_USE
raddle_status_t *raddle_status_within(const raddle_status_t *status,
                                      const char *place,
                                      raddle_status_t **out_status);

// The version of the library that is linked, as `RADDLE_VERSION`. Libraries of one soname accept programs of older
// headers.
uint32_t raddle_version(void);

// A dense tensor with a copy of `size` bytes. `element_type` is IREE's number: `kind << 24 | bits` (0x21000020 is f32,
// 0x10000020 i32).
//
// INVALID_ARGUMENT: a tensor of this shape has another size. RESOURCE_EXHAUSTED: no memory.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_view_create(const raddle_device_t *device,
                                           uint32_t element_type,
                                           const uint64_t *shape,
                                           size_t rank,
                                           const void *data,
                                           size_t size,
                                           raddle_ref_t **out_view);

// A dense tensor over `size` bytes of the host's, without a copy: programs may read and write them until
// `destroy(user_data)` is called, once, on any thread, when nobody holds them any more. On failure it is not called.
//
// INVALID_ARGUMENT: a tensor of this shape has another size. OUT_OF_RANGE: `data` is no multiple of 64.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_view_wrap(uint32_t element_type,
                                         const uint64_t *shape,
                                         size_t rank,
                                         void *data,
                                         size_t size,
                                         raddle_destroy_t destroy,
                                         void *user_data,
                                         raddle_ref_t **out_view);

// What is known of a tensor. The first `shape_capacity` extents are written to `shape`, which may be null.
//
// INVALID_ARGUMENT: the reference leads to something else.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_view_info(const raddle_ref_t *view,
                                         raddle_buffer_view_info_t *out_info,
                                         uint64_t *shape,
                                         size_t shape_capacity);

// The address of the first byte, without a copy: the bytes are the tensor's own and stay as long as the reference,
// whatever becomes of session, device and runtime. They may be changed if `out_is_mutable` says so and no program uses the
// tensor meanwhile. What is read is settled only behind the fence of whoever wrote it. `out_size` (in bytes) and
// `out_is_mutable` may be null.
//
// FAILED_PRECONDITION: the tensor does not exist yet.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_view_data(const raddle_ref_t *view,
                                         void **out_data,
                                         uint64_t *out_size,
                                         bool *out_is_mutable);

// Copies `size` bytes out, from `offset` on. What is read is settled only behind the fence of whoever wrote it; results of
// programs without fences are settled.
//
// OUT_OF_RANGE: the tensor ends before. FAILED_PRECONDITION: it does not exist yet.
RADDLE_MUST_USE
raddle_status_t *raddle_buffer_view_read(const raddle_ref_t *view,
                                         uint64_t offset,
                                         void *target,
                                         size_t size,
                                         uint64_t *out_left);

// The source is ready (`status` null), or has failed for good; `status` is borrowed. Ends the wait if it still waits; says
// whether it did. A second completion does nothing, and is told to the log hook.
//
// Blocks never; nothing that waited runs inside this call.
bool raddle_waker_complete(const raddle_waker_t *waker,
                           const raddle_status_t *status);

// The name of the waker.
RADDLE_MUST_USE
raddle_status_t *raddle_waker_name(const raddle_waker_t *waker,
                                   raddle_waker_name_t *out_name);

// One holder more. Null is nothing.
void raddle_waker_retain(const raddle_waker_t *waker);

// One holder less. Null is nothing. A waker that is released without having been completed leaves its wait waiting.
void raddle_waker_release(const raddle_waker_t *waker);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RADDLE_H */
