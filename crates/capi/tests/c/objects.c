// A module of the host's with types of its own, and with a state for each session.
#include "check.h"
#include <pthread.h>

static int live_states, live_accounts, module_ends;

typedef struct {
    int opened;
} bank_t;

typedef struct {
    int64_t balance;
} account_t;

static raddle_status_t *create_state(void *data, void **out_state) {
    if (*(int *)data == 0) return raddle_status_create(RADDLE_CODE_UNAVAILABLE, "the bank is closed");
    live_states += 1;
    *out_state = calloc(1, sizeof(bank_t));
    return NULL;
}

static void destroy_state(void *state) {
    CHECK(module_ends == 0);
    live_states -= 1;
    free(state);
}

static void destroy_account(void *account) {
    live_accounts -= 1;
    free(account);
}

static void end_module(void *data) {
    CHECK(live_states == 0);
    *(int *)data = -1;
    module_ends += 1;
}

static raddle_status_t *open_account(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                                     raddle_value_t *results, size_t result_count) {
    CHECK(*(int *)data == 1 && count == 1 && result_count == 1);
    bank_t *bank = raddle_native_state(call);
    bank->opened += 1;
    account_t *account = malloc(sizeof *account);
    account->balance = arguments[0].of.i64;
    live_accounts += 1;
    // The bank makes a mistake.
    const char *type = arguments[0].of.i64 < 0 ? "bank.debt" : "bank.account";
    return raddle_object_create(type, account, destroy_account, &results[0].of.ref);
}

static raddle_status_t *balance(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                                raddle_value_t *results, size_t result_count) {
    (void)data, (void)call, (void)count, (void)result_count;
    void *account;
    raddle_status_t *status = raddle_ref_object(arguments[0].of.ref, "bank.account", &account);
    if (!status) results[0].of.i64 = ((account_t *)account)->balance;
    return status;
}

static raddle_status_t *count_accounts(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                                       raddle_value_t *results, size_t result_count) {
    (void)data, (void)arguments, (void)count, (void)result_count;
    results[0].of.i32 = ((bank_t *)raddle_native_state(call))->opened;
    return NULL;
}

static raddle_status_t *settled(void *more, raddle_native_call_t *call, const raddle_status_t *status, size_t index,
                                raddle_value_t *results, size_t result_count) {
    (void)index, (void)result_count;
    CHECK(!status);
    results[0].of.i32 = ((bank_t *)raddle_native_state(call))->opened + (int)(intptr_t)more;
    return NULL;
}

static raddle_status_t *settle(void *data, raddle_native_call_t *call, const raddle_value_t *arguments, size_t count,
                               raddle_value_t *results, size_t result_count) {
    (void)data, (void)count, (void)results, (void)result_count;
    return raddle_native_yield(call, settled, (void *)(intptr_t)arguments[0].of.i32, NULL);
}

static int32_t count_of(raddle_session_t *session, const char *name, int32_t more) {
    raddle_function_t *function = function_of(session, name);
    raddle_value_t argument = of_i32(more), result;
    OK(raddle_invoke(function, &argument, strcmp(name, "settle") == 0, NULL, &result, 1, NULL));
    raddle_function_release(function);
    return result.of.i32;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    raddle_runtime_t *runtime = runtime_of(RADDLE_DRIVER_DEFAULT, 1);
    raddle_module_t *client = load(argv[1], "bank"), *bank;
    int is_open = 1;
    raddle_native_function_t functions[] = {
        {"open", "0I_r", open_account, NULL},
        {"balance", "0r_I", balance, NULL},
        {"count", "0v_i", count_accounts, NULL},
        {"settle", "0i_i", settle, NULL},
    };
    const char *types[] = {"bank.account", NULL};
    raddle_native_module_options_t options = {
        .struct_size = sizeof options, .name = "bank", .function_count = 4, .functions = functions, .user_data = &is_open,
        .destroy = end_module, .type_count = 1, .types = types, .create_state = create_state, .destroy_state = destroy_state};

    // Types that are missing, that have no name, or whose name is taken.
    const raddle_module_t *modules[2] = {NULL, client};
    raddle_session_t *session, *fork;
    options.destroy = NULL;
    struct {
        size_t count;
        const char *name;
        raddle_code_t code;
        const char *text;
    } faults[] = {{0, NULL, RADDLE_CODE_NOT_FOUND, "!bank.account"}, {1, "vm.list", RADDLE_CODE_ALREADY_EXISTS, "vm.list"},
                  {1, "", RADDLE_CODE_INVALID_ARGUMENT, "``"}, {1, "!bank.account", RADDLE_CODE_INVALID_ARGUMENT, "`!bank.account`"},
                  {1, NULL, RADDLE_CODE_INVALID_ARGUMENT, "null"}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        options.type_count = faults[i].count;
        options.types = &faults[i].name;
        raddle_status_t *status = raddle_module_native(&options, &bank);
        if (!status) {
            modules[0] = bank;
            status = raddle_session_create(runtime, modules, 2, NULL, &session);
            CHECK(status && !session);
            raddle_module_release(bank);
        }
        FAILS(status, faults[i].code, faults[i].text);
    }
    CHECK(live_states == 0);
    options.type_count = 1;
    options.types = types;
    options.destroy = end_module;
    OK(raddle_module_native(&options, &bank));
    modules[0] = bank;

    // A state for each session; a session whose state can't be made is none.
    is_open = 0;
    FAILS(raddle_session_create(runtime, modules, 2, NULL, &session), RADDLE_CODE_UNAVAILABLE, "the bank is closed");
    is_open = 1;
    OK(raddle_session_create(runtime, modules, 2, NULL, &session));
    CHECK(live_states == 1);
    raddle_function_t *open = function_of(session, "open"), *ask = function_of(session, "balance");
    raddle_value_t amount = of_i64(12), account, result;
    OK(raddle_invoke(open, &amount, 1, NULL, &account, 1, NULL));
    char name[32];
    CHECK(raddle_session_export_count(session) == 4);
    CHECK(raddle_session_export_name(session, 1, name, sizeof name) == 7 && strcmp(name, "balance") == 0);
    CHECK(raddle_session_export_name(session, 4, name, sizeof name) == 0);
    CHECK(raddle_ref_type_name(account.of.ref, name, sizeof name) == 12 && strcmp(name, "bank.account") == 0);
    OK(raddle_invoke(ask, &account, 1, NULL, &result, 1, NULL));
    CHECK(result.of.i64 == 12 && count_of(session, "count", 0) == 1 && count_of(session, "settle", 10) == 11);
    OK(raddle_session_fork(session, &fork));
    CHECK(live_states == 2 && count_of(fork, "count", 0) == 0 && count_of(fork, "settle", 10) == 10);
    is_open = 0;
    raddle_session_t *none;
    FAILS(raddle_session_fork(session, &none), RADDLE_CODE_UNAVAILABLE, "closed");
    CHECK(!none);
    is_open = 1;
    raddle_session_release(fork);
    CHECK(live_states == 1);

    // A reference of another type is refused by the program, before the host sees it.
    raddle_value_t foreign = of_ref(NULL);
    OK(raddle_object_create("bank.debt", NULL, NULL, &foreign.of.ref));
    FAILS(raddle_invoke(ask, &foreign, 1, NULL, &result, 1, NULL), RADDLE_CODE_INVALID_ARGUMENT, "bank.account");
    raddle_ref_release(foreign.of.ref);
    OK(raddle_buffer_create(4, &foreign.of.ref));
    FAILS(raddle_invoke(ask, &foreign, 1, NULL, &result, 1, NULL), RADDLE_CODE_INVALID_ARGUMENT, "vm.buffer");
    raddle_ref_release(foreign.of.ref);
    // What the host returns by mistake is found when it is used.
    amount = of_i64(-1);
    OK(raddle_invoke(open, &amount, 1, NULL, &foreign, 1, NULL));
    FAILS(raddle_invoke(ask, &foreign, 1, NULL, &result, 1, NULL), RADDLE_CODE_INVALID_ARGUMENT, "bank.debt");
    raddle_ref_release(foreign.of.ref);
    FAILS(raddle_object_create("", NULL, NULL, &foreign.of.ref), RADDLE_CODE_INVALID_ARGUMENT, "``");
    CHECK(!foreign.of.ref && !raddle_native_state(NULL));

    // Objects outlive their session, states their calls.
    raddle_function_release(open);
    raddle_function_release(ask);
    raddle_session_release(session);
    raddle_module_release(bank);
    CHECK(live_states == 0 && module_ends == 1 && is_open == -1 && live_accounts == 1);
    raddle_ref_release(account.of.ref);
    CHECK(live_accounts == 0);
    raddle_module_release(client);
    raddle_runtime_release(runtime);
    puts("objects: ok");
    return 0;
}
